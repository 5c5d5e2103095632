"""How far a scene can be believed: how many photos saw each Gaussian, and how they agree with what it shows."""

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.resize import fitted_size, resized
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig, Views

# Photos are looked at no larger than this (pixels), and no more of them.
_LARGEST_SIDE, _MOST_VIEWS = 160, 96
# A photo sees a Gaussian if this share of what the best photo sees of it adds to its picture, and more than nothing.
_SEEN, _NOTHING = 0.1, 1 / 255
# So many photos are half of what one could wish for; such a colour difference (of 1) divides the confidence by e.
_HALF, _DIFFERENCE = 2.0, 0.1


@torch.no_grad()
def confidences(gaussians: Gaussians, views: Views, rendering: RenderConfig) -> Float[Tensor, " gaussian"]:
    """From 0 (no photo saw it) to 1 (many did and agree) for each Gaussian of one scene.

    n / (n + 2) for n photos that see it, times exp(-10 e) for the mean absolute colour difference e between these
    photos and their renderings at the pixels that it adds to. One photo, which does not tell how far away something is,
    gives 1 / 3 at most.
    """
    weights, errors = (torch.stack(values) for values in zip(*_looks(gaussians, views, rendering)))
    seen = (weights > _NOTHING) & (weights > _SEEN * weights.amax(0))
    count = seen.sum(0)
    error = (seen * errors / weights.clamp(min=1e-12)).sum(0) / count.clamp(min=1)
    return count / (count + _HALF) * torch.exp(-error / _DIFFERENCE)


def _looks(gaussians: Gaussians, views: Views, rendering: RenderConfig) -> list[tuple[Tensor, Tensor]]:
    """For each of at most 96 views, what every Gaussian adds to it in pixels, and the same times their errors."""
    size = fitted_size(views.height, views.width, _LARGEST_SIDE)
    chosen = range(0, views.num_views, -(-views.num_views // _MOST_VIEWS))
    return [_look(gaussians, resized(views.select([view]), *size, "area"), rendering) for view in chosen]


def _look(gaussians: Gaussians, view: Views, rendering: RenderConfig) -> tuple[Tensor, Tensor]:
    """A picture is linear in the colours: gradients of sums over its pixels are sums of blending weights."""
    with torch.enable_grad():
        leaves = gaussians.detach().leaves()
        rgb = render_cameras(leaves, view.cameras, rendering, depth=False).rgb
        error = (rgb.detach() - view.images).abs().mean(1)
        shown = torch.ones_like(error) if view.shown is None else view.shown[:, 0]
        total = (shown * rgb[:, 0]).sum() + (shown * error * rgb[:, 1]).sum()
        (sums,) = torch.autograd.grad(total, leaves.colors)
    return sums[:, 0], sums[:, 1]
