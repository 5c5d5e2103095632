"""Structural similarity as a loss, in the definition of fused-ssim."""

from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

SSIM_TAPS = 11
SSIM_SIGMA = 1.5
SSIM_C1 = 0.01**2
SSIM_C2 = 0.03**2


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
        from tokengs_nerfstudio.core.losses.ssim_kernels import plane_ssim  # numba takes half a second to import

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
