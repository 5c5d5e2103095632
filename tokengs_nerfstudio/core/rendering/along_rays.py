"""Pictures along any rays: fisheye, panorama, stereo panorama, orthographic; resampled from pinhole pictures.

The renderers know pinhole cameras only. A picture is cut into blocks of rays that one pinhole camera sees well; what
that camera sees is sampled where the rays meet its image.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.rendering.render import Backend, render_cameras
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig, Renders

# A pinhole picture stretches by 1 / cos^2 towards its border: 1.7 times at this angle.
_WIDEST = math.radians(40)
# Pixels of the pinhole picture for one of the block: sampling between pixels blurs, finer ones less.
_FINER = 1.5
# Parallel rays are seen from so many scene sizes away: what is one size behind the image plane comes out 0.1 % smaller.
_FAR_AWAY = 1000.0
_LARGEST_SIDE = 8192


@dataclass(frozen=True)
class RayGrid:
    """The rays of a picture's pixels: world-space origins and unit directions."""

    origins: Float[Tensor, "height width 3"]
    directions: Float[Tensor, "height width 3"]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        return self.origins.shape[0], self.origins.shape[1]

    def block(self, rows: slice, columns: slice) -> "RayGrid":
        """A part of the picture."""
        return RayGrid(self.origins[rows, columns], self.directions[rows, columns])

    @property
    def parallel(self) -> bool:
        """Whether all look the same way from different places."""
        return _spread(self.origins) > 0 and _spread(self.directions) < 1e-5


@dataclass(frozen=True)
class _Piece:
    """A pinhole camera for a block of rays, and where the rays meet its image (pixels)."""

    camera: Cameras
    points: Float[Tensor, "height width 2"]


@torch.no_grad()
def render_along(splats: Gaussians, rays: RayGrid, config: RenderConfig, backend: Backend = "auto") -> Renders:
    """One scene's picture along `rays`, as one view; its depth is the length along the ray, 0 where nothing is.

    ValueError for rays that are not finite.
    """
    if not (rays.origins.isfinite().all() and rays.directions.isfinite().all()):
        raise UserError("the rays of a picture must be finite; look for nan in the camera's pose")
    if rays.parallel:
        return _seen(splats, rays, _from_afar(rays, splats), config, backend)
    layers = rays.origins.new_zeros(1, 5, *rays.size)
    for rows, columns in _blocks(rays, _parallax_tolerance(splats, rays)):
        block = rays.block(rows, columns)
        part = _seen(splats, block, _piece(block), config, backend)
        layers[:, :, rows, columns] = torch.cat([values for _, values in part.tensors()], dim=1)
    return Renders(layers[:, :3], layers[:, 3:4], layers[:, 4:])


def _seen(splats: Gaussians, rays: RayGrid, piece: _Piece, config: RenderConfig, backend: Backend) -> Renders:
    """The block's picture from its pinhole camera's."""
    camera = piece.camera
    back = _behind(rays, camera)
    planes = replace(config, near=config.near + back, far=config.far + back)
    renders = render_cameras(splats, camera, planes, backend=backend)
    assert renders.depth is not None
    # Depths are means over what is there: where nothing is, they must not count.
    layers = torch.cat([renders.rgb, renders.alpha, renders.depth * renders.alpha], dim=1)
    size = piece.points.new_tensor([camera.width, camera.height])
    at = 2 * piece.points / size - 1
    sampled = F.grid_sample(layers, at[None], mode="bilinear", padding_mode="border", align_corners=False)
    alpha = sampled[:, 3:4]
    z = sampled[:, 4:] / alpha.clamp(min=1e-6)
    axis, center = camera.c2w[0, :3, 2], camera.c2w[0, :3, 3]
    length = (z - (rays.origins - center) @ axis) / (rays.directions @ axis)
    return Renders(sampled[:, :3], alpha, torch.where(alpha > 0, length, torch.zeros_like(length)))


def _behind(rays: RayGrid, camera: Cameras) -> float:
    """How far the camera stands behind the rays' origins, in its z."""
    offset = rays.origins.reshape(-1, 3).mean(0) - camera.c2w[0, :3, 3]
    return max(float(offset @ camera.c2w[0, :3, 2]), 0.0)


def _blocks(rays: RayGrid, tolerance: float) -> Iterator[tuple[slice, slice]]:
    """Parts of the picture that one pinhole camera sees: halved across until their rays agree."""
    waiting = [(0, rays.size[0], 0, rays.size[1])]
    while waiting:
        top, bottom, left, right = waiting.pop()
        rows, columns = slice(top, bottom), slice(left, right)
        block = rays.block(rows, columns)
        if _alike(block, tolerance):
            yield rows, columns
        elif _wider_across(block):
            middle = (left + right) // 2
            waiting += [(top, bottom, left, middle), (top, bottom, middle, right)]
        else:
            middle = (top + bottom) // 2
            waiting += [(top, middle, left, right), (middle, bottom, left, right)]


def _alike(block: RayGrid, tolerance: float) -> bool:
    height, width = block.size
    if height * width == 1:
        return True
    towards = block.directions.reshape(-1, 3).mean(0)
    if float(towards.norm()) < 0.5:
        return False
    cosines = block.directions @ F.normalize(towards, dim=0)
    return float(cosines.min()) > math.cos(_WIDEST) and _spread(block.origins) <= tolerance


def _wider_across(block: RayGrid) -> bool:
    """Whether the rays differ more along the rows than along the columns; never a cut through a single pixel."""
    height, width = block.size
    if min(height, width) == 1:
        return width > 1
    both = torch.cat([block.directions, block.origins], dim=-1)

    def way(steps: Tensor) -> float:
        return float(steps.norm(dim=-1).mean())

    across = way(both[:, 1:] - both[:, :-1]) * (width - 1)
    return across >= way(both[1:] - both[:-1]) * (height - 1)


def _parallax_tolerance(splats: Gaussians, rays: RayGrid) -> float:
    """How far origins may lie from each other's middle: what is near is then seen half a pixel off."""
    if splats.count == 0:
        return math.inf
    distances = (splats.means - rays.origins.reshape(-1, 3).mean(0)).norm(dim=-1)
    # torch.quantile takes 16 million values at most.
    near = distances.kthvalue(max(1, round(0.05 * splats.count))).values
    return 0.5 * _step(rays) * float(near)


def _spread(vectors: Float[Tensor, "height width 3"]) -> float:
    """The largest distance from the mean."""
    flat = vectors.reshape(-1, 3)
    return float((flat - flat.mean(0)).norm(dim=-1).max())


def _step(rays: RayGrid) -> float:
    """The usual angle (radians) from a pixel to its neighbour; where rays crowd together that across them counts."""
    across = (rays.directions[:, 1:] - rays.directions[:, :-1]).norm(dim=-1)
    down = (rays.directions[1:] - rays.directions[:-1]).norm(dim=-1)
    steps = [float(step.median()) for step in (across, down) if step.numel()]
    return max(steps, default=0.0)


def _piece(block: RayGrid) -> _Piece:
    """The smallest pinhole picture that holds the block's rays, with pixels a little finer than they lie apart."""
    axis = F.normalize(block.directions.reshape(-1, 3).mean(0), dim=0)
    rotation = _looking(axis, block.directions[:, -1].mean(0) - block.directions[:, 0].mean(0))
    inside = block.directions @ rotation
    flat = inside[..., :2] / inside[..., 2:]
    low, high = flat.reshape(-1, 2).amin(0), flat.reshape(-1, 2).amax(0)
    widest = float((high - low).max())
    focal = _FINER / max(_step(block), widest / _LARGEST_SIDE, 1e-4)
    return _pinhole(rotation, block.origins.reshape(-1, 3).mean(0), focal, flat * focal)


def _from_afar(rays: RayGrid, splats: Gaussians) -> _Piece:
    """Parallel rays as a pinhole camera sees them from far behind."""
    axis = F.normalize(rays.directions.reshape(-1, 3).mean(0), dim=0)
    rotation = _looking(axis, rays.origins[:, -1].mean(0) - rays.origins[:, 0].mean(0))
    middle = rays.origins.reshape(-1, 3).mean(0)
    sizes = [_spread(rays.origins)]
    if splats.count:
        sizes.append(float((splats.means - middle).norm(dim=-1).median()))
    away = _FAR_AWAY * max(sizes)
    flat = ((rays.origins - middle) @ rotation)[..., :2]
    steps = [(flat[:, 1:] - flat[:, :-1]).norm(dim=-1), (flat[1:] - flat[:-1]).norm(dim=-1)]
    step = max(float(step.median()) for step in steps if step.numel())
    return _pinhole(rotation, middle - away * axis, _FINER * away / step, flat * _FINER / step)


def _pinhole(rotation: Tensor, center: Tensor, focal: float, points: Float[Tensor, "height width 2"]) -> _Piece:
    """The camera whose picture holds `points` (pixels from its optical axis) and a pixel around them."""
    low = points.reshape(-1, 2).amin(0) - 1.0
    extent = (points.reshape(-1, 2).amax(0) + 1.0 - low).ceil()
    c2w = torch.eye(4, dtype=rotation.dtype, device=rotation.device)
    c2w[:3, :3], c2w[:3, 3] = rotation, center
    intrinsics = torch.eye(3, dtype=rotation.dtype, device=rotation.device)
    intrinsics[0, 0] = intrinsics[1, 1] = focal
    intrinsics[:2, 2] = -low
    return _Piece(Cameras(c2w[None], intrinsics[None], int(extent[0]), int(extent[1])), points - low)


def _looking(axis: Float[Tensor, "3"], right: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """OpenCV camera-to-world rotation that looks along `axis`, with `right` to the right as far as that tells."""
    right = right - (right @ axis) * axis
    if float(right.norm()) < 1e-6:
        helper = F.one_hot(axis.abs().argmin(), 3).to(axis)
        right = torch.linalg.cross(axis, helper)
    right = F.normalize(right, dim=0)
    return torch.stack([right, torch.linalg.cross(axis, right), axis], dim=1)
