"""The frame a network sees a scene in, chosen from its context cameras."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.turntable import object_center
from tokengs_nerfstudio.core.ranges import Length, check_value
from tokengs_nerfstudio.core.rotation import rotate
from tokengs_nerfstudio.core.types import Similarity

CameraFrame = Literal["first", "middle", "mean", "orbit"]
ScaleRule = Literal["constant", "max_baseline", "distance", "bound", "pointmap"]

# So much smaller than their distance from the origin (in roundings), an extent is rounding: the cameras coincide.
_ROUNDINGS = 8
# An extent whose inverse is still a number.
_SMALLEST = 1e-300
# Means of unit vectors below this say nothing of a direction.
_VANISHING = 1e-6


@dataclass(frozen=True)
class FrameRule:
    """How weights want their scenes placed.

    `camera` names the camera that becomes the identity: the first, the one nearest to the mean position, or the mean
    camera; `orbit` has the first camera's axes and its origin where all cameras look. `scale` multiplies lengths: by
    `value` (constant), or so that `value` becomes the largest distance between two cameras (max_baseline), the largest
    distance from the first camera (distance) or the largest absolute coordinate of a camera in the new frame (bound).
    A pointmap scale needs depth, which a capture does not have: see `core.scale_search`.
    """

    camera: CameraFrame = "first"
    scale: ScaleRule = "max_baseline"
    value: float = 1.0

    def of(self, c2w: Float[Tensor, "*batch view 4 4"]) -> Similarity:
        """World -> canonical of scenes whose context cameras are `c2w`; errors as in `canonical_frame`."""
        return canonical_frame(c2w, self.camera, self.scale, self.value)


def canonical_frame(
    c2w: Float[Tensor, "*batch view 4 4"],
    frame: str = "first",
    scale: str = "max_baseline",
    value: float = 1.0,
) -> Similarity:
    """The frame a network sees a scene in, chosen from its context cameras.

    `frame` names the camera that becomes the identity: the first, the one nearest to the mean position, or the mean
    camera; `orbit` has the first camera's axes and its origin where all cameras look. `scale` multiplies lengths: by
    `value` (constant), or so that `value` becomes the largest distance between two cameras (max_baseline), the largest
    distance from the first camera (distance) or the largest absolute coordinate of a camera in the new frame (bound).
    Where the cameras coincide, or there is only one, these distances do not exist: lengths are multiplied by `value`.

    Raises ValueError for an unknown frame or scale rule, no cameras at all, and an orbit that looks at no one point.
    """
    check_value(value, Length, "value")
    if c2w.shape[-3] == 0:
        raise UserError("canonical_frame needs at least one context camera, got none")
    rotation, position = _reference_camera(c2w, frame)
    rotation = rotation.mT
    translation = -rotate(rotation, position)
    centers = c2w[..., :3, 3]
    in_frame = einsum(rotation, centers, "... i j, ... view j -> ... view i") + translation[..., None, :]
    if scale == "constant":
        factor = torch.full_like(translation[..., 0], value)
    else:
        extent = _camera_extent(in_frame, scale)
        known = extent > _ROUNDINGS * torch.finfo(c2w.dtype).eps * centers.abs().amax(dim=(-1, -2))
        factor = torch.where(known, value / torch.where(known, extent, torch.ones_like(extent)), value)
    return Similarity(rotation, translation, factor)


def local_frame(c2w: Float[Tensor, "view 4 4"]) -> Similarity:
    """World -> a frame that 32 bits are enough for: the first camera at its origin, the farthest about one unit away.

    Axes are kept, lengths are multiplied by a power of two. For cameras of 64 bits: in georeferenced coordinates, or in
    units so small or large that squares leave the range of 32 bits.
    """
    offsets = c2w[:, :3, 3].double() - c2w[0, :3, 3].double()
    farthest = float(offsets.abs().max())
    unit = 2.0 ** -math.floor(math.log2(farthest)) if farthest > _SMALLEST else 1.0
    same = Similarity.identity(dtype=torch.float64, device=c2w.device)
    return Similarity(same.rotation, -c2w[0, :3, 3].double(), same.scale * unit)


def _camera_extent(centers: Float[Tensor, "*batch view 3"], rule: str) -> Float[Tensor, "*batch"]:
    if rule == "max_baseline":
        return (centers[..., :, None, :] - centers[..., None, :, :]).norm(dim=-1).amax(dim=(-1, -2))
    if rule == "distance":
        return (centers - centers[..., :1, :]).norm(dim=-1).amax(dim=-1)
    if rule == "bound":
        return centers.abs().amax(dim=(-1, -2))
    raise UserError(f"unknown scale rule {rule!r}; choose constant, max_baseline, distance or bound")


def _reference_camera(
    c2w: Float[Tensor, "*batch view 4 4"], frame: str
) -> tuple[Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3"]]:
    rotations, centers = c2w[..., :3, :3], c2w[..., :3, 3]
    if frame == "first":
        return rotations[..., 0, :, :], centers[..., 0, :]
    if frame == "middle":
        index = (centers - centers.mean(dim=-2, keepdim=True)).norm(dim=-1).argmin(dim=-1)
        rotation = torch.take_along_dim(rotations, index[..., None, None, None], dim=-3)
        return rotation[..., 0, :, :], torch.take_along_dim(centers, index[..., None, None], dim=-2)[..., 0, :]
    if frame == "mean":
        return _mean_axes(rotations), centers.mean(dim=-2)
    if frame == "orbit":
        return rotations[..., 0, :, :], object_center(c2w)
    raise UserError(f"unknown camera frame {frame!r}; choose first, middle, mean or orbit")


def _mean_axes(rotations: Float[Tensor, "*batch view 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Axes of the mean camera; the first camera's where the mean of an axis vanishes (cameras facing each other)."""
    mean, first = rotations.mean(dim=-3), rotations[..., 0, :, :]
    forward = mean[..., 2]
    down = mean[..., 1]
    clear = forward.norm(dim=-1, keepdim=True) > _VANISHING
    forward = F.normalize(torch.where(clear, forward, first[..., 2]), dim=-1)
    down = down - (down * forward).sum(dim=-1, keepdim=True) * forward
    for axis in (1, 0):
        spare = first[..., axis] - (first[..., axis] * forward).sum(dim=-1, keepdim=True) * forward
        down = torch.where(down.norm(dim=-1, keepdim=True) > _VANISHING, down, spare)
    down = F.normalize(down, dim=-1)
    return torch.stack([torch.linalg.cross(down, forward), down, forward], dim=-1)
