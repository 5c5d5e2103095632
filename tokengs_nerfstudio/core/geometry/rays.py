"""Pinhole cameras: intrinsics, the rays of pixels, points to pixels. OpenCV axes, pixel centres at 0.5."""

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.rotation import invert_rigid


def intrinsics_matrix(
    fx: Float[Tensor, "*batch"], fy: Float[Tensor, "*batch"], cx: Float[Tensor, "*batch"], cy: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 3 3"]:
    """Pinhole matrices from focal lengths and principal points in pixels."""
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = [torch.stack([fx, zero, cx], -1), torch.stack([zero, fy, cy], -1), torch.stack([zero, zero, one], -1)]
    return torch.stack(rows, dim=-2)


def with_focal(intrinsics: Float[Tensor, "*batch 3 3"], factor: float) -> Float[Tensor, "*batch 3 3"]:
    """Pinhole matrices of lenses whose focal lengths are `factor` times as long; to the bit as given for 1."""
    return intrinsics * intrinsics.new_tensor([factor, factor, 1.0])


def pixel_rays(
    c2w: Float[Tensor, "*batch view 4 4"], intrinsics: Float[Tensor, "*batch view 3 3"], height: int, width: int
) -> tuple[Float[Tensor, "*batch view 3 {height} {width}"], Float[Tensor, "*batch view 3 {height} {width}"]]:
    """World-space origins and unit directions of the rays through the pixel centres."""
    options = {"dtype": c2w.dtype, "device": c2w.device}
    column = torch.arange(width, **options) + 0.5
    row = torch.arange(height, **options) + 0.5
    x = (column - intrinsics[..., 0, 2, None]) / intrinsics[..., 0, 0, None]
    y = (row - intrinsics[..., 1, 2, None]) / intrinsics[..., 1, 1, None]
    x = x[..., None, :].expand(*x.shape[:-1], height, width)
    y = y[..., :, None].expand(*y.shape[:-1], height, width)
    in_camera = torch.stack([x, y, torch.ones_like(x)], dim=-3)
    in_world = einsum(c2w[..., :3, :3], in_camera, "... i j, ... j height width -> ... i height width")
    directions = F.normalize(in_world, dim=-3)
    return c2w[..., :3, 3, None, None].expand_as(directions), directions


def pixel_points(
    c2w: Float[Tensor, "*batch view 4 4"],
    intrinsics: Float[Tensor, "*batch view 3 3"],
    depths: Float[Tensor, "*batch view 1 height width"],
) -> Float[Tensor, "*batch view 3 height width"]:
    """The points in the world that the pixels' centres show at these z-depths."""
    origins, rays = pixel_rays(c2w, intrinsics, *depths.shape[-2:])
    along = (rays * c2w[..., :3, 2, None, None]).sum(-3, keepdim=True)
    return origins + rays * depths / along


def pluecker(
    c2w: Float[Tensor, "*batch view 4 4"], intrinsics: Float[Tensor, "*batch view 3 3"], height: int, width: int
) -> Float[Tensor, "*batch view 6 {height} {width}"]:
    """Pluecker coordinates of the pixels' rays: moment o x d in channels 0:3, unit direction d in 3:6."""
    origins, directions = pixel_rays(c2w, intrinsics, height, width)
    return torch.cat([torch.linalg.cross(origins, directions, dim=-3), directions], dim=-3)


def project(
    points: Float[Tensor, "*batch point 3"],
    c2w: Float[Tensor, "*batch view 4 4"],
    intrinsics: Float[Tensor, "*batch view 3 3"],
) -> tuple[Float[Tensor, "*batch view point 2"], Float[Tensor, "*batch view point"]]:
    """Pixel coordinates and z-depths of world points in every view; pixels mean nothing where z is not positive."""
    w2c = invert_rigid(c2w)
    turned = einsum(w2c[..., :3, :3], points, "... view i j, ... point j -> ... view point i")
    in_camera = turned + w2c[..., None, :3, 3]
    z = in_camera[..., 2]
    homogeneous = einsum(intrinsics, in_camera, "... view i j, ... view point j -> ... view point i")
    return homogeneous[..., :2] / z[..., None], z
