"""Whether poses may be wrong: where things that repeat were taken for one another, photos contradict them.

They do in two ways: matches that do not fit the poses, and photos that show little of what by the poses they would.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from tokengs_nerfstudio.core.errors import in_short
from tokengs_nerfstudio.data.posing.solution import Comparison, Pair, Solution

# COLMAP's own tolerance of matches, in pixels of the pictures that it looks at.
_TOLERANCE = 4.0
# Fewer matches than the first are chance; of a pair that contradicts, fewer than this share fit the poses.
_LEAST_MATCHES, _LEAST_FITTING = 30, 0.5
# Things that repeat give matches which right poses outvote: few, beside what fits between a photo and its best others.
_BEST_OTHERS, _STRONG = 3, 0.5
# From nearly the same direction and distance things look the same; fewer points than this are chance.
_SAME_DIRECTION, _SAME_DISTANCE, _LEAST_POINTS = math.cos(math.radians(12)), 1.4, 30
_LEAST_SHARED = 0.1
# Some pairs speak against right poses too. How the limits were chosen, and what they miss: docs/photos.md.
_MOST_AGAINST, _MOST_UNSHARED, _LEAST_UNSHARED = 0.02, 0.05, 3


@dataclass(frozen=True)
class Doubt:
    """Of `pairs` photos that match, `against` contradict the poses, and of `overlaps` that should show the same,
    `unshared` hardly do; `photos` are in most of these, by index."""

    pairs: int
    against: int
    overlaps: int
    unshared: int
    photos: tuple[int, ...]

    def told(self, names: Sequence[str]) -> str:
        """In one line, with the photos by name."""
        listed = in_short([names[index] for index in self.photos])
        return (
            f"these poses are doubtful: {self.against} of {self.pairs} pairs of photos that match contradict them, "
            f"{self.unshared} of {self.overlaps} that should show the same do not, "
            f"most with {listed}. Things that repeat may have been taken for one another: look at the cameras in the "
            "viewer, and take photos between these and the others"
        )


def fitting(
    first: Float[ndarray, "match 2"],
    second: Float[ndarray, "match 2"],
    first_c2w: Float[ndarray, "4 4"],
    second_c2w: Float[ndarray, "4 4"],
    focal: float,
) -> int:
    """How many matches between two photos fit their poses: places x / z, y / z in the axes of each OpenCV camera.

    They do within 4 px of their epipolar lines, to first order, seen with a focal length in pixels (Sampson's distance:
    Hartley and Zisserman, Multiple View Geometry, 11.4.3), if what they show lies in front of both.
    """
    motion = np.linalg.inv(second_c2w) @ first_c2w
    turn, step = motion[:3, :3], motion[:3, 3]
    a, b = (np.concatenate([places, np.ones_like(places[:, :1])], axis=1) for places in (first, second))
    turned = a @ turn.T
    lines, back = np.cross(step, turned), np.cross(b, step) @ turn
    slopes = (lines[:, :2] ** 2).sum(1) + (back[:, :2] ** 2).sum(1)
    off = np.abs((b * lines).sum(1)) / np.sqrt(np.maximum(slopes, 1e-18))
    return int(((off * focal < _TOLERANCE) & _in_front(turned, b, step)).sum())


def _in_front(turned: Float[ndarray, "match 3"], seen: Float[ndarray, "match 3"], step: Float[ndarray, "3"]) -> ndarray:
    """Where depths s, t > 0 bring s turned + step nearest to t seen."""
    aa, ab, bb = ((x * y).sum(1) for x, y in ((turned, turned), (turned, seen), (seen, seen)))
    a, b = turned @ step, seen @ step
    return (ab * b > bb * a) & (aa * b > ab * a)


def in_view(
    points: Float[ndarray, "point 3"],
    first_c2w: Float[ndarray, "4 4"],
    second_c2w: Float[ndarray, "4 4"],
    low: Float[ndarray, "2"],
    high: Float[ndarray, "2"],
) -> Bool[ndarray, " point"]:
    """Which points of the world that one OpenCV camera sees another one sees too if nothing hides them: between the
    places x / z, y / z `low` and `high` of its picture, from within 12 degrees of the direction and 1.4 times the
    distance, so that they look the same."""
    first, second = points - first_c2w[:3, 3], points - second_c2w[:3, 3]
    inside = second @ second_c2w[:3, :3]
    ahead = inside[:, 2] > 0
    places = inside[:, :2] / np.where(ahead, inside[:, 2], 1.0)[:, None]
    near, far = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    alike = (first * second).sum(1) > _SAME_DIRECTION * near * far
    alike &= np.maximum(near, far) < _SAME_DISTANCE * np.minimum(near, far)
    return ahead & alike & (places > low).all(1) & (places < high).all(1)


def doubt(solution: Solution) -> Doubt | None:
    """Why poses may be wrong; None where photos do not say so."""
    pairs = [one for one in solution.comparisons if one.fitting is not None and one.matches >= _LEAST_MATCHES]
    usual = _usual(pairs)
    against = [one.pair for one in pairs if _contradicts(one, usual)]
    overlaps = [one for one in solution.overlaps if one.expected >= _LEAST_POINTS]
    unshared = [one.pair for one in overlaps if one.shared < _LEAST_SHARED * one.expected]
    too_few = len(unshared) > _MOST_UNSHARED * len(overlaps) and len(unshared) >= _LEAST_UNSHARED
    if len(against) <= _MOST_AGAINST * len(pairs) and not too_few:
        return None
    return Doubt(len(pairs), len(against), len(overlaps), len(unshared), _commonest(against + unshared))


def _usual(pairs: Sequence[Comparison]) -> dict[int, int]:
    """For each photo, how many matches fit with the third of its best others, or the last where they are fewer."""
    fits: dict[int, list[int]] = defaultdict(list)
    for one in pairs:
        for index in one.pair:
            fits[index].append(one.fitting or 0)
    return {index: sorted(found)[-_BEST_OTHERS:][0] for index, found in fits.items()}


def _contradicts(one: Comparison, usual: dict[int, int]) -> bool:
    fit = one.fitting or 0
    strong = one.matches - fit > _STRONG * min(usual[index] for index in one.pair)
    return fit < _LEAST_FITTING * one.matches and strong


def _commonest(pairs: Sequence[Pair]) -> tuple[int, ...]:
    return tuple(index for index, _ in Counter(index for pair in pairs for index in pair).most_common(3))
