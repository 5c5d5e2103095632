"""Metrics of the evaluation: PSNR, SSIM as scikit-image defines it, and LPIPS where its weights are at hand.

The SSIM here is not the training loss of `core.losses`: published tables use scikit-image's definition.
"""

import logging
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from tokengs_nerfstudio.core.errors import UserError, content_of

WINDOW = 11
SIGMA = 1.5
# scikit-image corrects the variance for a sample of WINDOW**2 pixels although it then weighs them.
SAMPLE_CORRECTION = WINDOW**2 / (WINDOW**2 - 1)

_log = logging.getLogger(__name__)


def psnr(
    pred: Float[Tensor, "*image 3 height width"],
    target: Float[Tensor, "*image 3 height width"],
    mask: Float[Tensor, "*image 1 height width"] | None = None,
) -> Float[Tensor, "*image"]:
    """PSNR in dB of each image, the prediction clipped to [0, 1]; with a mask, over the pixels it weighs."""
    error = (pred.clamp(0, 1) - target.clamp(0, 1)).square()
    if mask is None:
        mean = error.flatten(-3).mean(-1)
    else:
        weight = mask.expand_as(error)
        mean = (error * weight).flatten(-3).sum(-1) / weight.flatten(-3).sum(-1)
    return -10 * mean.log10()


def ssim(
    pred: Float[Tensor, "*image 3 height width"],
    target: Float[Tensor, "*image 3 height width"],
    mask: Float[Tensor, "*image 1 height width"] | None = None,
) -> Float[Tensor, "*image"]:
    """SSIM of each image as scikit-image computes it with a Gaussian window (sigma 1.5) and data range 1.

    A mask multiplies both images first. Raises ValueError where an image is smaller than the window.
    """
    if min(pred.shape[-2:]) < WINDOW:
        raise UserError(f"SSIM needs images of at least {WINDOW}x{WINDOW} pixels, got {tuple(pred.shape[-2:])}")
    if mask is not None:
        pred, target = pred * mask, target * mask
    mean_p, mean_t = _window_mean(pred), _window_mean(target)
    variance_p = SAMPLE_CORRECTION * (_window_mean(pred * pred) - mean_p * mean_p)
    variance_t = SAMPLE_CORRECTION * (_window_mean(target * target) - mean_t * mean_t)
    covariance = SAMPLE_CORRECTION * (_window_mean(pred * target) - mean_p * mean_t)
    luminance = (2 * mean_p * mean_t + 1e-4) / (mean_p * mean_p + mean_t * mean_t + 1e-4)
    structure = (2 * covariance + 9e-4) / (variance_p + variance_t + 9e-4)
    return (luminance * structure).flatten(-3).mean(-1)


def lpips(
    pred: Float[Tensor, "*image 3 height width"],
    target: Float[Tensor, "*image 3 height width"],
    network: str = "alex",
) -> Float[Tensor, "*image"] | None:
    """LPIPS of each image in float32, or None, said once, where its weights are not at hand."""
    distance = perceptual_distance(network)
    if distance is None:
        return None
    return distance(pred.flatten(0, -4), target.flatten(0, -4)).reshape(pred.shape[:-3])


@lru_cache(maxsize=4)
def perceptual_distance(network: str = "alex") -> Callable[[Tensor, Tensor], Tensor] | None:
    """LPIPS as a function of two image stacks `[image, 3, H, W]` -> `[image]`; None where its weights are missing.

    Only weights that are already in torch's cache are used: a machine without network must not wait for a download.
    UserError for an unknown network, and for weights that cannot be read.
    """
    backbone = {"alex": "alexnet-owt-*.pth", "vgg": "vgg16-*.pth"}.get(network)
    if backbone is None:
        raise UserError(f"LPIPS network '{network}' is not known; use 'alex' or 'vgg'")
    folder = _torch_hub_folder() / "checkpoints"
    file = next(folder.glob(backbone), None)
    if file is None:
        _log.info("LPIPS is left out: its %s weights (%s) are not in %s", network, backbone, folder)
        return None
    try:
        from torchmetrics.image import LearnedPerceptualImagePatchSimilarity
    except ImportError:
        _log.info("LPIPS is left out: torchmetrics is not installed")
        return None
    with content_of(file, "the backbone of LPIPS", "remove it, or fetch it again"):
        model = LearnedPerceptualImagePatchSimilarity(net_type=network).net  # type: ignore[arg-type]
        model.requires_grad_(False)

    def distance(pred: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(pred.device.type, enabled=False):
            scorer = model.to(pred.device).float()
            return scorer(pred.float() * 2 - 1, target.float() * 2 - 1).flatten()

    return distance


def _torch_hub_folder() -> Path:
    cache = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    return Path(cache).expanduser() / "hub"


def _window_mean(images: Tensor) -> Tensor:
    """Gaussian-weighted mean over each 11x11 window that lies fully inside: [..., H - 10, W - 10]."""
    position = torch.arange(WINDOW, dtype=images.dtype, device=images.device) - WINDOW // 2
    taps = torch.exp(-position.square() / (2 * SIGMA**2))
    taps = taps / taps.sum()
    flat = images.reshape(-1, 1, *images.shape[-2:])
    blurred = conv2d(conv2d(flat, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return blurred.reshape(*images.shape[:-2], *blurred.shape[-2:])
