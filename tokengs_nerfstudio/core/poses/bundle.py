"""Cameras and points that explain sightings best: bundle adjustment (Triggs et al. 1999) with a prior on the cameras.

Every camera is given with an error of unknown size; how large these errors are is found along with them (empirical
Bayes): where sightings agree with the cameras as given, the prior becomes narrow and the cameras stay. Focal lengths
are all wrong by one factor, whose prior is as wide as one expects: a single number does not tell how wide.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import with_focal
from tokengs_nerfstudio.core.poses.tracks import Tracks, triangulated
from tokengs_nerfstudio.core.rotation import invert_rigid, rigid_motion, rotation_vector

# Errors of cameras before anything is known of them: radians, and shares of the largest distance of two cameras.
_TURN, _SHIFT = math.radians(0.5), 0.005
# Of the focal lengths' factor, its natural logarithm.
_FOCAL = 0.1
# Errors of cameras are estimated from this step on, and never below this share of those.
_KNOWN_FROM, _LEAST = 4, 1e-3
# What is unknown of each view: six numbers of its motion, and the logarithm of the factor that all focal lengths share.
_POSE, _UNKNOWN = 6, 7
# The scale of a robust residual falls from what there is, by this factor a step.
_SHARPER = 0.7
# Damping (Levenberg 1944), as a share of the diagonal.
_DAMPING = 1e-4


@dataclass(frozen=True)
class Uncertainty:
    """Standard deviations of the given cameras' errors along each axis, in radians and in units of the world."""

    turn: float
    shift: float

    @classmethod
    def before(cls, c2w: Float[Tensor, "view 4 4"]) -> "Uncertainty":
        """As one expects of cameras of which nothing is known."""
        return cls(_TURN, _SHIFT * _extent(c2w))

    def precision(self, views: int) -> list[float]:
        """Of what is unknown of each of so many views; each has its share in what is known of the focal lengths."""
        return [1 / self.turn**2] * 3 + [1 / self.shift**2] * 3 + [1 / (views * _FOCAL**2)]


@dataclass(frozen=True)
class Free:
    """What of the cameras may change."""

    poses: bool
    focal: bool

    def unknowns(self, views: int) -> tuple[Int[Tensor, "view 7"], int]:
        """Which of the numbers that are looked for each unknown of each view is, and how many there are of these; what
        stays as it is has that number."""
        poses = _POSE * views if self.poses else 0
        count = poses + self.focal
        number = torch.full((views, _UNKNOWN), count)
        if self.poses:
            number[:, :_POSE] = torch.arange(poses).view(views, _POSE)
        number[:, _POSE] = poses
        return number, count


@dataclass(frozen=True)
class Bundle:
    """Cameras, points, and how wrong the cameras as given seem to be."""

    given: Float[Tensor, "view 4 4"]
    c2w: Float[Tensor, "view 4 4"]
    points: Float[Tensor, "point 3"]
    uncertainty: Uncertainty
    focal: float = 1.0
    """what all focal lengths have been multiplied by"""

    @property
    def changes(self) -> Float[Tensor, "view 7"]:
        """Of the cameras from how they were given: rotation vectors and shifts in their own axes, and the logarithm of
        the focal lengths' factor."""
        motion = invert_rigid(self.given) @ self.c2w
        longer = motion.new_full((len(motion), 1), math.log(self.focal))
        return torch.cat([rotation_vector(motion[:, :3, :3]), motion[:, :3, 3], longer], dim=1)


def bundled(
    bundle: Bundle, tracks: Tracks, intrinsics: Float[Tensor, "view 3 3"], sharp: float, steps: int, free: Free
) -> Bundle:
    """`steps` of Gauss and Newton on robust residuals (Geman and McClure 1985) whose scale ends at `sharp` pixels, with
    `intrinsics` as given, of what is `free`."""
    scale = None
    for step in range(steps):
        lenses = with_focal(intrinsics, bundle.focal)
        residual, in_camera, seen = _residuals(bundle, tracks, lenses)
        size = residual.norm(dim=1)
        if scale is None:
            scale = max(sharp, 1.5 * float(size[seen].median())) if bool(seen.any()) else sharp
        weight = seen / (1 + (size / (2 * scale)) ** 2) ** 2 / scale**2
        system = _System.of(bundle, tracks, lenses, residual * seen[:, None], in_camera, weight)
        bundle, covariance = system.stepped(bundle, free)
        if step >= _KNOWN_FROM:
            bundle = replace(bundle, uncertainty=_uncertainty(bundle, covariance))
        scale = max(_SHARPER * scale, sharp)
    return bundle


def sighting_errors(
    tracks: Tracks, c2w: Float[Tensor, "view 4 4"], intrinsics: Float[Tensor, "view 3 3"]
) -> Float[Tensor, " sighting"]:
    """Pixels between where points are seen and where they would be, each placed as well as these cameras allow."""
    points = triangulated(tracks, c2w, intrinsics)
    bundle = Bundle(c2w, c2w, points, Uncertainty.before(c2w))
    residual, _, seen = _residuals(bundle, tracks, intrinsics)
    return residual.norm(dim=1).where(seen, torch.inf)


def _extent(c2w: Float[Tensor, "view 4 4"]) -> float:
    centers = c2w[:, :3, 3]
    return max(float(torch.cdist(centers, centers).max()), 1e-12)


def _residuals(
    bundle: Bundle, tracks: Tracks, intrinsics: Float[Tensor, "view 3 3"]
) -> tuple[Float[Tensor, "sighting 2"], Float[Tensor, "sighting 3"], Bool[Tensor, " sighting"]]:
    """Projected minus seen in pixels, the points in their cameras' axes, and which are in front of them."""
    pose = invert_rigid(bundle.c2w)[tracks.view]
    in_camera = (pose[:, :3, :3] @ bundle.points[tracks.point][..., None])[..., 0] + pose[:, :3, 3]
    seen = in_camera[:, 2] > 1e-3 * _extent(bundle.given)
    in_camera = torch.where(seen[:, None], in_camera, torch.ones_like(in_camera))
    matrix = intrinsics[tracks.view]
    place = (matrix @ (in_camera / in_camera[:, 2:])[..., None])[:, :2, 0]
    return place - tracks.place, in_camera, seen


def _uncertainty(bundle: Bundle, variance: Float[Tensor, "view 7"]) -> Uncertainty:
    """What the motions found and what is not known of them say of the errors (one step of expectation-maximisation)."""
    square = bundle.changes.square() + variance
    least = Uncertainty.before(bundle.given)
    turn, shift = (math.sqrt(float(part.mean())) for part in (square[:, :3], square[:, 3:_POSE]))
    return Uncertainty(max(turn, _LEAST * least.turn), max(shift, _LEAST * least.shift))


@dataclass(frozen=True)
class _System:
    """The normal equations of one step: blocks of cameras, of points, and of the sightings between them."""

    tracks: Tracks
    cameras: Float[Tensor, "view 7 7"]
    camera_slope: Float[Tensor, "view 7"]
    points: Float[Tensor, "point 3 3"]
    point_slope: Float[Tensor, "point 3"]
    between: Float[Tensor, "sighting 7 3"]

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        tracks: Tracks,
        intrinsics: Float[Tensor, "view 3 3"],
        residual: Float[Tensor, "sighting 2"],
        in_camera: Float[Tensor, "sighting 3"],
        weight: Float[Tensor, " sighting"],
    ) -> "_System":
        by_camera, by_point = slopes(bundle.c2w[tracks.view], intrinsics[tracks.view], in_camera)
        views, points = len(bundle.c2w), tracks.points
        weighed = by_camera.mT * weight[:, None, None]
        falling = by_point.mT * weight[:, None, None]
        prior = torch.tensor(bundle.uncertainty.precision(views)).to(residual)
        cameras = _gathered(weighed @ by_camera, tracks.view, views) + torch.diag(prior)
        slope = _gathered((weighed @ residual[..., None])[..., 0], tracks.view, views) + prior * bundle.changes
        blocks = _gathered(falling @ by_point, tracks.point, points)
        # Of a point that no camera sees in front of it nothing is known: it stays where it is.
        floor = 1e-9 * blocks.diagonal(dim1=1, dim2=2).mean() + 1e-12
        blocks = blocks + floor * torch.eye(3).to(blocks)
        return cls(
            tracks, cameras, slope, blocks + _DAMPING * torch.diag_embed(blocks.diagonal(dim1=1, dim2=2)),
            _gathered((falling @ residual[..., None])[..., 0], tracks.point, points), weighed @ by_point,
        )  # fmt: skip

    def stepped(self, bundle: Bundle, free: Free) -> tuple[Bundle, Float[Tensor, "view 7"]]:
        """The bundle one step further, and the variance of what is unknown of each view, points eliminated (Schur)."""
        views, view, point = len(self.cameras), self.tracks.view, self.tracks.point
        inverse = torch.linalg.inv(self.points)
        eliminated = self.between @ inverse[point]
        matrix = torch.block_diag(*self.cameras)
        matrix = matrix + _DAMPING * torch.diag(matrix.diagonal()) - self._through_points(eliminated)
        slope = self.camera_slope - _gathered((eliminated @ self.point_slope[point][..., None])[..., 0], view, views)
        change, variance = _solved(matrix, slope, *free.unknowns(views))
        pulled = _gathered((self.between.mT @ change[view][..., None])[..., 0], point, len(self.points))
        places = bundle.points - (inverse @ (self.point_slope + pulled)[..., None])[..., 0]
        c2w = bundle.c2w @ rigid_motion(change[:, :3], change[:, 3:_POSE])
        focal = bundle.focal * math.exp(float(change[0, _POSE]))
        return replace(bundle, c2w=c2w, points=places, focal=focal), variance

    def _through_points(self, eliminated: Float[Tensor, "sighting 7 3"]) -> Float[Tensor, "row row"]:
        """What sightings of the same points couple cameras with, summed over the pairs of sightings of each point."""
        view, point, views = self.tracks.view, self.tracks.point, len(self.cameras)
        coupled = self.cameras.new_zeros(views * views, _UNKNOWN, _UNKNOWN)
        for apart in range(int(torch.bincount(point).max()) if len(point) else 0):
            first = torch.arange(len(point) - apart)
            first = first[point[first] == point[first + apart]]
            second = first + apart
            block = eliminated[first] @ self.between[second].mT
            coupled.index_add_(0, view[first] * views + view[second], block)
            if apart:
                coupled.index_add_(0, view[second] * views + view[first], block.mT)
        rows = _UNKNOWN * views
        return coupled.view(views, views, _UNKNOWN, _UNKNOWN).permute(0, 2, 1, 3).reshape(rows, rows)


def _solved(
    matrix: Float[Tensor, "row row"], slope: Float[Tensor, "view 7"], number: Int[Tensor, "view 7"], count: int
) -> tuple[Float[Tensor, "view 7"], Float[Tensor, "view 7"]]:
    """Of each unknown of each view its change and its variance, both 0 for those that have the number `count`.

    Unknowns of one number are one: their equations are added up.
    """
    owner = number.flatten()
    rows = _gathered(matrix, owner, count + 1)[:count]
    covariance = torch.linalg.inv(_gathered(rows.mT, owner, count + 1)[:count])
    change = -covariance @ _gathered(slope.flatten(), owner, count + 1)[:count]
    change, variance = (F.pad(found, (0, 1))[number] for found in (change, covariance.diagonal()))
    return change, variance


def _gathered(values: Float[Tensor, "..."], owner: Int[Tensor, " sighting"], count: int) -> Float[Tensor, "..."]:
    """The values of sightings, along the first axis, summed for each of their owners."""
    return values.new_zeros(count, *values.shape[1:]).index_add_(0, owner, values)


def slopes(
    c2w: Float[Tensor, "sighting 4 4"],
    intrinsics: Float[Tensor, "sighting 3 3"],
    in_camera: Float[Tensor, "sighting 3"],
) -> tuple[Float[Tensor, "sighting 2 7"], Float[Tensor, "sighting 2 3"]]:
    """Of projected places, by a motion of the camera in its own axes with the logarithm of its focal lengths, and by
    the point."""
    x, y, z = in_camera.unbind(1)
    zero = torch.zeros_like(x)
    flat = torch.stack([1 / z, zero, -x / z**2, zero, 1 / z, -y / z**2], dim=1).view(-1, 2, 3)
    pixels = intrinsics[:, :2, :2] @ flat
    # What the camera turns and moves by, the point turns and moves back by.
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(-1, 3, 3)
    longer = intrinsics[:, :2, :2] @ (in_camera[:, :2] / in_camera[:, 2:])[..., None]
    return torch.cat([pixels @ cross, -pixels, longer], dim=2), pixels @ c2w[:, :3, :3].mT
