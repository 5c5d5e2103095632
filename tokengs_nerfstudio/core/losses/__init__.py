"""Losses of the training and of the tuning."""

from tokengs_nerfstudio.core.losses.reconstruction import (
    LossConfig,
    Perceptual,
    SceneLosses,
    depth_error,
    l1,
    l2,
    mask_error,
    opacity_entropy,
    reconstruction_loss,
)
from tokengs_nerfstudio.core.losses.ssim import ssim, ssim_map
from tokengs_nerfstudio.core.losses.visibility import anchor_visibility, visibility

__all__ = [
    "LossConfig",
    "Perceptual",
    "SceneLosses",
    "anchor_visibility",
    "depth_error",
    "l1",
    "l2",
    "mask_error",
    "opacity_entropy",
    "reconstruction_loss",
    "ssim",
    "ssim_map",
    "visibility",
]
