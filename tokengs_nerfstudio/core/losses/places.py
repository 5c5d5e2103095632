"""The pull of Gaussians to the places of what they are to show, where these are known (ours).

Pictures pull at Gaussians that overlap with what is shown there; this does from anywhere.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.rays import pixel_points
from tokengs_nerfstudio.core.types import Views

# Distances count in this share of the places' mean distance from the cameras.
_UNIT = 0.02


def place_error(means: Float[Tensor, "batch gaussian 3"], views: Views, most: int = 256) -> Float[Tensor, " batch"]:
    """How far Gaussians and what moves in the views are from each other, per scene; 0 where nothing moves.

    Mean ln(1 + d / unit) of each Gaussian's distance d from the nearest place and of each place's from the nearest
    Gaussian. Places are what `most` of the pixels show that move, evenly chosen. UserError for views of which depths,
    or what moves, are not known.
    """
    if views.depths is None or views.moving is None:
        raise UserError("places of what moves are those of views with depths and with what moves in them")
    points = pixel_points(views.c2w, views.intrinsics, views.depths)
    known = (views.moving > 0) & (views.depths > 0)
    errors = [
        _one(means[scene], points[scene].movedim(1, -1)[known[scene, :, 0]], views.c2w[scene, :, :3, 3], most)
        for scene in range(len(means))
    ]
    return torch.stack(errors)


def _one(
    means: Float[Tensor, "gaussian 3"], places: Float[Tensor, "place 3"], cameras: Float[Tensor, "view 3"], most: int
) -> Float[Tensor, ""]:
    if not len(places):
        return means.sum() * 0.0
    places = places[torch.linspace(0, len(places) - 1, min(most, len(places)), device=places.device).long()]
    unit = _UNIT * torch.cdist(places, cameras).mean()
    distances = torch.cdist(means, places) / unit
    return distances.amin(0).log1p().mean() + distances.amin(1).log1p().mean()
