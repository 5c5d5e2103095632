"""Losses of the training and of the tuning: colour, SSIM, visibility, mask, opacity, and their weighted sum.

Every loss keeps the leading `*batch` axes and averages over the rest, so a caller can weigh, report or skip scenes one
by one. Source of the formulas: TokenGS (arXiv 2604.15239) and, for SSIM, the definition of fused-ssim.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.losses.ssim import ssim
from tokengs_nerfstudio.core.losses.visibility import anchor_visibility, visibility
from tokengs_nerfstudio.core.ranges import Positive, Weight
from tokengs_nerfstudio.core.types import Gaussians, Renders, Views

OPACITY_FLOOR = 1e-6

Perceptual = Callable[[Tensor, Tensor], Tensor]
"""(prediction, target), both `[image, 3, H, W]` in [0, 1] -> one distance per image."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of the sum
    L = rgb*(L1|L2) + ssim*(1-SSIM)/2 + lpips*LPIPS + visibility*VIS + anchors*VIS(anchors) + mask*MSE + opacity*E.
    """

    rgb: Weight = 1.0
    """weight of the colour difference"""
    rgb_norm: Literal["l1", "l2"] = "l2"
    """absolute or squared colour difference"""
    ssim: Weight = 0.2
    """weight of (1 - SSIM) / 2"""
    lpips: Weight = 0.0
    """weight of the perceptual distance; needs `perceptual` in `reconstruction_loss`"""
    visibility: Weight = 1.0
    """weight of the pull that keeps Gaussian centres inside at least one supervised view"""
    visibility_limit: Positive = 1.0
    """value at which one Gaussian's share of the visibility loss is cut, and one anchor's"""
    anchors: Weight = 0.1
    """weight of the pull that keeps anchors inside at least one supervised view, for networks that have them"""
    mask: Weight = 0.0
    """weight of the squared difference between accumulated opacity and the mask"""
    opacity: Weight = 0.0
    """weight of mean(-ln opacity), which keeps Gaussians from dying"""


@dataclass(frozen=True)
class SceneLosses:
    """The weighted sum and its unweighted parts, one value per scene."""

    per_scene: Float[Tensor, "*batch"]
    parts: Mapping[str, Float[Tensor, "*batch"]]

    @property
    def total(self) -> Float[Tensor, ""]:
        """What to call `backward()` on: the mean over the scenes."""
        return self.per_scene.mean()

    def means(self) -> dict[str, float]:
        """Total and parts averaged over the scenes, as plain numbers for a log."""
        means = {"loss": self.total.detach(), **{name: part.detach().mean() for name, part in self.parts.items()}}
        # All at once: a GPU is waited for whenever a number of it is asked for.
        return dict(zip(means, torch.stack(list(means.values())).tolist()))


def l1(pred: Float[Tensor, "*batch view c h w"], target: Float[Tensor, "*batch view c h w"]) -> Float[Tensor, "*batch"]:
    """Mean absolute difference per scene."""
    return (pred - target).abs().flatten(-4).mean(-1)


def l2(pred: Float[Tensor, "*batch view c h w"], target: Float[Tensor, "*batch view c h w"]) -> Float[Tensor, "*batch"]:
    """Mean squared difference per scene."""
    return (pred - target).square().flatten(-4).mean(-1)


def depth_error(
    depth: Float[Tensor, "*batch view 1 h w"], target: Float[Tensor, "*batch view 1 h w"], softness: float = 0.05
) -> Float[Tensor, "*batch"]:
    """Mean |ln(depth + softness) - ln(target + softness)| per scene, over the pixels whose target is above 0."""
    known = target > 0
    ratio = ((depth.clamp(min=0) + softness) / (target + softness)).log().abs()
    return torch.where(known, ratio, torch.zeros_like(ratio)).flatten(-4).sum(-1) / known.flatten(-4).sum(-1).clamp(
        min=1
    )


def mask_error(
    alpha: Float[Tensor, "*batch view 1 h w"], mask: Float[Tensor, "*batch view 1 h w"]
) -> Float[Tensor, "*batch"]:
    """Mean squared difference between accumulated opacity and the mask, per scene."""
    return l2(alpha, mask)


def opacity_entropy(opacities: Float[Tensor, "*batch gaussian"]) -> Float[Tensor, "*batch"]:
    """mean(-ln(opacity + 1e-6)) per scene."""
    return -(opacities + OPACITY_FLOOR).log().mean(-1)


def reconstruction_loss(
    renders: Renders,
    views: Views,
    splats: Gaussians,
    config: LossConfig,
    masks: Float[Tensor, "*batch view 1 height width"] | None = None,
    perceptual: Perceptual | None = None,
    anchors: Float[Tensor, "*batch token 3"] | None = None,
) -> SceneLosses:
    """The weighted sum of all losses whose weight is not 0, per scene.

    Args:
        renders: the supervised views, rendered; `rgb` over the same background as `views.images`.
        views: what they should look like, with cameras in the frame of `splats`.
        splats: the Gaussians that were rendered.
        masks: 1 where the object is; without it the mask term is left out.
        perceptual: LPIPS or a stand-in, needed where `config.lpips` is not 0.
        anchors: those of the tokens, in the frame of `splats`; without them their term is left out.

    Raises:
        ValueError: sizes of renders and views differ, or the perceptual distance is asked for and missing.
    """
    if renders.rgb.shape != views.images.shape:
        raise UserError(f"renders {tuple(renders.rgb.shape)} and views {tuple(views.images.shape)} differ in shape")
    parts = {"rgb": (l1 if config.rgb_norm == "l1" else l2)(renders.rgb, views.images)}
    weights = {"rgb": config.rgb}
    if config.ssim != 0:
        parts["ssim"], weights["ssim"] = (1 - ssim(renders.rgb, views.images)) / 2, config.ssim
    if config.lpips != 0:
        parts["lpips"], weights["lpips"] = _perceptual_distance(renders, views, perceptual), config.lpips
    cameras = (views.c2w, views.intrinsics, views.width, views.height)
    if config.visibility != 0:
        parts["visibility"] = visibility(splats.means, *cameras, limit=config.visibility_limit)
        weights["visibility"] = config.visibility
    if config.anchors != 0 and anchors is not None:
        parts["anchors"] = anchor_visibility(anchors, *cameras, limit=config.visibility_limit)
        weights["anchors"] = config.anchors
    if config.mask != 0 and masks is not None:
        parts["mask"], weights["mask"] = mask_error(renders.alpha, masks), config.mask
    if config.opacity != 0:
        parts["opacity"], weights["opacity"] = opacity_entropy(splats.opacities), config.opacity
    total = sum((weights[name] * value for name, value in parts.items()), torch.zeros_like(parts["rgb"]))
    return SceneLosses(per_scene=total, parts=parts)


def _perceptual_distance(renders: Renders, views: Views, perceptual: Perceptual | None) -> Float[Tensor, "*batch"]:
    if perceptual is None:
        raise UserError("LossConfig.lpips is not 0, but no perceptual distance was given to reconstruction_loss()")
    per_image = perceptual(renders.rgb.flatten(0, -4), views.images.flatten(0, -4))
    return per_image.reshape(renders.rgb.shape[:-3]).mean(-1)
