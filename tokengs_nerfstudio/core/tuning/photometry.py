"""What a tuning step compares, and its gradient: rendered against photographed, a few views at a time."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.losses import l1, ssim
from tokengs_nerfstudio.core.rendering import render_cameras, render_with_info
from tokengs_nerfstudio.core.rendering.piecewise import gathered, slices
from tokengs_nerfstudio.core.tuning.cameras import CameraVariables
from tokengs_nerfstudio.core.tuning.schedule import by_time
from tokengs_nerfstudio.core.tuning.stages import Drawing
from tokengs_nerfstudio.core.tuning.supervision import Batch
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig, Renders, Views

Parts = dict[str, float | Tensor]

# Depths count where a pixel is at least so opaque, wholly up to errors of about this share of them; the least there is.
_SOLID, _FAR_OFF, _NEAREST = 0.5, 0.1, 1e-6
# Weight of the absolute difference in opacity, for cut-out photos.
_OPACITY = 1.0


@dataclass(frozen=True)
class Photometry:
    """How pictures are rendered and what they cost.

    Masked pixels show the background in the rendering and in the photo alike: they have no gradient, and what the
    photo shows there changes nothing; SSIM windows across a mask's border compare what is valid in them.

    Where nothing is in a cut-out photo, nothing may be rendered: both are laid over another colour in each step, and
    opacities are compared as well.
    """

    ssim: float
    rendering: RenderConfig
    extent: float
    """the scene's size, which pulls on scales are relative to"""
    valid_share: float = 1.0
    """of the photos' pixels; losses are means over these, so that the pulls keep their weight"""
    depth: float = 0.0
    """weight of the error of depths, for photos that have some"""

    def rendered(
        self,
        splats: Gaussians,
        views: Views,
        pictures: list[dict[str, Any]] | None = None,
        backgrounds: Float[Tensor, "view 3"] | None = None,
        depth: bool = False,
    ) -> Renders:
        """The views as they are now, over the usual background or over a colour for each of them; with their depths
        where these are asked for.

        `pictures` gets the dictionary of `render_with_info`.
        """
        rendering = self.rendering if backgrounds is None else replace(self.rendering, background=backgrounds)
        if pictures is None:
            return render_cameras(splats, views.cameras, rendering, depth)
        renders, info = render_with_info(splats, views.cameras, rendering, depth)
        info["means2d"].retain_grad()
        pictures.append(info)
        return renders

    @torch.no_grad()
    def error(self, splats: Gaussians, views: Views) -> float:
        """Mean squared error of the views' valid pixels, colours cut to [0, 1]; of cut-out photos, of opacities too."""
        renders = self.rendered(splats, views)
        error = (renders.rgb.clamp(0, 1) - views.images).square()
        if views.alphas is not None:
            error = error + (renders.alpha - views.alphas).square()
        return float(error.mean() if views.masks is None else (error * views.masks).mean() / views.masks.mean())

    def backward(self, drawing: Drawing, batch: Batch, cameras: CameraVariables) -> Parts:
        """Leaves the gradients of one step's loss with the variables behind the drawing and with the cameras.

        The views of one time share their Gaussians, which are made once; at most `drawing.chunk` views are rendered
        together, and their gradients gathered at the Gaussians before they go on to the variables once.
        """
        parts: Parts = {}
        for time, group in by_time(batch):
            with gathered(drawing.splats_at(time)) as leaves:
                for part in slices(group.indices.numel(), drawing.chunk):
                    piece = group.select(part)
                    share = piece.indices.numel() / batch.indices.numel()
                    loss, named = self._loss(leaves, piece, cameras, drawing)
                    (share * loss).backward()
                    for name, value in named.items():
                        parts[name] = parts.get(name, 0.0) + share * value.detach()
        return parts

    def _loss(
        self, splats: Gaussians, batch: Batch, cameras: CameraVariables, drawing: Drawing
    ) -> tuple[Tensor, dict[str, Tensor]]:
        views = replace(batch.views, c2w=cameras.cameras(batch.indices))
        backgrounds = None if batch.backgrounds is None else batch.backgrounds.to(views.images)
        with_depth = self.depth > 0 and views.depths is not None
        renders = self.rendered(splats, views, drawing.pictures, backgrounds, with_depth)
        rgb, true = cameras.exposed(renders.rgb, batch.indices), views.images
        if backgrounds is not None:
            # What lies behind is not exposed: it is the same colour in the rendering and in the photo.
            behind = backgrounds[..., None, None]
            rgb = rgb + (1 - renders.alpha) * (behind - cameras.exposed(behind, batch.indices))
            true = views.over(self.rendering.background, backgrounds).images
        shown, truth = (self._unmasked(pictures, views) for pictures in (rgb, true))
        parts = {"l1": l1(shown, truth) / self.valid_share, "ssim": 1 - (1 - ssim(shown, truth)) / self.valid_share}
        loss = (1 - self.ssim) * parts["l1"] + self.ssim * (1 - parts["ssim"])
        if views.alphas is not None:
            opaque = (self._unmasked(alphas, views) for alphas in (renders.alpha, views.alphas))
            parts["opacity"] = l1(*opaque) / self.valid_share
            loss = loss + _OPACITY * parts["opacity"]
        if with_depth:
            parts["depth"] = depth_error(renders, views)
            loss = loss + self.depth * parts["depth"]
        if cameras.active:
            loss = loss + cameras.penalty()
        if drawing.opacity_pull or drawing.scale_pull:
            # What is larger than the scene is its far background: nothing else shows where it fades.
            near = (splats.scales.detach().amax(-1) < self.extent).float()
            loss = loss + drawing.opacity_pull * (near * splats.opacities).mean()
            loss = loss + drawing.scale_pull * (near[:, None] * splats.scales).mean() / self.extent
        return loss, {"loss": loss, **parts}

    def _unmasked(self, pictures: Tensor, views: Views) -> Tensor:
        if views.masks is None:
            return pictures
        background = torch.as_tensor(self.rendering.background).to(pictures).expand(pictures.shape[-3])[:, None, None]
        return torch.where(views.masks > 0, pictures, background)


def depth_error(renders: Renders, views: Views) -> Float[Tensor, ""]:
    """How far rendered z-depths are from the views' own, in natural logarithms: in the mean over the pixels that have
    one, may supervise and show something solid. What is off by far more than a tenth counts ever less (Cauchy's robust
    error): depth cameras see through glass, and smear over edges.
    """
    assert renders.depth is not None
    assert views.depths is not None
    known = (views.depths > 0) & (renders.alpha.detach() > _SOLID)
    if views.masks is not None:
        known = known & (views.masks > 0)
    apart = renders.depth.clamp(min=_NEAREST).log() - views.depths.clamp(min=_NEAREST).log()
    share = torch.where(known, apart, torch.zeros_like(apart)) / _FAR_OFF
    return _FAR_OFF / 2 * share.square().log1p().sum() / known.sum().clamp(min=1)
