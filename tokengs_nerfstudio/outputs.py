"""What a camera, or a bundle of rays, gets to see of Gaussians, by the names that nerfstudio's commands know."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from nerfstudio.cameras.cameras import Cameras
from scipy.spatial import KDTree
from torch import Tensor

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.rendering.along_rays import render_along
from tokengs_nerfstudio.core.rendering.flow import flow_colors, hue_colors, render_flow
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig, Renders

# The golden ratio: the hues of neighbouring numbers lie far apart, and no two are alike.
_HUE_STEP = 0.6180339887


class Outputs(MutableMapping[str, Tensor]):
    """Pictures [H, W, C] by name; those that few ask for are made when somebody does."""

    def __init__(self, ready: Mapping[str, Tensor], later: Mapping[str, Callable[[], Tensor]] | None = None) -> None:
        self._pictures: dict[str, Tensor | Callable[[], Tensor]] = {**ready, **(later or {})}

    def __getitem__(self, name: str) -> Tensor:
        picture = self._pictures[name]
        if not isinstance(picture, Tensor):
            picture = self._pictures[name] = picture()
        return picture

    def __setitem__(self, name: str, picture: Tensor) -> None:
        self._pictures[name] = picture

    def __delitem__(self, name: str) -> None:
        del self._pictures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pictures)

    def __repr__(self) -> str:
        return f"Outputs({', '.join(self)})"

    def __len__(self) -> int:
        return len(self._pictures)

    def __contains__(self, name: object) -> bool:
        return name in self._pictures

    @classmethod
    def stack(cls, several: list["Outputs"]) -> "Outputs":
        """Pictures of several cameras [camera, H, W, C]; ValueError where they differ in size."""
        if len({tuple(one["rgb"].shape) for one in several}) > 1:
            raise UserError("cameras whose pictures differ in size cannot be rendered together: ask for one at a time")

        def together(name: str) -> Tensor:
            return torch.stack([one[name] for one in several])

        return cls({}, {name: partial(together, name) for name in several[0]})


@dataclass(frozen=True)
class ViewSettings:
    """What somebody who looks has set; evaluation and export know nothing of it."""

    minimum_opacity: float = 0.0
    feed_forward: bool = False
    """what the network predicts instead of what the tuning has reached"""
    flow_time: float | None = None
    """when flow leads to; None for what the configuration says"""


class TokenOrigins:
    """The token that Gaussians stem from: of the predicted Gaussians that are nearest to them.

    Tuning moves, splits and replaces Gaussians; none of the densifications hands tokens on.
    """

    def __init__(self, predicted: Gaussians, per_token: int) -> None:
        """`predicted` as decoded: `per_token` Gaussians of each token, one token after the other."""
        means = predicted.means.detach().cpu().numpy()
        finite = np.isfinite(means).all(axis=1)
        self._tree = KDTree(means[finite])
        self._tokens = torch.arange(len(means))[torch.from_numpy(finite)] // per_token
        self._last: tuple[Tensor, Tensor] | None = None

    def of(self, means: Float[Tensor, "gaussian 3"]) -> Int[Tensor, " gaussian"]:
        """The numbers of their tokens; asked again for the same tensor it answers at once."""
        if self._last is None or self._last[0] is not means:
            nearest = self._tree.query(means.detach().cpu().numpy())[1]
            self._last = means, self._tokens[torch.from_numpy(np.asarray(nearest))].to(means.device)
        return self._last[1]


@dataclass(frozen=True)
class Prediction:
    """What the network makes of context photos, in nerfstudio's world."""

    baked: BakedScene
    origins: TokenOrigins

    def tokens(self) -> Int[Tensor, " gaussian"]:
        """The token of each Gaussian."""
        return self.origins.of(self.baked.still.means)


@dataclass(frozen=True)
class SeenMotion:
    """What moves of Gaussians that are looked at."""

    moving: Bool[Tensor, " gaussian"]
    """whether they ever do"""
    displacement: Callable[[], Float[Tensor, "gaussian 3"]]
    """of their centres, from the time shown to the one that flow leads to"""

    def of(self, kept: Bool[Tensor, " gaussian"]) -> "SeenMotion":
        """Of some of the Gaussians."""
        return SeenMotion(self.moving[kept], partial(_chosen, self.displacement, kept))


@dataclass(frozen=True)
class Sight:
    """Gaussians as they are looked at: in nerfstudio's world, over one background colour."""

    gaussians: Gaussians
    rendering: RenderConfig
    background: Float[Tensor, "3"]
    tokens: Callable[[], Int[Tensor, " gaussian"]] | None = None
    """the token that each Gaussian stems from, where that is known"""
    motion: SeenMotion | None = None
    """None for a scene that stands still"""
    confidence: Float[Tensor, " gaussian"] | None = None
    """how far each Gaussian can be believed, where that is known"""

    def without(self, hidden: Bool[Tensor, " gaussian"]) -> "Sight":
        """The same with some of the Gaussians left out."""
        tokens = None if self.tokens is None else partial(_chosen, self.tokens, ~hidden)
        motion = None if self.motion is None else self.motion.of(~hidden)
        confidence = None if self.confidence is None else self.confidence[~hidden]
        seen = {"tokens": tokens, "motion": motion, "confidence": confidence}
        return replace(self, gaussians=self.gaussians.select(~hidden), **seen)

    def outputs(self, camera: Cameras) -> Outputs:
        """What one camera of any kind sees.

        RGB over the background, depth (z for a perspective camera, else the length along the pixel's ray),
        accumulation; on demand the mean opacity of the Gaussians seen, each token in a colour of its own, and the
        confidence of each pixel, which is none where nothing is. Of a scene that moves also its flow as colours, what
        stands still alone, and what moves alone. ValueError for a camera that can show nothing.
        """
        camera = bridge.looked_through(camera)
        renders = self._drawn(self.gaussians, camera, self.background)
        assert renders.depth is not None
        alpha, depth = _picture(renders.alpha), _picture(renders.depth)
        ready = {
            "rgb": _picture(renders.rgb).clamp(0, 1),
            "depth": torch.where(alpha > 0, depth, depth.max()),
            "accumulation": alpha,
            "background": self.background.expand(*alpha.shape[:2], 3),
        }
        later: dict[str, Callable[[], Tensor]] = {"opacity": partial(self._opacity, camera, alpha)}
        if self.tokens is not None:
            later["token"] = partial(self._token_colors, camera)
        if self.motion is not None:
            later["flow"] = partial(self._flow, camera, alpha, depth)
            later["static"] = partial(self._some, camera, ~self.motion.moving)
            later["dynamic"] = partial(self._some, camera, self.motion.moving)
        if self.confidence is not None:
            later["confidence"] = partial(self._confidence, camera, self.confidence)
        return Outputs(ready, later)

    def _opacity(self, camera: Cameras, alpha: Tensor) -> Tensor:
        shown = self._values(camera, self.gaussians.opacities[:, None].expand(-1, 3))[..., :1]
        return torch.where(alpha > 0, shown / alpha.clamp(min=1e-6), 0.0).clamp(0, 1)

    def _confidence(self, camera: Cameras, confidence: Tensor) -> Tensor:
        return self._values(camera, confidence[:, None].expand(-1, 3))[..., :1].clamp(0, 1)

    def _token_colors(self, camera: Cameras) -> Tensor:
        assert self.tokens is not None
        return self._values(camera, token_colors(self.tokens()), self.background).clamp(0, 1)

    def _some(self, camera: Cameras, chosen: Bool[Tensor, " gaussian"]) -> Tensor:
        return _picture(self._drawn(self.gaussians.select(chosen), camera, self.background).rgb).clamp(0, 1)

    def _flow(self, camera: Cameras, alpha: Tensor, depth: Tensor) -> Tensor:
        """As colours over white. For cameras other than perspective ones it is as one of their focal length sees it
        that looks straight at every pixel."""
        assert self.motion is not None
        if self.gaussians.count == 0:
            pixels = alpha.new_zeros(2, *alpha.shape[:2])
        elif bridge.is_pinhole(camera):
            displacement = self.motion.displacement()
            pixels = render_flow(self.gaussians, displacement, bridge.cameras_of(camera), self.rendering).pixels[0]
        else:
            mean = self._values(camera, self.motion.displacement()) / alpha.clamp(min=1e-6)
            axes = camera.camera_to_worlds.reshape(3, 4)[:, :2] * mean.new_tensor([1.0, -1.0])
            pixels = ((mean @ axes) * float(camera.fx.reshape(-1)[0]) / depth.clamp(min=1e-6)).movedim(-1, 0)
        solid = alpha.movedim(-1, 0)
        return (solid * flow_colors(pixels) + (1 - solid)).movedim(0, -1)

    def _values(self, camera: Cameras, values: Float[Tensor, "gaussian 3"], behind: Tensor | None = None) -> Tensor:
        """Numbers of the Gaussians drawn as their colours are, over `behind` or nothing."""
        valued = replace(self.gaussians, colors=values.to(self.gaussians.colors), harmonics=None)
        background = torch.zeros_like(self.background) if behind is None else behind
        return _picture(self._drawn(valued, camera, background).rgb)

    def _drawn(self, gaussians: Gaussians, camera: Cameras, background: Tensor) -> Renders:
        config = replace(self.rendering, background=background)
        if bridge.is_pinhole(camera):
            cameras = bridge.cameras_of(camera)
            if gaussians.count == 0:
                return _nothing(cameras.height, cameras.width, background)
            return render_cameras(gaussians, cameras, config)
        rays = bridge.rays_of(camera)
        return _nothing(*rays.size, background) if gaussians.count == 0 else render_along(gaussians, rays, config)


def _chosen(tokens: Callable[[], Tensor], kept: Tensor) -> Tensor:
    return tokens()[kept]


def token_colors(tokens: Int[Tensor, " gaussian"]) -> Float[Tensor, "gaussian 3"]:
    """A bright colour for each token's number."""
    return hue_colors(tokens.double() * _HUE_STEP, 0.75).float()


def _picture(channels: Float[Tensor, "1 channel height width"]) -> Float[Tensor, "height width channel"]:
    return channels[0].movedim(0, -1)


def _nothing(height: int, width: int, background: Tensor) -> Renders:
    zero = background.new_zeros(1, 1, height, width)
    return Renders(background[None, :, None, None].expand(1, 3, height, width), zero, zero)
