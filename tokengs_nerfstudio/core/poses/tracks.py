"""Points of the scene as several photos show them: matches between pairs of photos, joined."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.geometry.nearness import apart
from tokengs_nerfstudio.core.poses.features import Features, fundamental, matches

# Each photo is compared with so many others, and so many points are enough.
_PARTNERS, _MOST_POINTS = 10, 3000
# A viewing direction counts so many times as much as a place, in spreads of the cameras.
_DIRECTION = 2.0


@dataclass(frozen=True)
class Tracks:
    """Sightings of points, sorted by point; points are numbered without gaps."""

    view: Int[Tensor, " sighting"]
    point: Int[Tensor, " sighting"]
    place: Float[Tensor, "sighting 2"]
    """pixels"""

    @property
    def points(self) -> int:
        return 0 if len(self.point) == 0 else int(self.point[-1]) + 1

    def of_points(self, chosen: Bool[Tensor, " point"]) -> "Tracks":
        """The sightings of some of the points, which are numbered anew."""
        kept = chosen[self.point]
        number = chosen.long().cumsum(0) - 1
        return Tracks(self.view[kept], number[self.point[kept]], self.place[kept])


def partners(c2w: Float[Tensor, "view 4 4"]) -> list[tuple[int, int]]:
    """Pairs of cameras, the smaller index first, that are near each other and look the same way."""
    nearest = apart(c2w, _DIRECTION).topk(min(_PARTNERS, len(c2w) - 1), largest=False).indices
    return sorted({(min(i, j), max(i, j)) for i, row in enumerate(nearest.tolist()) for j in row})


def tracks_between(
    found: list[Features], c2w: Float[Tensor, "view 4 4"], intrinsics: Float[Tensor, "view 3 3"], band: float
) -> Tracks:
    """What the photos show together, as far as cameras that are right to `band` pixels let one tell.

    A point that one photo shows at two places is none. Of many points those are kept that most photos show.
    """
    first = torch.tensor([0, *(len(some.places) for some in found)]).cumsum(0)
    links = [torch.zeros(0, 2, dtype=torch.long)]
    for i, j in partners(c2w):
        pair = [i, j]
        same = matches(found[i], found[j], fundamental(c2w[pair], intrinsics[pair]), band)
        links.append(same + first[pair])
    joined = torch.cat(links)
    label = _connected(joined, int(first[-1]))
    used = joined.flatten().unique()
    view = torch.searchsorted(first, used, right=True) - 1
    order = (label[used] * len(found) + view).argsort(stable=True)
    places = torch.cat([some.places for some in found])
    used, view = used[order], view[order]
    point = label[used].unique_consecutive(return_inverse=True)[1]
    return distinct(Tracks(view, point, places[used]))


def distinct(tracks: Tracks) -> Tracks:
    """Without points that one view shows twice; the most seen ones."""
    good = torch.ones(tracks.points, dtype=torch.bool)
    twice = (tracks.point[1:] == tracks.point[:-1]) & (tracks.view[1:] == tracks.view[:-1])
    good[tracks.point[1:][twice]] = False
    count = torch.bincount(tracks.point, minlength=tracks.points) * good
    if int(good.sum()) > _MOST_POINTS:
        good = torch.zeros_like(good)
        good[count.argsort(descending=True, stable=True)[:_MOST_POINTS]] = True
    return tracks.of_points(good)


def _connected(links: Int[Tensor, "link 2"], count: int) -> Int[Tensor, " feature"]:
    """The smallest index that each feature is linked with, by whatever way: labels handed on until none changes."""
    label = torch.arange(count)
    while True:
        least = label[links].amin(1)
        new = label.clone()
        for side in (0, 1):
            new.scatter_reduce_(0, links[:, side], least, "amin")
        new = new[new]
        if torch.equal(new, label):
            return label
        label = new


def triangulated(
    tracks: Tracks, c2w: Float[Tensor, "view 4 4"], intrinsics: Float[Tensor, "view 3 3"]
) -> Float[Tensor, "point 3"]:
    """The place nearest to all rays of each point, in the least squares."""
    inverse = torch.linalg.inv(intrinsics)
    rays = (c2w[:, :3, :3] @ inverse)[tracks.view] @ F.pad(tracks.place, (0, 1), value=1.0)[..., None]
    ray = F.normalize(rays[..., 0], dim=1)
    across = torch.eye(3).to(ray) - ray[:, :, None] * ray[:, None]
    offset = (across @ c2w[tracks.view, :3, 3:])[..., 0]
    normal = ray.new_zeros(tracks.points, 3, 3).index_add_(0, tracks.point, across)
    return torch.linalg.solve(
        normal + 1e-9 * torch.eye(3).to(ray), ray.new_zeros(tracks.points, 3).index_add_(0, tracks.point, offset)
    )
