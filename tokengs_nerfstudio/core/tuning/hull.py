"""Where nothing can be: what cut-out photos leave of space (the visual hull, Laurentini 1994)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion
from tokengs_nerfstudio.core.tuning.plane_sweep import reduced_views
from tokengs_nerfstudio.core.types import Gaussians, Views

# A pixel of a reduced photo with less opacity than this shows nothing.
_NOTHING = 0.02
# A point is outside if more than this share of the photos that see it show nothing there: cut-outs have mistakes.
_MISTAKEN = 0.1


@dataclass(frozen=True)
class Hull:
    """The space in which no photo shows nothing, as coarse as reduced photos are."""

    c2w: Float[Tensor, "view 4 4"]
    intrinsics: Float[Tensor, "view 3 3"]
    empty: Bool[Tensor, "view height width"]
    """where a photo that is cut out, and not masked there, has nothing at all"""

    @classmethod
    def of(cls, views: Views) -> "Hull | None":
        """The hull of what views of one moment leave; None for opaque ones and for those of several moments."""
        if not views.cut_out or views.num_views == 0 or views.over_time:
            return None
        small = reduced_views(views)
        assert small.alphas is not None
        empty = small.alphas[:, 0] < _NOTHING
        empty = empty if small.masks is None else empty & (small.masks[:, 0] > 0)
        return cls(small.c2w, small.intrinsics, empty)

    def inside(self, points: Float[Tensor, "point 3"]) -> Bool[Tensor, " point"]:
        """Which points lie in the hull, where a photo sees them."""
        seen, refused = points.new_zeros(2, len(points))
        height, width = self.empty.shape[-2:]
        for view in range(len(self.empty)):
            at = slice(view, view + 1)
            place, depth = project(points, self.c2w[at], self.intrinsics[at])
            x, y = place[0].floor().unbind(-1)
            within = (depth[0] > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
            column, row = (value.clamp(0, most - 1).long() for value, most in ((x, width), (y, height)))
            seen += within
            refused += within & self.empty[view, row, column]
        return (seen > 0) & (refused <= _MISTAKEN * seen)

    def holds(self, gaussians: Gaussians, wholly: bool = False) -> Bool[Tensor, " gaussian"]:
        """Which Gaussians have their centre in the hull; all of them where that would be none.

        With `wholly` the ends of their axes must be in it too, one standard deviation away: those that are not tuned
        one by one are too large for their place.
        """
        points = [gaussians.means]
        if wholly:
            axes = matrix_from_quaternion(gaussians.quats).mT * gaussians.scales[:, :, None]
            points += [gaussians.means + side * axes[:, axis] for side in (1, -1) for axis in range(3)]
        held = torch.stack([self.inside(some) for some in points]).all(0)
        return held if held.any() else torch.ones_like(held)
