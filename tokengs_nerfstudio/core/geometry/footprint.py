"""How much of the world a pixel covers: nothing smaller can be known from photos."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.core.constants import constant
from tokengs_nerfstudio.core.types import Views


def seen_by(
    points: Float[Tensor, "*batch point 3"], views: Views
) -> tuple[Bool[Tensor, "*batch view point"], Float[Tensor, "*batch view point"]]:
    """Which views have each point before them and within their picture, and its z-depth (1 where it is behind)."""
    own = (points[..., None, :, :] - views.c2w[..., None, :3, 3]) @ views.c2w[..., :3, :3]
    before = own[..., 2] > 0
    depth = torch.where(before, own[..., 2], 1.0)
    place = (own @ views.intrinsics.mT)[..., :2] / depth[..., None]
    size = constant([views.width, views.height], place)
    return before & ((place > 0) & (place < size)).all(-1), depth


@torch.no_grad()
def pixel_widths(points: Float[Tensor, "*batch point 3"], views: Views) -> Float[Tensor, "*batch point"]:
    """Width of the smallest pixel that shows each point, at the point's depth; 0 where no view shows it.

    Points and cameras (views [*batch view]) in one frame, widths in its units.
    """
    seen, depth = seen_by(points, views)
    focal = torch.maximum(views.intrinsics[..., 0, 0], views.intrinsics[..., 1, 1])[..., None]
    widths = torch.where(seen, depth / focal, torch.inf).amin(-2)
    return widths.nan_to_num(posinf=0.0)
