"""Which Gaussians matter, keeping only those, and whether a scene fits into memory before it is started."""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.resize import fitted_size, resized_cameras, resized_images
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.rendering import contributions
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig, Views

SplatsAt = Callable[[float], Gaussians]
"""The same Gaussians as they are at a time."""

# A Gaussian whose weights add up to less than this share of one pixel, over all views, is not seen.
_SEEN = 1 / 255
# Bytes a step holds per Gaussian (values, gradients, two Adam moments; per rendered view its projection and about
# four tiles' gradient rows) and per rendered pixel (colours, their gradients, SSIM's moments). Measured, rounded up.
_PER_GAUSSIAN, _PER_PROJECTION, _PER_PIXEL = 14 * 4 * 4, 400, 240

# Numbers that a block of the network holds per token or patch and channel; that decoding holds per Gaussian.
_PER_ROW, _PER_DECODED = 12, 3 * 14


def seen_weights(
    gaussians: Gaussians,
    views: Views,
    rendering: RenderConfig,
    largest_side: int = 160,
    splats_at: SplatsAt | None = None,
) -> Float[Tensor, " gaussian"]:
    """What each Gaussian adds to the views: its blending weights summed over their valid pixels that show something.

    Views are rendered one by one, at most `largest_side` pixels large; pixels count in units of the views as given.
    Where Gaussians move, `splats_at` gives the same ones as they are at the time of each view.
    """
    height, width = fitted_size(views.height, views.width, largest_side)
    cameras = resized_cameras(views.cameras, height, width)
    total = torch.zeros_like(gaussians.opacities)
    for view in range(views.num_views):
        shown = views.select([view]).shown if views.masked or views.cut_out else None
        mask = None if shown is None else resized_images(shown, height, width)
        now = gaussians
        if splats_at is not None and views.times is not None:
            now = splats_at(float(views.times[view]))
        total += contributions(now, cameras[view : view + 1], rendering, mask)
    return total * (views.height * views.width / (height * width))


def contributing(gaussians: Gaussians, views: Views, rendering: RenderConfig, splats_at: SplatsAt | None = None) -> int:
    """How many of the Gaussians the views show at all; `splats_at` as in `seen_weights`."""
    return int((seen_weights(gaussians, views, rendering, splats_at=splats_at) > _SEEN).sum())


def most_seen(
    gaussians: Gaussians, views: Views, count: int, rendering: RenderConfig, splats_at: SplatsAt | None = None
) -> Int[Tensor, " kept"]:
    """Indices, ascending, of the `count` Gaussians that add most to the views; `splats_at` as in `seen_weights`."""
    weights = seen_weights(gaussians, views, rendering, splats_at=splats_at)
    return weights.topk(min(count, gaussians.count)).indices.sort().values


def step_memory(gaussians: int, views: int, height: int, width: int) -> int:
    """About how many bytes one tuning step holds beside the photos themselves."""
    per_view = height * width * _PER_PIXEL + gaussians * _PER_PROJECTION
    return gaussians * _PER_GAUSSIAN + views * per_view


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had on `device`, what files are cached in counted; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None


def check_decoding(network: NetworkConfig, context: Views) -> None:
    """UserError where what one pass through the network holds at least is more than the memory that is free."""
    free = free_memory(context.images.device)
    tokens = network.tokens + network.dynamic_tokens
    patches = context.num_views * context.height * context.width / network.patch_size**2
    rows = tokens + network.latents + patches
    need = 4 * (_PER_ROW * network.width * rows + _PER_DECODED * network.gaussians_per_token * tokens)
    if free is not None and need > free:
        raise UserError(
            f"{tokens} tokens and {context.num_views} photos of {context.width}x{context.height} need about "
            f"{need / 2**30:.1f} GiB in the network and {free / 2**30:.1f} are free: give fewer tokens or photos"
        )


def views_that_fit(gaussians: int, views: int, height: int, width: int, free: int | None) -> int:
    """How many of a step's views may be rendered together. ValueError where not even one of them fits."""
    if free is None:
        return views
    for count in range(views, 0, -1):
        if step_memory(gaussians, count, height, width) < 0.8 * free:
            return count
    need = step_memory(gaussians, 1, height, width) / 2**30
    raise UserError(
        f"tuning {gaussians} Gaussians on {width}x{height} photos needs about {need:.1f} GiB and {free / 2**30:.1f} "
        "are free: lower tuning.max_gaussians or give smaller photos (at half the side they need a quarter)"
    )
