"""The only way from photos in the world to what a network sees, in the frame that it wants."""

import logging
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.checks import check_views
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.alignment import Alignment, alignment
from tokengs_nerfstudio.core.geometry.frame import FrameRule, local_frame
from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.ranges import Length, check_value
from tokengs_nerfstudio.core.rotation import nearest_rotation
from tokengs_nerfstudio.core.scale_search import choose_scale
from tokengs_nerfstudio.core.stored_views import cut_out_by_masks
from tokengs_nerfstudio.core.types import OPAQUE, Example, Similarity, Views

MOST_TIMES = 32

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedScene:
    """One scene (no batch axis) as a network wants it."""

    example: Example
    """in the canonical frame: the context at a size the network can take, the targets at their own"""
    to_canonical: Similarity
    """from the world that the photos came in"""
    times: tuple[float, ...] = ()
    """when a scene that moves is baked, ascending; none for weights that know no time"""
    points: PointCloud | None = None
    """on its surfaces, in the canonical frame, where somebody knows some"""

    def alignment(self, c2w: Float[Tensor, "view 4 4"]) -> Alignment | None:
        """From the targets' cameras to what these have become, canonical `c2w`; None where they have not moved."""
        given = self.example.target.c2w
        return None if torch.equal(given, c2w) else alignment(given, c2w)

    def following(self, c2w: Float[Tensor, "view 4 4"]) -> "PreparedScene":
        """The scene of targets whose cameras have become canonical `c2w`, placed where the cameras as given have it.

        Its example stays what it was."""
        found = self.alignment(c2w)
        if found is None:
            return self
        moved = found.similarity.map(lambda value: value.to(self.to_canonical.rotation))
        return replace(self, to_canonical=moved.compose(self.to_canonical))


def prepare(
    network: TokenGSNetwork, example: Example, scale: float | None = None, points: PointCloud | None = None
) -> PreparedScene:
    """One scene's photos with cameras in the world, of any size, for `SceneTuning`.

    The canonical frame follows from the context cameras by the network's own rule, or multiplies lengths by `scale`;
    weights of a fixed scene scale get the scale that suits the context best. To weights of single objects what masks
    hide is nothing at all, as if it had been cut out. Weights that know time see a scene whose
    photos have none as one moment; a warning of the package's logger says so. Opacities of photos that are all opaque
    are forgotten. `points`, in the world of the cameras, are what a tuning of Gaussians starts from as well.

    Cameras may have 64 bits, for worlds that 32 bits cannot tell apart (georeferenced coordinates): so has then what
    leads to the canonical frame, and what is baked by it.

    Raises UserError for what is no Example, photos that are not as `Views` says, and a scale by which nothing is seen.
    """
    _check_arguments(network, example, scale)
    example = _single_object(network, example) if network.config.frame == "orbit" else example
    example, local = _local(_timed(network, _in_one_type(example.detach())))
    example = Example(_opaque_or_cut_out(example.context), _opaque_or_cut_out(example.target))
    context = example.context
    seen = crop_and_resize(context, *network.config.input_size(context.height, context.width))
    if scale is None:
        frame = choose_scale(network, seen)
    else:
        unit = 1.0 if local is None else float(local.scale)
        frame = FrameRule(network.config.frame, "constant", scale / unit).of(seen.c2w)
        _check_scale(network, frame.cameras(seen.c2w), scale)
    times = example.target.times if network.config.time_channels > 0 else None
    to_canonical = frame if local is None else _in_64_bits(frame).compose(local)
    moments = () if times is None else moments_of(times)
    placed = None if points is None else points.moved(to_canonical).to(example.target.images)
    return PreparedScene(Example(seen, example.target).moved(frame), to_canonical, moments, placed)


def _local(example: Example) -> tuple[Example, Similarity | None]:
    """The example in a frame that 32 bits are enough for, and the way there where its cameras have 64."""
    poses = [views.c2w for views in (example.context, example.target)]
    if all(c2w.dtype == torch.float32 for c2w in poses):
        return example, None
    local = local_frame(torch.cat([c2w.double() for c2w in poses]))

    def near(views: Views) -> Views:
        depths = None if views.depths is None else (views.depths * local.scale).to(views.depths)
        return replace(views, c2w=local.cameras(views.c2w.double()).float(), depths=depths)

    return Example(near(example.context), near(example.target)), local


def _in_64_bits(frame: Similarity) -> Similarity:
    """The frame with a rotation that is one to 64 bits: its transpose undoes it also far from the origin."""
    exact = frame.map(torch.Tensor.double)
    return replace(exact, rotation=nearest_rotation(exact.rotation))


def _check_arguments(network: TokenGSNetwork, example: Example, scale: float | None) -> None:
    if not isinstance(network, TokenGSNetwork):
        raise UserError(f"the network must be what load_network() gives, got a {type(network).__name__}")
    if not isinstance(example, Example):
        raise UserError(f"prepare() takes an Example(context, target) of Views, got a {type(example).__name__}")
    dtype = next(network.parameters()).dtype
    check_views(example.context, "context", dtype)
    if example.target is not example.context:
        check_views(example.target, "target", dtype)
    check_value(scale, Length | None, "scale")


def _check_scale(network: TokenGSNetwork, c2w: Tensor, scale: float) -> None:
    """UserError for a scale by which all that cameras see lies before the near plane or behind the far one."""
    spread = float((c2w[:, :3, 3] - c2w[:1, :3, 3]).norm(dim=-1).amax())
    near, far = network.config.near, network.config.far
    if spread > 0 and not near / 100 < spread < far:
        raise UserError(
            f"the scene scale {scale:g} puts the context cameras {spread:.3g} apart where these weights see from "
            f"{near:g} to {far:g}: nothing would be seen; leave the scale out"
        )


def _single_object(network: TokenGSNetwork, example: Example) -> Example:
    """The object alone, by the photos' masks."""
    background = network.config.background
    context, target = (cut_out_by_masks(views, background) for views in (example.context, example.target))
    if not context.cut_out:
        _log.warning(
            "these weights are for an object that is cut out, before nothing: photos that show what is around it are "
            "not what they know. Give photos with an alpha channel, or a `mask_path` to every frame in transforms.json"
        )
    return Example(context, target)


def _in_one_type(example: Example) -> Example:
    """Everything in the images' type but the poses, of which 64 bits may tell more."""

    def converted(views: Views) -> Views:
        return replace(views.to(views.images.dtype), c2w=views.c2w)

    return Example(converted(example.context), converted(example.target))


def _timed(network: TokenGSNetwork, example: Example) -> Example:
    if network.config.time_channels == 0 or (example.context.times is not None and example.target.times is not None):
        return example
    _log.warning(
        "these weights know time, this capture does not: all photos count as of one moment, time 0. If the scene "
        "moves, give every frame in transforms.json a `time`"
    )

    def at_once(views: Views) -> Views:
        return replace(views, times=views.c2w.new_zeros(views.num_views))

    return Example(at_once(example.context), at_once(example.target))


def _opaque_or_cut_out(views: Views) -> Views:
    """Views that say nothing of opacities where all of them are opaque."""
    opaque = views.alphas is None or bool((views.alphas >= OPAQUE).all())
    return replace(views, alphas=None) if opaque else views


def moments_of(times: Float[Tensor, " view"], count: int | None = None) -> tuple[float, ...]:
    """The distinct times of photos, ascending: all of them, or evenly chosen ones with both ends where there are more
    than 32.

    Where `count` is given so many: where photos have fewer times, the widest gaps between them are halved. One time
    stays one.
    """
    distinct = times.unique()
    chosen = torch.linspace(0, len(distinct) - 1, min(len(distinct), count or MOST_TIMES)).round().long()
    found: list[float] = distinct[chosen.to(distinct.device)].tolist()
    while count is not None and 1 < len(found) < count:
        wide = max(range(1, len(found)), key=lambda place: found[place] - found[place - 1])
        found.insert(wide, (found[wide - 1] + found[wide]) / 2)
    return tuple(found)
