"""Whether poses may be wrong: where things that repeat were taken for one another, matches contradict them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.data.capture.transforms_json import in_short
from tokengs_nerfstudio.data.posing.solution import Comparison, Solution

# COLMAP's own tolerance of matches, in pixels of the pictures that it looks at.
_TOLERANCE = 4.0
# Fewer matches than the first are chance; of a pair that contradicts, fewer than this share fit the poses.
_LEAST_MATCHES, _LEAST_FITTING = 30, 0.25
# Some pairs contradict right poses too, those whose false matches were outvoted: at most 1.2 % on nine captures, 16 %
# where a facade was put together wrongly.
_MOST_AGAINST = 0.05


@dataclass(frozen=True)
class Doubt:
    """Of `pairs` photos that match, `against` contradict the poses; `photos` are in most of these, by index."""

    pairs: int
    against: int
    photos: tuple[int, ...]

    def told(self, names: Sequence[str]) -> str:
        """In one line, with the photos by name."""
        listed = in_short([names[index] for index in self.photos])
        return (
            f"these poses are doubtful: {self.against} of {self.pairs} pairs of photos that match contradict them, "
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


def doubt(solution: Solution) -> Doubt | None:
    """Why poses may be wrong; None where matches do not say so."""
    pairs = [one for one in solution.comparisons if one.fitting is not None and one.matches >= _LEAST_MATCHES]
    against = [one for one in pairs if _contradicts(one)]
    if len(against) <= _MOST_AGAINST * len(pairs):
        return None
    photos = Counter(index for one in against for index in one.pair)
    return Doubt(len(pairs), len(against), tuple(index for index, _ in photos.most_common(3)))


def _contradicts(comparison: Comparison) -> bool:
    return comparison.fitting is not None and comparison.fitting < _LEAST_FITTING * comparison.matches
