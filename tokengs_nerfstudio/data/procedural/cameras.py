"""Random camera paths around a subject of radius one at the origin."""

import math

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural.config import ProceduralConfig
from tokengs_nerfstudio.data.view_sampler import farthest_first

CLEARANCE = 1.4
"""No camera comes nearer to the origin; the subject stays within 1.25."""
ABOVE_GROUND = 0.15


def length(vectors: np.ndarray) -> np.ndarray:
    """Lengths of vectors [..., n]; a fifth of the time that numpy's norm takes on few of them."""
    return np.sqrt(np.einsum("...i,...i->...", vectors, vectors))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., [1, 2, 0]] * b[..., [2, 0, 1]] - a[..., [2, 0, 1]] * b[..., [1, 2, 0]]


def random_fov(rng: Generator, config: ProceduralConfig) -> float:
    """Field of view along the shorter side, in radians."""
    low, high = np.log(config.fov)
    return math.radians(math.exp(rng.uniform(low, high)))


def view_intrinsics(fov: float, height: int, width: int) -> np.ndarray:
    """Pinhole intrinsics [3 3] of a field of view (radians) along the shorter side of the image."""
    focal = 0.5 * min(height, width) / math.tan(0.5 * fov)
    return np.array([[focal, 0.0, 0.5 * width], [0.0, focal, 0.5 * height], [0.0, 0.0, 1.0]])


def spread_order(rng: Generator, points: np.ndarray) -> np.ndarray:
    """`spread_from` a point that is drawn."""
    return spread_from(points, int(rng.integers(len(points))))


def spread_from(points: np.ndarray, first: int) -> np.ndarray:
    """Indices so that every prefix covers the points well: each next one is the farthest from all before it."""
    apart = length(points[:, None] - points[None])
    return np.array(farthest_first(apart, len(points), first=first))


def _on_sphere(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    flat = np.cos(elevation)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], -1)


def _orbit(rng: Generator, config: ProceduralConfig, count: int, distance: float, centre: float) -> np.ndarray:
    span = math.radians(rng.uniform(*config.orbit_span))
    along = (rng.permutation(count) + rng.uniform(0, 1, count)) / count
    azimuth = rng.uniform(0, 2 * math.pi) + span * along
    jitter = math.radians(config.elevation_jitter) * rng.uniform()
    elevation = centre + jitter * rng.uniform(-1, 1, count)
    return distance * rng.uniform(0.85, 1.15, (count, 1)) * _on_sphere(azimuth, elevation)


def _forward(rng: Generator, count: int, distance: float, centre: float) -> np.ndarray:
    middle = _on_sphere(np.array(rng.uniform(0, 2 * math.pi)), np.array(centre))
    offsets = rng.uniform(-1, 1, (count, 3)) * rng.uniform(0.25, 0.75)
    offsets -= (offsets @ middle)[:, None] * middle * rng.uniform(0.6, 1.0)
    return distance * (middle + offsets)


def _wander(rng: Generator, count: int, distance: float, centre: float) -> np.ndarray:
    azimuth = rng.uniform(0, 2 * math.pi) + math.radians(rng.uniform(40, 140)) * rng.uniform(-0.5, 0.5, count)
    elevation = centre + rng.uniform(-0.3, 0.3, count)
    return distance * rng.uniform(0.55, 1.2, (count, 1)) * _on_sphere(azimuth, elevation)


def look_at(positions: np.ndarray, targets: np.ndarray, up: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """OpenCV camera-to-world matrices [V, 4, 4] from positions and targets [V, 3]; roll [V] in radians."""
    forward = targets - positions
    forward = forward / length(forward)[:, None]
    right = _cross(forward, up)
    right /= length(right)[:, None]
    down = _cross(forward, right)
    cosine, sine = np.cos(roll)[:, None], np.sin(roll)[:, None]
    c2w = np.tile(np.eye(4), (len(positions), 1, 1))
    c2w[:, :3, 0], c2w[:, :3, 1] = cosine * right + sine * down, cosine * down - sine * right
    c2w[:, :3, 2], c2w[:, :3, 3] = forward, positions
    return c2w


def random_cameras(
    rng: Generator, config: ProceduralConfig, count: int, fov: float, ground: float | None, on_wall: bool
) -> np.ndarray:
    """OpenCV camera-to-world matrices [count, 4, 4], every prefix spread over the path.

    `ground` is the height of a floor to stay above, None without one; `on_wall` turns the cameras so that the floor
    is a wall to them.
    """
    wanted = 1.0 / (math.tan(fov / 2) * rng.uniform(*config.fill))
    distance = float(np.clip(wanted, 1.6, 9.0))
    low, high = (35.0, 75.0) if on_wall else config.elevation if ground is not None else (-30.0, 60.0)
    centre = math.radians(rng.uniform(low, high))
    path = rng.uniform()
    if path < config.orbit_probability:
        positions = _orbit(rng, config, count, distance, centre)
    elif path < config.orbit_probability + config.forward_probability:
        positions = _forward(rng, count, distance, centre)
    else:
        positions = _wander(rng, count, distance, centre)
    if ground is not None:
        positions[:, 2] = np.maximum(positions[:, 2], ground + ABOVE_GROUND)
    reach = length(positions)[:, None]
    positions *= np.maximum(CLEARANCE / reach, 1.0)
    wobble = math.tan(math.radians(config.pitch)) * math.tan(fov / 2) / math.tan(math.radians(22.5)) * reach
    targets = rng.uniform(-0.25, 0.25, 3) + wobble * rng.uniform(-1, 1, (count, 3))
    angle = rng.uniform(0, 2 * math.pi)
    up = np.array([math.cos(angle), math.sin(angle), 0.0]) if on_wall else np.array([0.0, 0.0, 1.0])
    roll = np.radians(config.roll) * 0.5 * (rng.uniform(-1, 1) + rng.uniform(-1, 1, count))
    return look_at(positions, targets, up, roll)[spread_order(rng, positions)]
