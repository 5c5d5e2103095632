"""How people walk with a camera: paths of positions with what each looks at."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural.cameras import length, look_at, spread_order

Range = tuple[float, float]


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """As likely between 1 and 2 as between 2 and 4."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


@dataclass(frozen=True)
class CameraPath:
    """Positions and targets [V 3] of cameras; `up` [3] or one for each [V 3]."""

    positions: np.ndarray
    targets: np.ndarray
    up: np.ndarray

    def cameras(self, rng: Generator, roll: float) -> np.ndarray:
        """OpenCV camera-to-world matrices [V 4 4], rolled up to so many radians; every prefix spreads over the path."""
        count = len(self.positions)
        turns = roll * 0.5 * (rng.uniform(-1, 1) + rng.uniform(-1, 1, count))
        ahead = self.targets - self.positions
        c2w = look_at(self.positions, self.targets, np.broadcast_to(self.up, self.positions.shape), turns)
        scale = np.median(length(ahead))
        return c2w[spread_order(rng, np.hstack([self.positions / scale, ahead / length(ahead)[:, None]]))]


UP = np.array([0.0, 0.0, 1.0])


def sphere(azimuth: np.ndarray | float, elevation: np.ndarray | float) -> np.ndarray:
    """Unit vectors [.. 3] of angles in radians."""
    azimuth, elevation = np.broadcast_arrays(azimuth, elevation)
    flat = np.cos(elevation)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], -1)


def _along(rng: Generator, count: int) -> np.ndarray:
    """[V] in [0, 1], one in each of equal stretches, in any order."""
    return (rng.permutation(count) + rng.uniform(0, 1, count)) / count


def orbit(
    rng: Generator, count: int, target: np.ndarray, distance: float, span: Range, elevation: Range, wobble: float
) -> CameraPath:
    """Around a target: `span` and `elevation` in degrees are ranges of the arc and of its middle's height; looks go
    past the target by up to `wobble` of the distance."""
    arc, middle = math.radians(rng.uniform(*span)), math.radians(rng.uniform(*elevation))
    azimuth = rng.uniform(0, 2 * math.pi) + arc * _along(rng, count)
    height = middle + math.radians(15.0) * rng.uniform() ** 2 * rng.uniform(-1, 1, count)
    if rng.random() < 0.2:  # two rounds, one above the other
        height += np.where(rng.random(count) < 0.5, 1, -1) * math.radians(rng.uniform(5, 15))
    height = np.clip(height, math.radians(1.0), math.radians(85.0))
    reach = distance * (1.0 + 0.15 * rng.uniform() * rng.uniform(-1, 1, (count, 1)))
    positions = target + reach * sphere(azimuth, height)
    return CameraPath(positions, target + wobble * distance * rng.uniform(-1, 1, (count, 3)), UP)


def side_by_side(
    rng: Generator, count: int, target: np.ndarray, distance: float, spread: float, azimuth: float, elevation: float
) -> CameraPath:
    """Before a target, up to half of `spread` to each side, all facing about the same way."""
    ahead = -sphere(azimuth, elevation)
    right = np.array([-ahead[1], ahead[0], 0.0]) / math.hypot(ahead[0], ahead[1])
    above = np.cross(right, ahead)
    aside = spread * (_along(rng, count) - 0.5)[:, None] * right
    aside = aside + spread * rng.uniform(0.05, 0.6) * rng.uniform(-0.5, 0.5, (count, 1)) * above
    forth = spread * rng.uniform(0.0, 0.5) * rng.uniform(-0.5, 0.5, (count, 1)) * ahead
    positions = target - distance * ahead + aside + forth
    towards = rng.uniform(0.0, 1.0) if rng.random() < 0.6 else 0.0  # 1: all look at the target, 0: all straight on
    targets = (1.0 - towards) * (positions + distance * ahead) + towards * target
    return CameraPath(positions, targets + 0.04 * distance * rng.uniform(-1, 1, (count, 3)), UP)


def walk(rng: Generator, count: int, start: np.ndarray, stop: np.ndarray, turn: float, distance: float) -> CameraPath:
    """From start to stop; looks are turned from the way by `turn` radians and meet something at `distance`."""
    way = stop - start
    positions = start + _along(rng, count)[:, None] * way + 0.04 * distance * rng.uniform(-1, 1, (count, 3))
    heading = math.atan2(way[1], way[0]) + turn + math.radians(rng.uniform(0, 12)) * rng.uniform(-1, 1, count)
    ahead = sphere(heading, math.radians(rng.uniform(-12, 6)) + math.radians(3) * rng.uniform(-1, 1, count))
    return CameraPath(positions, positions + distance * ahead, UP)


def turning(rng: Generator, count: int, place: np.ndarray, span: Range, sway: float, distance: float) -> CameraPath:
    """About a place, looking outwards over an arc of `span` degrees; positions sway on a small arc of that radius."""
    arc = math.radians(rng.uniform(*span))
    azimuth = rng.uniform(0, 2 * math.pi) + arc * (_along(rng, count) - 0.5)
    ahead = sphere(azimuth, math.radians(rng.uniform(-15, 8)) + math.radians(6) * rng.uniform(-1, 1, count))
    positions = place + sway * sphere(azimuth, 0.0) + 0.4 * sway * rng.uniform(-1, 1, (count, 3))
    return CameraPath(positions, positions + distance * ahead, UP)


def above(rng: Generator, count: int, height: float, spread: float, tilt: float) -> CameraPath:
    """Over the ground at about `height`, in lines of length `spread`, looking down, `tilt` radians from straight."""
    heading = rng.uniform(0, 2 * math.pi)
    ahead, right = sphere(heading, 0.0), sphere(heading + math.pi / 2, 0.0)
    wide = spread * (rng.uniform(0.2, 1.0) if rng.random() < 0.7 else 0.05)
    positions = spread * (_along(rng, count) - 0.5)[:, None] * ahead + wide * rng.uniform(-0.5, 0.5, (count, 1)) * right
    positions[:, 2] = height * (1.0 + 0.06 * rng.uniform(-1, 1, count))
    positions -= height * math.tan(tilt) * ahead
    down = np.array([0.0, 0.0, -1.0])
    looks = math.cos(tilt) * down + math.sin(tilt) * ahead + 0.08 * rng.uniform(-1, 1, (count, 3))
    return CameraPath(positions, positions + height / math.cos(tilt) * looks, ahead)
