"""The scale of scenes whose depths are known, for weights that were trained with it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.frame import CameraFrame, canonical_frame
from tokengs_nerfstudio.core.types import Views

# Depths below this say that there is none.
_NOTHING = 1e-8
_SMALLEST = 1e-6


def point_map_scale(context: Views, camera: CameraFrame, value: float) -> float:
    """What lengths are multiplied by so that `value` becomes the mean distance of all that the context photos show
    from the origin of the frame of `camera`.

    The rule of the published Kubric weights: depths and intrinsics as they were read, pixels at whole coordinates (not
    at their centres). `value` itself where no pixel has a depth; UserError for views without depths.
    """
    if context.depths is None:
        raise UserError("a point-map scale is that of views with depths, and these have none")
    frame = canonical_frame(context.c2w, camera, "constant", 1.0)
    points, there = _points(context)
    distances = frame.points(points).norm(dim=-1)[there]
    return value / max(float(distances.mean()), _SMALLEST) if len(distances) else value


def _points(views: Views) -> tuple[Float[Tensor, "point 3"], Bool[Tensor, " point"]]:
    """What every pixel shows, in the world, and whether it shows anything."""
    assert views.depths is not None
    depths = views.depths[:, 0].to(views.c2w)
    rows, columns = torch.meshgrid(
        *(torch.arange(side, dtype=depths.dtype, device=depths.device) for side in depths.shape[1:]), indexing="ij"
    )
    focal, centre = views.intrinsics[:, (0, 1), (0, 1)].to(depths), views.intrinsics[:, :2, 2].to(depths)
    rays = (torch.stack([columns, rows], dim=-1) - centre[:, None, None]) / focal[:, None, None]
    local = torch.cat([rays * depths[..., None], depths[..., None]], dim=-1).flatten(1, 2)
    points = local @ views.c2w[:, :3, :3].mT + views.c2w[:, None, :3, 3]
    return points.flatten(0, 1), (depths > _NOTHING).flatten()
