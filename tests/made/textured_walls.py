"""Photos of textured walls with known depths: what stereo can match, and blobs of one colour cannot be."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import pixel_rays
from tokengs_nerfstudio.core.types import Views

# n . x = d: a wall that recedes to the right, a floor, and a board before the wall that is as large as the last number.
_WALLS = (
    ((0.35, 0.0, 1.0), 2.6, None),
    ((0.0, 1.0, 0.15), 0.95, None),
    ((-0.2, 0.1, 1.0), 1.7, 0.35),
)


def walls(c2w: Tensor, size: int = 96, focal: float = 1.1, seed: int = 5) -> Views:
    """Of cameras about the origin that look along z; with exact depths."""
    lens = torch.tensor([[focal * size, 0, size / 2], [0, focal * size, size / 2], [0, 0, 1]]).expand(len(c2w), 3, 3)
    origins, rays = pixel_rays(c2w, lens, size, size)
    origins, rays = (x.movedim(1, -1) for x in (origins, rays))
    nearest, colors = torch.full(rays.shape[:-1], math.inf), torch.zeros_like(rays)
    for number, (normal, distance, side) in enumerate(_WALLS):
        across = torch.tensor(normal)
        way = (distance - origins @ across) / (rays @ across)
        points = origins + way[..., None] * rays
        hit = (way > 0) & (way < nearest)
        hit &= torch.ones_like(hit) if side is None else (points[..., :2].abs() < side).all(-1)
        nearest = nearest.where(~hit, way)
        colors = colors.where(~hit[..., None], _texture(points, seed + number))
    depths = nearest * (rays * c2w[:, None, None, :3, 2]).sum(-1)
    return Views(colors.movedim(-1, 1).contiguous(), c2w, lens.contiguous(), depths=depths[:, None])


def true_depths(views: Views) -> Tensor:
    """[view row column]"""
    assert views.depths is not None
    return views.depths[:, 0]


def _texture(points: Tensor, seed: int) -> Tensor:
    """Smooth noise in space, alike nowhere."""
    grid = torch.rand(1, 3, 48, 48, 48, generator=torch.Generator().manual_seed(seed))
    place = (points / 4.0).clamp(-1, 1).reshape(1, 1, 1, -1, 3)
    return F.grid_sample(grid, place, align_corners=False).reshape(3, -1).T.reshape(points.shape)
