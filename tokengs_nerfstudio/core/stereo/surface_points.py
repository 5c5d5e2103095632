"""Points on the surfaces of a scene, where the depths of several photos agree."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.stereo.depth_maps import DepthMaps, depth_maps
from tokengs_nerfstudio.core.types import Views

# A pixel's surface is agreed on where so many partners' lead back to it to within a pixel, and where it costs no more.
# Of few photos one partner has to do; what it agrees on has to be alike beyond doubt.
_MANY, _AGREEING, _ALIKE = 6, 2, 0.4
_AGREEING_OF_FEW, _ALIKE_OF_FEW = 1, 0.2
_APART = 1.0
# Rays to a point from two photos cross by so much at least, in degrees: else its depth is not known.
_CROSSING = 1.0
# Where less than this share of a photo is agreed on, that is by chance.
_BY_CHANCE = 0.1


@torch.no_grad()
def surface_points(views: Views, photos: int, seed: int) -> PointCloud | None:
    """Points in the frame of the cameras, as `photos` evenly chosen of the views show them together; None where there
    are none: too few photos, photos that hardly overlap, a scene that moves, or plain surfaces."""
    usable = views.usable()
    if min(len(usable), photos) < 2 or views.over_time:
        return None
    number = min(photos, len(usable))
    chosen = [usable[round(place * (len(usable) - 1) / (number - 1))] for place in range(number)]
    maps = depth_maps(views.subset(chosen), seed)
    known = agreed(maps)
    if not known.any():
        return None
    places, colors = (x.movedim(1, -1)[known] for x in (maps.points, maps.views.images))
    return PointCloud(places, colors).to(views.images)


def agreed(maps: DepthMaps) -> Bool[Tensor, "view row column"]:
    """The pixels whose surfaces are known."""
    many = maps.views.num_views >= _MANY
    least, alike = (_AGREEING, _ALIKE) if many else (_AGREEING_OF_FEW, _ALIKE_OF_FEW)
    points, size = maps.points.flatten(2).mT, maps.costs.shape[1:]
    each = [_sure(maps, points, view, least) for view in range(maps.views.num_views)]
    known = torch.stack(each).unflatten(1, size) & (maps.costs < alike)
    if maps.views.shown is not None:
        known = known & (maps.views.shown[:, 0] > 0)
    return known & (known.float().mean((1, 2), keepdim=True) > _BY_CHANCE)


def _sure(maps: DepthMaps, points: Float[Tensor, "view pixel 3"], view: int, least: int) -> Bool[Tensor, " pixel"]:
    """The pixels of a view that at least so many partners lead back to, by rays of which some cross widely enough."""
    views, (rows, columns), own = maps.views, maps.costs.shape[1:], points[view]
    row, column = (torch.arange(rows) + 0.5).repeat_interleave(columns), (torch.arange(columns) + 0.5).repeat(rows)
    here, ray = torch.stack([column, row], dim=1), F.normalize(own - views.c2w[view, :3, 3], dim=-1)
    agreeing, widest = torch.zeros_like(row), torch.ones_like(row)
    for partner in maps.partners[view].tolist():
        place, depth = _pixels(views, own, partner)
        inside = (depth > 0) & (place > 0).all(1) & (place[:, 0] < columns) & (place[:, 1] < rows)
        there = place.where(inside[:, None], 0.0).floor().long()
        back, ahead = _pixels(views, points[partner, there[:, 1] * columns + there[:, 0]], view)
        agreeing += inside & (ahead > 0) & ((back - here).square().sum(1) < _APART**2)
        other = F.normalize(own - views.c2w[partner, :3, 3], dim=-1)
        widest = torch.minimum(widest, (ray * other).sum(1))
    return (agreeing >= least) & (widest < math.cos(math.radians(_CROSSING)))


def _pixels(
    views: Views, points: Float[Tensor, "point 3"], view: int
) -> tuple[Float[Tensor, "point 2"], Float[Tensor, " point"]]:
    place, depth = project(points, views.c2w[view : view + 1], views.intrinsics[view : view + 1])
    return place[0], depth[0]
