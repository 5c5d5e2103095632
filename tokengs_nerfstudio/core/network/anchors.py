"""Anchors: where in the scene each token looks and puts its Gaussians, and how far around that point.

Source of the open form: LocusGS (arXiv 2608.12825). The bounded form is ours.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tokengs_nerfstudio.core.constants import constant
from tokengs_nerfstudio.core.records import TensorRecord

POSITION_CHANNELS = 384
FIRST_RAW_RADIUS = math.log(math.e - 1.0)
"""of a radius of 1"""
LARGEST_STEP = 1000.0
SMALLEST_RADIUS = 1e-3

_RAY_BANDWIDTH = 0.1
_SMALLEST_VARIANCE = 1e-3
_LOWEST_BIAS = -20.0
# Where the fast way rounds the bias by less than 0.02.
_NEAR = 8.0
_SLOWEST = 10000.0


def stretched(x: Float[Tensor, "*batch"], largest: float = LARGEST_STEP) -> Float[Tensor, "*batch"]:
    """sign(x) (e^|x| - 1), cut at +-`largest`; its slope at 0 is 1."""
    limit = math.log1p(largest)
    x = x.clamp(-limit, limit)
    # torch's sign and abs are flat at 0, where a network whose last layer is still zero would never learn.
    sign = torch.where(x < 0, -1.0, 1.0).to(x.dtype)
    return sign * (sign * x).expm1()


def shrunk(x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """What `stretched` makes `x` of: sign(x) ln(1 + |x|)."""
    return x.sign() * x.abs().log1p()


def squashed(x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """x up to +-1/2 and beyond it +-(1 + tanh(2|x| - 1)) / 2: smooth, monotonic, never above 1 in size."""
    inner = x.clamp(-0.5, 0.5)
    return inner + 0.5 * torch.tanh(2.0 * (x - inner))


@dataclass(frozen=True)
class Anchors(TensorRecord):
    """The tokens' anchors in the canonical frame, free to go anywhere (LocusGS)."""

    positions: Float[Tensor, "batch token 3"]
    raw_radii: Float[Tensor, "batch token 1"]

    @property
    def count(self) -> int:
        return self.positions.shape[-2]

    @property
    def coordinates(self) -> Float[Tensor, "batch token 3"]:
        """What tokens are told of their position."""
        return self.positions

    @property
    def centers(self) -> Float[Tensor, "batch token 3"]:
        """The anchors in the canonical frame."""
        return self.positions

    @property
    def radii(self) -> Float[Tensor, "batch token 1"]:
        return F.softplus(self.raw_radii).clamp(min=SMALLEST_RADIUS)

    @property
    def reach(self) -> Float[Tensor, "batch token 1"]:
        """The radii in canonical units."""
        return self.radii

    def moved(self, shift: Float[Tensor, "batch token 3"], widening: Float[Tensor, "batch token 1"]) -> "Anchors":
        """The anchors after an update by what the network says of it."""
        return replace(self, positions=self.positions + stretched(shift), raw_radii=self.raw_radii + widening)

    def around(self, raw: Float[Tensor, "batch token gaussian 3"]) -> Float[Tensor, "batch token gaussian 3"]:
        """Centres of each token's Gaussians: anchor + radius * stretched(raw)."""
        return self.centers[:, :, None] + self.radii[:, :, None] * stretched(raw)


@dataclass(frozen=True)
class BoundedAnchors(Anchors):
    """Anchors that cannot run away: everything is added up before `stretched`, and bounded there.

    A point's place is f(s) = (0, 0, z_offset) + stretched(L squashed(s / L)) with L = ln(1 + far), so no coordinate
    leaves +-far around (0, 0, z_offset) and nothing changes within +-(sqrt(1 + far) - 1). Anchors are f(positions),
    Gaussians f(positions + radius * squashed(raw)), radii L squashed(softplus / L): a token's Gaussians stay within its
    radius, which is measured before `stretched` and therefore grows with the distance.
    """

    z_offset: float = 0.0
    far: float = 125.0

    @property
    def coordinates(self) -> Float[Tensor, "batch token 3"]:
        return self._bounded(self.positions)

    @property
    def centers(self) -> Float[Tensor, "batch token 3"]:
        return self._place(self.positions)

    @property
    def radii(self) -> Float[Tensor, "batch token 1"]:
        return self._bounded(F.softplus(self.raw_radii)).clamp(min=SMALLEST_RADIUS)

    @property
    def reach(self) -> Float[Tensor, "batch token 1"]:
        stretch = self.coordinates.abs().amax(-1, keepdim=True).exp()
        return self.radii * stretch

    def moved(self, shift: Float[Tensor, "batch token 3"], widening: Float[Tensor, "batch token 1"]) -> "Anchors":
        return replace(self, positions=self.positions + shift, raw_radii=self.raw_radii + widening)

    def around(self, raw: Float[Tensor, "batch token gaussian 3"]) -> Float[Tensor, "batch token gaussian 3"]:
        return self._place(self.positions[:, :, None] + self.radii[:, :, None] * squashed(raw))

    def _bounded(self, x: Tensor) -> Tensor:
        limit = math.log1p(self.far)
        return limit * squashed(x / limit)

    def _place(self, x: Tensor) -> Tensor:
        return stretched(self._bounded(x), self.far) + constant([0.0, 0.0, self.z_offset], x)


def position_channels(coordinates: Float[Tensor, "batch token 3"]) -> Float[Tensor, "batch token 384"]:
    """Sines and cosines, in turn, of pi (tanh(x) + 1) at 64 frequencies from 1 to 1/10,000, for each coordinate."""
    per_axis = POSITION_CHANNELS // 3
    steps = torch.arange(per_axis // 2, dtype=coordinates.dtype, device=coordinates.device)
    angles = math.pi * (coordinates.tanh() + 1.0)[..., None] / (_SLOWEST ** (2 * steps / per_axis) + 1e-6)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-3)


def patch_rays(rays: Float[Tensor, "batch view 6 height width"], patch: int) -> Float[Tensor, "batch memory 6"]:
    """The mean Pluecker coordinates of each patch's pixels, with directions of length 1; order as in the memory."""
    means = F.avg_pool2d(rays.flatten(0, 1), patch).unflatten(0, rays.shape[:2])
    means = means.permute(0, 1, 3, 4, 2).flatten(1, 3)
    return means / means[..., 3:].norm(dim=-1, keepdim=True).clamp(min=1e-6)


def ray_bias(anchors: Anchors, rays: Float[Tensor, "batch memory 6"]) -> Float[Tensor, "batch token memory"]:
    """How little a ray has to do with an anchor, in [-20, 0]: -(distance between them)^2 / (2 variance).

    The variance is (0.1 reach)^2, at least 1e-3.
    """
    centers = anchors.centers
    near = centers.device.type == "cpu" and bool(centers.detach().abs().amax() < _NEAR)
    squared = near_squared_distances(centers, rays) if near else squared_distances(centers, rays)
    variance = (_RAY_BANDWIDTH * anchors.reach).square().clamp(min=_SMALLEST_VARIANCE)
    return (squared * (-0.5 / variance)).clamp(_LOWEST_BIAS, 0.0)


def squared_distances(
    points: Float[Tensor, "batch token 3"], rays: Float[Tensor, "batch memory 6"]
) -> Float[Tensor, "batch token memory"]:
    """|a x d - m|^2 of every point and line (moment, unit direction); exact for any point, and for products in TF32."""
    mx, my, mz, x, y, z = rays.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [zero, z, -y, -mx, -z, zero, x, -my, y, -x, zero, -mz]
    lines = torch.stack(rows, dim=1).unflatten(1, (3, 4))
    return (F.pad(points, (0, 1), value=1.0)[:, None] @ lines).square().sum(1)


def near_squared_distances(
    points: Float[Tensor, "batch token 3"], rays: Float[Tensor, "batch memory 6"]
) -> Float[Tensor, "batch token memory"]:
    """`squared_distances` in a third of the time, as one product of ten features.

    |a x d - m|^2 = |a|^2 - (a d)^2 - 2 a (d x m) + |m|^2 for directions of length 1. Its rounding error is that of
    |a|^2, whatever the distance is, and it may come out below 0.
    """
    moment, direction = rays[..., :3], rays[..., 3:]
    x, y, z = points.unbind(-1)
    of_points = torch.stack([x * x, y * y, z * z, x * y, x * z, y * z, x, y, z, torch.ones_like(x)], dim=-1)
    dx, dy, dz = direction.unbind(-1)
    quadratic = [1 - dx * dx, 1 - dy * dy, 1 - dz * dz, -2 * dx * dy, -2 * dx * dz, -2 * dy * dz]
    linear = -2.0 * torch.linalg.cross(direction, moment)
    of_rays = torch.cat(
        [torch.stack(quadratic, dim=-1), linear, moment.square().sum(-1, keepdim=True)],
        dim=-1,
    )
    return of_points @ of_rays.mT
