"""The pull that keeps Gaussians where some view can see them (TokenGS, arXiv 2604.15239)."""

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.constants import constant


def visibility(
    means: Float[Tensor, "*batch gaussian 3"],
    c2w: Float[Tensor, "*batch view 4 4"],
    intrinsics: Float[Tensor, "*batch view 3 3"],
    width: int,
    height: int,
    limit: float = 1.0,
    near: float = 0.01,
) -> Float[Tensor, "*batch"]:
    """How far the centres lie outside every view, per scene: 0 inside an image, 1 half an image beyond its border.

    Per centre and view relu(|2u/W - 1| - 1) + relu(|2v/H - 1| - 1), the smallest over the views, cut at `limit`,
    averaged over the centres. A centre that no view has in front of its near plane counts as `limit`. Where the value
    is cut the gradient goes on: it points to the frustum that is nearest as an angle, finite behind cameras and at
    z = 0.
    """
    x, y, z = _frustum_coordinates(means, c2w, intrinsics, width, height).unbind(-1)
    in_front = z > near
    depth = torch.where(in_front, z, torch.ones_like(z))
    excess = ((x / depth).abs() - 1).relu() + ((y / depth).abs() - 1).relu()
    excess = torch.where(in_front, excess, torch.full_like(excess, float("inf"))).amin(-2)
    pull = _angular_excess(x, y, z).amin(-2)
    cut = limit + limit * (pull - pull.detach())
    return torch.where(excess < limit, excess, cut).mean(-1)


def anchor_visibility(
    anchors: Float[Tensor, "*batch token 3"],
    c2w: Float[Tensor, "*batch view 4 4"],
    intrinsics: Float[Tensor, "*batch view 3 3"],
    width: int,
    height: int,
    limit: float = 1.0,
) -> Float[Tensor, "*batch"]:
    """How far anchors project outside every view, per scene, exactly as LocusGS (arXiv 2608.12825) trains them.

    Units are those of `visibility`, but points behind a camera count as those they mirror, depths below 1e-3 in size
    as 1e-3, and nothing pulls where the value is cut at `limit`.
    """
    x, y, z = _frustum_coordinates(anchors, c2w, intrinsics, width, height).unbind(-1)
    depth = torch.where(z.abs() < 1e-3, torch.full_like(z, 1e-3), z)
    excess = ((x / depth).abs() - 1).relu() + ((y / depth).abs() - 1).relu()
    return excess.amin(-2).clamp(max=limit).mean(-1)


def _frustum_coordinates(means: Tensor, c2w: Tensor, intrinsics: Tensor, width: int, height: int) -> Tensor:
    """Centres per view, in camera axes scaled so that the image's borders are |x| = z and |y| = z: [*b v n 3]."""
    rotation, position = c2w[..., :3, :3], c2w[..., :3, 3]
    local = (means[..., None, :, :] - position[..., None, :]) @ rotation
    to_borders = constant([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1]], intrinsics)
    return local @ (to_borders @ intrinsics).mT


def _angular_excess(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Distance to the frustum's side planes over distance to the camera: bounded, and with a slope everywhere outside.

    The distance in the denominator is held constant and away from 0, so that the slope neither turns outward nor
    explodes at the camera's centre, where it points along the viewing axis.
    """
    side = _relu_with_edge(x.abs() - z) + _relu_with_edge(y.abs() - z)
    return side / (x * x + y * y + z * z).sqrt().detach().clamp(min=0.1)


def _relu_with_edge(value: Tensor) -> Tensor:
    """relu whose slope at 0 is 1: a centre exactly in the camera must still be pushed out."""
    return torch.where(value >= 0, value, torch.zeros_like(value))
