"""What the context photos say of depth before anything is learned: a plane sweep (Collins 1996) over their pixels.

Each pixel's ray is followed through a ladder of depths; where other photos show its colour, there may be a surface.
What comes out is told to the encoder beside colours and rays: it need not learn how views belong together.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.compiled import run
from tokengs_nerfstudio.core.constants import constant
from tokengs_nerfstudio.core.geometry.agreement import better_half
from tokengs_nerfstudio.core.types import Views

CHANNELS = 6
SHRINK = 2
"""The sweep looks at photos this many times smaller."""
DEPTHS, _NEAREST, _FARTHEST = 32, 0.2, 14.0
"""Steps of the ladder and its ends, in canonical units: a baseline is about one, captures lie at 0.25 to 9 of it."""
_LADDER = torch.linspace(math.log(_NEAREST), math.log(_FARTHEST), DEPTHS).tolist()
TEMPERATURE = 0.004
"""Of the softmax over the ladder's costs."""
_UNSEEN = 0.2
"""Disagreement of a depth that no other view sees; half of it is added where few do."""
_LEAST_DEPTH = 1e-3


def ladder(like: Tensor) -> Float[Tensor, " depth"]:
    """Logarithms of the depths that are tried, on the device of `like`."""
    return constant(_LADDER, like)


@torch.no_grad()
def sweep_costs(context: Views) -> Float[Tensor, "batch view depth rows columns"]:
    """How much the photos (canonical frame, shrunk by two) disagree with each pixel at each depth of the ladder.

    Smoothed over 3 x 3 pixels; all zero for a single view.
    """
    images = F.avg_pool2d(context.images.flatten(0, 1), SHRINK)
    batch, count, size = context.images.shape[0], context.num_views, images.shape[-2:]
    if count < 2:
        return images.new_zeros(batch, count, DEPTHS, *size)
    origin, per_depth = _ways(context, *size)
    features = torch.cat([images, F.avg_pool2d(images, 3, 1, 1, count_include_pad=False)], dim=1)
    depths = ladder(images).exp()
    costs = _costs(features.unflatten(0, (batch, count)), *_seen_by_all(context, origin, per_depth), depths)
    smooth = F.avg_pool2d(costs.flatten(0, 1).unflatten(-1, size), 3, 1, 1, count_include_pad=False)
    return smooth.unflatten(0, (batch, count))


@torch.no_grad()
def swept(
    context: Views, costs: Float[Tensor, "batch view depth rows columns"]
) -> Float[Tensor, "batch view 6 rows columns"]:
    """For every pixel of the photos (canonical frame), shrunk by two: the point it probably shows, and how surely.

    Channels: the point, each coordinate as sign(x) ln(1 + |x|); mean and standard deviation of the logarithm of its
    depth; how much the photos disagree there at least, ten times. All zero for a single view.
    """
    batch, count, _, *size = costs.shape
    if count < 2:
        return costs.new_zeros(batch, count, CHANNELS, *size)
    origin, per_depth = _ways(context, *size)
    steps, smooth = ladder(costs)[:, None, None], costs.flatten(0, 1)
    share = (smooth / -TEMPERATURE).softmax(1)
    mean = (share * steps).sum(1)
    deviation = (share * (steps - mean[:, None]).square()).sum(1).sqrt()
    shaped = (batch, count, 1, *size)
    point = origin[..., None, None] + per_depth.unflatten(-1, size) * mean.exp().view(shaped)
    rest = [mean, deviation, 10.0 * smooth.amin(1)]
    return torch.cat([point.sign() * point.abs().log1p(), *(channel.view(shaped) for channel in rest)], dim=2)


def _ways(
    context: Views, rows: int, columns: int
) -> tuple[Float[Tensor, "batch view 3"], Float[Tensor, "batch view 3 pixel"]]:
    """Origins of the rays through the centres of small pixels, and their way for each unit of z-depth."""
    c2w, intrinsics = context.c2w, context.intrinsics
    y = (torch.arange(rows, device=c2w.device, dtype=c2w.dtype) + 0.5) * SHRINK
    x = (torch.arange(columns, device=c2w.device, dtype=c2w.dtype) + 0.5) * SHRINK
    pixels = torch.stack([x.repeat(rows), y.repeat_interleave(columns), torch.ones_like(x).repeat(rows)])
    # Without asking whether it could be solved, which a GPU would have to be waited for; intrinsics are checked before.
    in_camera, _ = torch.linalg.solve_ex(intrinsics, pixels.expand(*c2w.shape[:2], 3, -1))
    return c2w[..., :3, 3], c2w[..., :3, :3] @ in_camera


def _seen_by_all(
    context: Views, origin: Float[Tensor, "batch view 3"], per_depth: Float[Tensor, "batch view 3 pixel"]
) -> tuple[Float[Tensor, "batch view other 3"], Float[Tensor, "batch view other 3 pixel"]]:
    """Origins and ways of every view's rays as all views see them: small pixels, times depth, and depth."""
    shrink = constant([SHRINK, SHRINK, 1.0], context.c2w)[:, None]
    project = (context.intrinsics / shrink @ context.c2w[..., :3, :3].mT)[:, None]
    offset = origin[:, :, None] - context.c2w[:, None, :, :3, 3]
    return (project @ offset[..., None])[..., 0], project @ per_depth[:, :, None]


def _costs(
    features: Float[Tensor, "batch view 6 rows columns"],
    start: Float[Tensor, "batch view other 3"],
    way: Float[Tensor, "batch view other 3 pixel"],
    depths: Float[Tensor, " depth"],
) -> Float[Tensor, "batch view depth pixel"]:
    """How much each pixel differs, at each depth, from the better half of the views that see it there.

    The numba kernel on CPUs, torch elsewhere and in float64.
    """
    if features.device.type != "cpu" or features.dtype != torch.float32:
        return torch_costs(features, start, way, depths)
    from tokengs_nerfstudio.core.network.sweep_kernels import sweep_pixels

    last = features.movedim(2, -1).contiguous()
    views, rows = features.shape[1], features.shape[3]
    costs = features.new_empty(*features.shape[:2], len(depths), way.shape[-1])
    for scene in range(len(features)):
        arrays = (part[scene].contiguous().numpy() for part in (last, start, way))
        numbers = (depths.numpy(), np.float32(_UNSEEN), np.float32(_LEAST_DEPTH), costs[scene].numpy())
        run(sweep_pixels, views * rows, *arrays, *numbers)
    return costs


def torch_costs(
    features: Float[Tensor, "batch view 6 rows columns"],
    start: Float[Tensor, "batch view other 3"],
    way: Float[Tensor, "batch view other 3 pixel"],
    depths: Float[Tensor, " depth"],
) -> Float[Tensor, "batch view depth pixel"]:
    """The same in torch, on any device."""
    count, size = features.shape[1], features.shape[-2:]
    own, views, found = features.flatten(3)[:, :, :, None], torch.arange(count, device=features.device), []
    for shift in range(1, count):
        others = (views + shift) % count
        place = start[:, views, others][..., None, None] + way[:, views, others][..., None, :] * depths[:, None]
        depth = place[:, :, 2]
        pixels = place[:, :, :2] / depth.clamp(min=_LEAST_DEPTH)[:, :, None]
        grid = 2.0 * pixels.movedim(2, -1) / constant([size[1], size[0]], pixels) - 1.0
        inside = (depth > _LEAST_DEPTH) & (grid.abs() < 1.0).all(-1)
        seen = F.grid_sample(
            features[:, others].flatten(0, 1),
            grid.flatten(0, 1).clamp(-1.0, 1.0),
            padding_mode="border",
            align_corners=False,
        ).unflatten(0, features.shape[:2])
        found.append((seen - own).abs().mean(2).masked_fill(~inside, torch.inf))
    mean, seeing = better_half(torch.stack(found))
    return torch.where(seeing > 0, mean, torch.full_like(mean, _UNSEEN)) + 0.5 * _UNSEEN * (1 - seeing / (count - 1))
