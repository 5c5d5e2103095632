"""Where nothing can be: what cut-out photos leave of space (the visual hull, Laurentini 1994)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import project
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
        moving = views.times is not None and bool((views.times != views.times[0]).any())
        if views.alphas is None or moving or views.num_views == 0:
            return None
        small = reduced_views(views)
        assert small.alphas is not None
        empty = small.alphas[:, 0] < _NOTHING
        empty = empty if small.masks is None else empty & (small.masks[:, 0] > 0)
        return cls(small.c2w, small.intrinsics, empty)

    def inside(self, gaussians: Gaussians) -> Bool[Tensor, " gaussian"]:
        """Which Gaussians have their centre in the hull; all of them where that would be none."""
        seen = torch.zeros_like(gaussians.opacities)
        refused = torch.zeros_like(gaussians.opacities)
        height, width = self.empty.shape[-2:]
        for view in range(len(self.empty)):
            at = slice(view, view + 1)
            place, depth = project(gaussians.means, self.c2w[at], self.intrinsics[at])
            x, y = place[0].floor().unbind(-1)
            within = (depth[0] > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
            column, row = (value.clamp(0, most - 1).long() for value, most in ((x, width), (y, height)))
            seen += within
            refused += within & self.empty[view, row, column]
        inside = refused <= _MISTAKEN * seen
        return inside if inside.any() else torch.ones_like(inside)
