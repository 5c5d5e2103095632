"""The only way from photos in the world to what a network sees, in the frame that it wants."""

import logging
from dataclasses import dataclass, replace

import torch

from tokengs_nerfstudio.core.geometry.frame import FrameRule
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.scale_search import choose_scale
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


def prepare(network: TokenGSNetwork, example: Example, scale: float | None = None) -> PreparedScene:
    """One scene's photos with cameras in the world, of any size, for `SceneTuning`.

    The canonical frame follows from the context cameras by the network's own rule, or multiplies lengths by `scale`;
    weights of a fixed scene scale get the scale that suits the context best. Weights that know time see a scene whose
    photos have none as one moment; a warning of the package's logger says so. Opacities of photos that are all opaque
    are forgotten.

    Raises ValueError for a scale that is not positive and for photos that the network cannot use, TypeError for what is
    no Example.
    """
    if not isinstance(example, Example):
        raise TypeError(f"prepare() takes an Example(context, target) of Views, got a {type(example).__name__}")
    for name, views in (("context", example.context), ("target", example.target)):
        if views.images.ndim != 4:
            shape = list(views.images.shape)
            raise ValueError(f"the {name} must be one scene's, images [view 3 height width], got {shape}")
    if scale is not None and not scale > 0:
        raise ValueError(f"the scale of a scene must be positive, got {scale}")
    example = _timed(network, example)
    example = Example(_opaque_or_cut_out(example.context), _opaque_or_cut_out(example.target))
    context = example.context
    seen = crop_and_resize(context, *network.config.input_size(context.height, context.width))
    if scale is None:
        frame = choose_scale(network, seen)
    else:
        frame = FrameRule(network.config.frame, "constant", scale).of(seen.c2w)
    times = example.target.times if network.config.time_channels > 0 else None
    return PreparedScene(Example(seen, example.target).moved(frame), frame, () if times is None else _spread(times))


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


def _spread(times: torch.Tensor, most: int = MOST_TIMES) -> tuple[float, ...]:
    """The distinct times, ascending; where there are more than `most`, evenly chosen ones with both ends."""
    distinct = times.unique()
    chosen = torch.linspace(0, len(distinct) - 1, min(len(distinct), most)).round().long()
    return tuple(distinct[chosen.to(distinct.device)].tolist())
