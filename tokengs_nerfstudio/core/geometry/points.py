"""Coloured points of a scene, as structure from motion finds them, and the Gaussians that they are taken for."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.records import TensorRecord
from tokengs_nerfstudio.core.types import Gaussians, Similarity, Views

# A point's Gaussian: standard deviations as this share of the mean distance to so many neighbours, but no larger than
# so many times the median; its opacity.
_SHARE, _NEIGHBOURS, _LARGEST, _OPACITY = 0.5, 3, 5.0, 0.5


def drawn(count: int, most: int, seed: int) -> Int[Tensor, " some"]:
    """`most` of `count` indices, ascending, each as likely as any other."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:most].sort().values


@dataclass(frozen=True)
class PointCloud(TensorRecord):
    """Points on the surfaces of one scene, in any frame; colours RGB in [0, 1]."""

    places: Float[Tensor, "point 3"]
    colors: Float[Tensor, "point 3"]

    @property
    def count(self) -> int:
        return len(self.places)

    def select(self, index: Int[Tensor, " some"] | Bool[Tensor, " point"]) -> "PointCloud":
        """Some of the points: indices, or a mask."""
        return PointCloud(self.places[index], self.colors[index])

    def thinned(self, most: int, seed: int) -> "PointCloud":
        """At most so many of the points, drawn evenly; all of them, as they are, where there are no more."""
        if self.count <= most:
            return self
        return self.select(drawn(self.count, most, seed).to(self.places.device))

    def moved(self, similarity: Similarity) -> "PointCloud":
        """The same points in the frame that `similarity` leads to; worked out in its bits, kept in the points' own."""
        places = similarity.points(self.places.to(similarity.rotation))
        return PointCloud(places.to(self.places), self.colors)

    def seen_by(self, views: Views, least: int = 2) -> "PointCloud":
        """Those that lie within the pictures of at least so many of the views, or of all where there are fewer."""
        seen = torch.zeros_like(self.places[:, 0])
        for view in range(views.num_views):
            at = slice(view, view + 1)
            place, depth = project(self.places, views.c2w[at], views.intrinsics[at])
            x, y = place[0].unbind(-1)
            seen += (depth[0] > 0) & (x >= 0) & (x < views.width) & (y >= 0) & (y < views.height)
        return self.select(seen >= min(least, views.num_views))

    def gaussians(self) -> Gaussians:
        """A round half-opaque Gaussian for each point, as large as its nearest neighbours are far: at least two."""
        places = self.places.detach().cpu().double().numpy()
        count = min(_NEIGHBOURS, len(places) - 1)
        distances, _ = KDTree(places).query(places, k=count + 1)
        size = _SHARE * torch.from_numpy(distances[:, 1:]).mean(1).to(self.places)
        size = size.clamp(max=_LARGEST * float(size.median()))
        upright = self.places.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(len(size), 1)
        opacities = torch.full_like(size, _OPACITY)
        return Gaussians(self.places, upright, size[:, None].repeat(1, 3), opacities, self.colors)
