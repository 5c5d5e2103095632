"""Losses of the training and of the tuning: colour, SSIM, visibility, mask, opacity, and their weighted sum.

Every loss keeps the leading `*batch` axes and averages over the rest, so a caller can weigh, report or skip scenes one
by one. Source of the formulas: TokenGS (arXiv 2604.15239) and, for SSIM, the definition of fused-ssim.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.types import Gaussians, Renders, Views

SSIM_TAPS = 11
SSIM_SIGMA = 1.5
SSIM_C1 = 0.01**2
SSIM_C2 = 0.03**2
OPACITY_FLOOR = 1e-6

Perceptual = Callable[[Tensor, Tensor], Tensor]
"""(prediction, target), both `[image, 3, H, W]` in [0, 1] -> one distance per image."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of the sum L = rgb*(L1|L2) + ssim*(1-SSIM)/2 + lpips*LPIPS + visibility*VIS + mask*MSE + opacity*E."""

    rgb: float = 1.0
    """weight of the colour difference"""
    rgb_norm: Literal["l1", "l2"] = "l2"
    """absolute or squared colour difference"""
    ssim: float = 0.2
    """weight of (1 - SSIM) / 2"""
    lpips: float = 0.0
    """weight of the perceptual distance; needs `perceptual` in `reconstruction_loss`"""
    visibility: float = 1.0
    """weight of the pull that keeps Gaussian centres inside at least one supervised view"""
    visibility_limit: float = 1.0
    """value at which one Gaussian's share of the visibility loss is cut"""
    mask: float = 0.0
    """weight of the squared difference between accumulated opacity and the mask"""
    opacity: float = 0.0
    """weight of mean(-ln opacity), which keeps Gaussians from dying"""

    def __post_init__(self) -> None:
        if self.rgb_norm not in ("l1", "l2"):
            raise ValueError(f"LossConfig.rgb_norm is '{self.rgb_norm}'; use 'l1' or 'l2'")
        if not 0.0 < self.visibility_limit < float("inf"):
            raise ValueError(f"LossConfig.visibility_limit is {self.visibility_limit}; use a finite number above 0")


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
        return {"loss": float(self.total.detach()), **{k: float(v.detach().mean()) for k, v in self.parts.items()}}


def l1(pred: Float[Tensor, "*batch view c h w"], target: Float[Tensor, "*batch view c h w"]) -> Float[Tensor, "*batch"]:
    """Mean absolute difference per scene."""
    return (pred - target).abs().flatten(-4).mean(-1)


def l2(pred: Float[Tensor, "*batch view c h w"], target: Float[Tensor, "*batch view c h w"]) -> Float[Tensor, "*batch"]:
    """Mean squared difference per scene."""
    return (pred - target).square().flatten(-4).mean(-1)


def ssim(
    pred: Float[Tensor, "*batch view 3 h w"], target: Float[Tensor, "*batch view 3 h w"], fused: bool = True
) -> Float[Tensor, "*batch"]:
    """Mean SSIM per scene as fused-ssim defines it: 11 taps, sigma 1.5, zero padding, map clamped to [-1, 1].

    On CUDA with fused-ssim installed its kernel computes a single scene, on the CPU a compiled one of ours any number
    (float32, constant target); `fused=False` keeps to plain torch.
    """
    kernel = _fused_kernel() if fused and pred.is_cuda and pred.shape[:-4].numel() == 1 else None
    if kernel is not None:
        images, reference = pred.flatten(0, -4), target.flatten(0, -4)
        return kernel(images.float().contiguous(), reference.float().contiguous()).expand(pred.shape[:-4])
    if fused and pred.device.type == "cpu" and pred.dtype == target.dtype == torch.float32 and not target.requires_grad:
        from tokengs_nerfstudio.core.rendering.ssim_cpu import plane_ssim  # numba takes half a second to import

        per_plane = plane_ssim(pred.flatten(0, -3), target.flatten(0, -3))
        return per_plane.reshape(*pred.shape[:-4], -1).mean(-1)
    return ssim_map(pred, target).flatten(-4).mean(-1)


def ssim_map(pred: Float[Tensor, "*image h w"], target: Float[Tensor, "*image h w"]) -> Float[Tensor, "*image h w"]:
    """SSIM around every pixel, in [-1, 1]; images are zero beyond their border, variances never below 0."""
    with torch.set_grad_enabled(target.requires_grad and torch.is_grad_enabled()):
        mean_t, square_t = _blur(torch.stack([target, target * target]))
    mean_p, square_p, product = _blur(torch.stack([pred, pred * pred, pred * target]))
    variance_t = (square_t - mean_t * mean_t).clamp(min=0)
    variance_p = (square_p - mean_p * mean_p).clamp(min=0)
    covariance = product - mean_p * mean_t
    luminance = (2 * mean_p * mean_t + SSIM_C1) / (mean_p * mean_p + mean_t * mean_t + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (variance_p + variance_t + SSIM_C2)
    return (luminance * structure).clamp(-1, 1)


def visibility(
    means: Float[Tensor, "*batch gaussian 3"],
    c2w: Float[Tensor, "*batch view 4 4"],
    intrinsics: Float[Tensor, "*batch view 3 3"],
    width: int,
    height: int,
    limit: float = 1.0,
    near: float = 0.01,
) -> Float[Tensor, "*batch"]:
    """How far the centres lie outside every view, per scene: 0 inside an image, 1 half an image beyond its border.

    Per centre and view relu(|2u/W - 1| - 1) + relu(|2v/H - 1| - 1), the smallest over the views, cut at `limit`,
    averaged over the centres. A centre that no view has in front of its near plane counts as `limit`. Where the value
    is cut the gradient goes on: it points to the frustum that is nearest as an angle, finite behind cameras and at
    z = 0.
    """
    x, y, z = _frustum_coordinates(means, c2w, intrinsics, width, height).unbind(-1)
    in_front = z > near
    depth = torch.where(in_front, z, torch.ones_like(z))
    excess = ((x / depth).abs() - 1).relu() + ((y / depth).abs() - 1).relu()
    excess = torch.where(in_front, excess, torch.full_like(excess, float("inf"))).amin(-2)
    pull = _angular_excess(x, y, z).amin(-2)
    cut = limit + limit * (pull - pull.detach())
    return torch.where(excess < limit, excess, cut).mean(-1)


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
) -> SceneLosses:
    """The weighted sum of all losses whose weight is not 0, per scene.

    Args:
        renders: the supervised views, rendered; `rgb` over the same background as `views.images`.
        views: what they should look like, with cameras in the frame of `splats`.
        splats: the Gaussians that were rendered.
        masks: 1 where the object is; without it the mask term is left out.
        perceptual: LPIPS or a stand-in, needed where `config.lpips` is not 0.

    Raises:
        ValueError: sizes of renders and views differ, or the perceptual distance is asked for and missing.
    """
    if renders.rgb.shape != views.images.shape:
        raise ValueError(f"renders {tuple(renders.rgb.shape)} and views {tuple(views.images.shape)} differ in shape")
    parts = {"rgb": (l1 if config.rgb_norm == "l1" else l2)(renders.rgb, views.images)}
    weights = {"rgb": config.rgb}
    if config.ssim != 0:
        parts["ssim"], weights["ssim"] = (1 - ssim(renders.rgb, views.images)) / 2, config.ssim
    if config.lpips != 0:
        parts["lpips"], weights["lpips"] = _perceptual_distance(renders, views, perceptual), config.lpips
    if config.visibility != 0:
        size = (views.width, views.height)
        cameras = (views.c2w, views.intrinsics)
        parts["visibility"] = visibility(splats.means, *cameras, *size, limit=config.visibility_limit)
        weights["visibility"] = config.visibility
    if config.mask != 0 and masks is not None:
        parts["mask"], weights["mask"] = mask_error(renders.alpha, masks), config.mask
    if config.opacity != 0:
        parts["opacity"], weights["opacity"] = opacity_entropy(splats.opacities), config.opacity
    total = sum((weights[name] * value for name, value in parts.items()), torch.zeros_like(parts["rgb"]))
    return SceneLosses(per_scene=total, parts=parts)


def _perceptual_distance(renders: Renders, views: Views, perceptual: Perceptual | None) -> Float[Tensor, "*batch"]:
    if perceptual is None:
        raise ValueError("LossConfig.lpips is not 0, but no perceptual distance was given to reconstruction_loss()")
    per_image = perceptual(renders.rgb.flatten(0, -4), views.images.flatten(0, -4))
    return per_image.reshape(renders.rgb.shape[:-3]).mean(-1)


def _frustum_coordinates(means: Tensor, c2w: Tensor, intrinsics: Tensor, width: int, height: int) -> Tensor:
    """Centres per view, in camera axes scaled so that the image's borders are |x| = z and |y| = z: [*b v n 3]."""
    rotation, position = c2w[..., :3, :3], c2w[..., :3, 3]
    local = (means[..., None, :, :] - position[..., None, :]) @ rotation
    to_borders = intrinsics.new_tensor([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1]])
    return local @ (to_borders @ intrinsics).mT


def _angular_excess(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Distance to the frustum's side planes over distance to the camera: bounded, and with a slope everywhere outside.

    The distance in the denominator is held constant and away from 0, so that the slope neither turns outward nor
    explodes at the camera's centre, where it points along the viewing axis.
    """
    side = _relu_with_edge(x.abs() - z) + _relu_with_edge(y.abs() - z)
    return side / (x * x + y * y + z * z).sqrt().detach().clamp(min=0.1)


def _relu_with_edge(value: Tensor) -> Tensor:
    """relu whose slope at 0 is 1: a centre exactly in the camera must still be pushed out."""
    return torch.where(value >= 0, value, torch.zeros_like(value))


def _blur(images: Float[Tensor, "*image h w"]) -> Float[Tensor, "*image h w"]:
    """Gaussian blur with zeros beyond the border; as two banded matrix products, the fastest form on a CPU."""
    height, width = images.shape[-2:]
    rows = _band_matrix(height, images.dtype, images.device)
    columns = _band_matrix(width, images.dtype, images.device)
    return rows @ (images @ columns)


@lru_cache(maxsize=32)
def _band_matrix(size: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "size size"]:
    half = SSIM_TAPS // 2
    taps = torch.exp(-torch.arange(-half, half + 1, dtype=torch.float64).square() / (2 * SSIM_SIGMA**2))
    taps = taps / taps.sum()
    position = torch.arange(size)
    offset = position[:, None] - position[None, :]
    band = torch.where(offset.abs() <= half, taps[(offset + half).clamp(0, SSIM_TAPS - 1)], taps.new_zeros(()))
    return band.to(device=device, dtype=dtype)


@lru_cache(maxsize=1)
def _fused_kernel() -> Any:
    try:
        from fused_ssim import fused_ssim  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return fused_ssim
