"""What the context photos say of depth before anything is learned: a plane sweep (Collins 1996) over their pixels.

Each pixel's ray is followed through a ladder of depths; where other photos show its colour, there may be a surface.
What comes out is told to the encoder beside colours and rays: it need not learn how views belong together.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.agreement import better_half
from tokengs_nerfstudio.core.types import Views

CHANNELS = 6
SHRINK = 2
"""The sweep looks at photos this many times smaller."""
_DEPTHS, _NEAREST, _FARTHEST = 32, 0.2, 14.0
"""Steps of the ladder and its ends, in canonical units: a baseline is about one, captures lie at 0.25 to 9 of it."""
_UNSEEN = 0.2
"""Disagreement of a depth that no other view sees; half of it is added where few do."""
_TEMPERATURE = 0.004
_LEAST_DEPTH = 1e-3


@torch.no_grad()
def swept(context: Views) -> Float[Tensor, "batch view 6 rows columns"]:
    """For every pixel of the photos (canonical frame), shrunk by two: the point it probably shows, and how surely.

    Channels: the point, each coordinate as sign(x) ln(1 + |x|); mean and standard deviation of the logarithm of its
    depth; how much the photos disagree there at least, ten times. All zero for a single view.
    """
    images = F.avg_pool2d(context.images.flatten(0, 1), SHRINK)
    batch, count, size = context.images.shape[0], context.num_views, images.shape[-2:]
    if count < 2:
        return images.new_zeros(batch, count, CHANNELS, *size)
    ladder = torch.linspace(math.log(_NEAREST), math.log(_FARTHEST), _DEPTHS).to(images)
    origin, per_depth = _ways(context, *size)
    costs = _costs(context, images, origin, per_depth, ladder.exp())
    smooth = F.avg_pool2d(costs.unflatten(-1, size), 3, 1, 1, count_include_pad=False)
    share = (smooth / -_TEMPERATURE).softmax(1)
    mean = (share * ladder[:, None, None]).sum(1)
    deviation = (share * (ladder[:, None, None] - mean[:, None]).square()).sum(1).sqrt()
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
    return c2w[..., :3, 3], c2w[..., :3, :3] @ torch.linalg.solve(intrinsics, pixels.expand(*c2w.shape[:2], 3, -1))


def _costs(
    context: Views, images: Tensor, origin: Tensor, per_depth: Tensor, depths: Float[Tensor, " depth"]
) -> Float[Tensor, "batch_view depth pixel"]:
    """How much the colour of each pixel differs, at each depth, from the better half of the views that see it there."""
    batch, count = context.images.shape[:2]
    features = torch.cat([images, F.avg_pool2d(images, 3, 1, 1, count_include_pad=False)], dim=1)
    own = features.flatten(2)[:, :, None]
    per_view = features.unflatten(0, (batch, count))
    size = depths.new_tensor([context.width, context.height])
    found = []
    for shift in range(1, count):
        c2w, intrinsics = context.c2w.roll(-shift, 1), context.intrinsics.roll(-shift, 1)
        project = intrinsics @ c2w[..., :3, :3].mT
        start = (project @ (origin - c2w[..., :3, 3])[..., None])[..., None, :]
        place = start + (project @ per_depth)[..., None, :] * depths[:, None]
        depth = place[:, :, 2]
        pixels = place[:, :, :2] / depth.clamp(min=_LEAST_DEPTH)[:, :, None]
        grid = 2.0 * pixels.movedim(2, -1) / size - 1.0
        inside = (depth > _LEAST_DEPTH) & (grid.abs() < 1.0).all(-1)
        seen = F.grid_sample(
            per_view.roll(-shift, 1).flatten(0, 1),
            grid.flatten(0, 1).clamp(-1.0, 1.0),
            padding_mode="border",
            align_corners=False,
        )
        found.append((seen - own).abs().mean(1).masked_fill(~inside.flatten(0, 1), torch.inf))
    mean, seeing = better_half(torch.stack(found))
    return torch.where(seeing > 0, mean, torch.full_like(mean, _UNSEEN)) + 0.5 * _UNSEEN * (1 - seeing / (count - 1))
