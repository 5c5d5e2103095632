"""Where surfaces are, as the photos tell before anything is optimised: a coarse plane sweep (Collins 1996).

A pixel's ray is followed through a ladder of depths; where the other photos show the pixel's colour, a surface may be.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.geometry.agreement import better_half
from tokengs_nerfstudio.core.geometry.rays import pixel_rays, project
from tokengs_nerfstudio.core.geometry.resize import resized
from tokengs_nerfstudio.core.geometry.turntable import focus_point
from tokengs_nerfstudio.core.rotation import nearest_rotation
from tokengs_nerfstudio.core.types import Gaussians, Views

# Photos are looked at this small, and no more of them than this.
_LOOK_SIDE, _LOOK_VIEWS = 96, 48
# What it costs a depth to be outside of all other views.
_UNSEEN = 0.1
# Depths of the search for the nearest surface, as multiples of the distance of what the cameras look at.
_DEPTHS, _NEAREST, _FARTHEST = 36, 0.2, 3.0
_PIXELS = 2000
# A depth is believed if the photos differ there by no more than the first, and elsewhere by the second more.
_ALIKE, _DISTINCT = 0.08, 0.02
# Depths so close on the ladder to the best one are the same surface.
_SAME = 3
# Fewer believed depths, or fewer photos, say nothing; of more, this share may be mistaken.
_ENOUGH, _FEWEST_VIEWS, _MISTAKEN = 200, 3, 0.01
# Standard deviations to which a Gaussian is seen.
_REACH = 2.0
# More cameras than this are thinned out.
_MOST_CAMERAS = 96
# Rounding of depths, as a share of how far the clear space reaches.
_ROUNDING = 1e-3


def nearest_surface(views: Views, seed: int) -> float:
    """z-depth of the surfaces nearest to any of the cameras; 0 where the photos do not tell.

    Taken from random pixels whose colour the other photos show at one depth and at no other.
    """
    if views.num_views < _FEWEST_VIEWS:
        return 0.0
    views = small_views(views)
    valid = torch.ones_like(views.images[:, 0]) if views.masks is None else views.masks[:, 0]
    generator = torch.Generator().manual_seed(seed)
    index = torch.multinomial(valid.flatten().cpu() + 1e-12, _PIXELS, replacement=True, generator=generator)
    index = index.to(views.images.device)
    ladder = torch.linspace(math.log(_NEAREST), math.log(_FARTHEST), _DEPTHS).exp().to(views.images)
    ladder = ladder * focus_distance(views.c2w)
    cost = disagreement(views, index, ladder.expand(_PIXELS, -1))
    least, best = cost.min(dim=1)
    elsewhere = (torch.arange(_DEPTHS, device=best.device) - best[:, None]).abs() > _SAME
    rival = cost.where(elsewhere, torch.inf).min(dim=1).values
    believed = ladder[best[(least < _ALIKE) & (rival - least > _DISTINCT)]]
    return float(believed.quantile(_MISTAKEN)) if len(believed) >= _ENOUGH else 0.0


@dataclass(frozen=True)
class ClearSpace:
    """What lies in front of the cameras, and of cameras half way between neighbours, nearer than any surface.

    A Gaussian there can only be seen by few photos, which it helps to know by heart, and hides the scene from others.
    """

    c2w: Float[Tensor, "view 4 4"]
    intrinsics: Float[Tensor, "view 3 3"]
    width: int
    height: int
    depth: float
    """how far it reaches, in z-depth"""

    @classmethod
    def before(cls, views: Views, share: float, seed: int) -> "ClearSpace":
        """The space up to `share` of the z-depth of the nearest surface; none where that is not known."""
        depth = share * nearest_surface(views, seed) if share > 0 else 0.0
        c2w, owner = with_midpoints(views.c2w, depth)
        thin = slice(None, None, -(-len(c2w) // _MOST_CAMERAS))
        return cls(c2w[thin], views.intrinsics[owner[thin]], views.width, views.height, depth)

    def contains(self, gaussians: Gaussians) -> Bool[Tensor, " gaussian"]:
        """Which Gaussians have their centre so near before a camera that sees the centre or some of what is around."""
        near = self._near_any(gaussians.means)
        found = near.clone()
        found[near] = self._in_sight(gaussians.select(near))
        return found

    def _near_any(self, means: Float[Tensor, "gaussian 3"]) -> Bool[Tensor, " gaussian"]:
        """Which are near before any camera, whatever it sees; few are, and only these are worth more work."""
        axes, centers = self.c2w[:, :3, 2], self.c2w[:, :3, 3]
        z = means @ axes.T - (centers * axes).sum(-1)
        margin = _ROUNDING * self.depth
        return ((z > -margin) & (z < self.depth + margin)).any(1)

    def _in_sight(self, gaussians: Gaussians) -> Bool[Tensor, " gaussian"]:
        place, z = project(gaussians.means, self.c2w, self.intrinsics)
        near = (z > 0) & (z < self.depth)
        beside = (place - place.clamp(torch.zeros_like(self._size), self._size)).norm(dim=-1)
        radius = _REACH * gaussians.scales.amax(dim=-1) * self.intrinsics[:, None, 0, 0] / z.clamp(min=1e-9)
        return (near & (beside <= radius)).any(0)

    @property
    def _size(self) -> Float[Tensor, "2"]:
        return self.c2w.new_tensor([self.width, self.height])


def with_midpoints(
    c2w: Float[Tensor, "view 4 4"], reach: float
) -> tuple[Float[Tensor, "camera 4 4"], Int[Tensor, " camera"]]:
    """The cameras and those half way to either of their two nearest neighbours, where these are nearer than `reach`.

    Second is the index of the camera that each stems from.
    """
    centers, own = c2w[:, :3, 3], torch.arange(len(c2w), device=c2w.device)
    distance = torch.cdist(centers, centers).fill_diagonal_(torch.inf)
    nearest = distance.topk(min(2, len(c2w) - 1), largest=False)
    first, rank = (nearest.values < reach).nonzero(as_tuple=True)
    between = (c2w[first] + c2w[nearest.indices[first, rank]]) / 2
    between[:, :3, :3] = nearest_rotation(between[:, :3, :3])
    return torch.cat([c2w, between]), torch.cat([own, first])


def disagreement(
    views: Views, index: Int[Tensor, " seed"], depths: Float[Tensor, "seed depth"]
) -> Float[Tensor, "seed depth"]:
    """Mean colour difference between a pixel and where the better half of the other views see its depths.

    Colours are compared sharp and blurred. Depths that fewer views see are a little worse, those that no other view
    sees as bad as unlike colours. A view does not see what lands on its mask.
    """
    pixels = views.height * views.width
    origins, per_depth = pixel_ways(views, index)
    points = origins[:, None] + per_depth[:, None] * depths[..., None]
    features = torch.cat([views.images, F.avg_pool2d(views.images, 7, 1, 3, count_include_pad=False)], dim=1)
    own = features.movedim(1, -1).reshape(-1, features.shape[1])[index]
    costs = depths.new_full((views.num_views, *depths.shape), float("inf"))
    for view in range(views.num_views):
        place, z = project(points.flatten(0, 1), views.c2w[view : view + 1], views.intrinsics[view : view + 1])
        grid = 2 * place[0] / place.new_tensor([views.width, views.height]) - 1
        inside = (z[0] > 0) & (grid.abs() < 1).all(-1) & (index // pixels != view).repeat_interleave(depths.shape[1])
        if views.masks is not None:
            valid = F.grid_sample(views.masks[view : view + 1], grid[None, None], align_corners=False)
            inside = inside & (valid.flatten() > 0.5)
        seen = F.grid_sample(features[view : view + 1], grid[None, None], align_corners=False)[0, :, 0]
        difference = (seen.mT.reshape(*depths.shape, features.shape[1]) - own[:, None]).abs().mean(-1)
        costs[view] = torch.where(inside.reshape(depths.shape), difference, costs[view])
    mean, seeing = better_half(costs)
    rarely = 1 - seeing / seeing.amax(dim=1, keepdim=True).clamp(min=1)
    return torch.where(seeing > 0, mean, torch.full_like(mean, 2 * _UNSEEN)) + _UNSEEN * rarely


def focus_distance(c2w: Float[Tensor, "view 4 4"]) -> float:
    """Mean distance of the cameras from the point nearest to all their axes (twice their spread where those part)."""
    axes, centers = c2w[:, :3, 2], c2w[:, :3, 3]
    focus = focus_point(c2w)
    in_front = ((focus - centers) * axes).sum(-1).median() > 0
    spread = (centers - centers.mean(0)).norm(dim=-1).max()
    distance = (focus - centers).norm(dim=-1).mean() if in_front else 2 * spread
    return max(float(distance), 1e-6)


def reduced_views(views: Views) -> Views:
    """At most 48 of the views, evenly chosen, at most 96 pixels on the shorter side."""
    shrink = min(1.0, _LOOK_SIDE / min(views.height, views.width))
    height, width = max(1, round(views.height * shrink)), max(1, round(views.width * shrink))
    chosen = range(0, views.num_views, -(-views.num_views // _LOOK_VIEWS))
    return Views.cat([resized(views.select([index]), height, width, "area") for index in chosen])


def small_views(views: Views) -> Views:
    """`reduced_views`, grey and masked where they are masked or show nothing."""
    small = reduced_views(views)
    shown = small.shown
    if shown is not None:
        small = replace(small, images=small.images.where(shown > 0, 0.5), masks=shown, alphas=None)
    return small


def pixel_ways(views: Views, index: Int[Tensor, " seed"]) -> tuple[Float[Tensor, "seed 3"], Float[Tensor, "seed 3"]]:
    """Origins of the pixels' rays, and their way for each unit of z-depth."""
    origins, directions = pixel_rays(views.c2w, views.intrinsics, views.height, views.width)
    forward = views.c2w[:, :3, 2, None, None]
    per_depth = directions / (directions * forward).sum(1, keepdim=True)
    first, second = (x.movedim(1, -1).reshape(-1, 3)[index] for x in (origins, per_depth))
    return first, second
