"""What structure from motion finds: cameras, points, and what photos have in common."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

Pair = tuple[int, int]


@dataclass(frozen=True)
class SolvedLens:
    """Of one group of photos, for pictures of `size` (width, height): COLMAP's parameters by nerfstudio's names."""

    fisheye: bool
    size: tuple[int, int]
    numbers: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """What two photos, by index, have in common: verified matches, and the homography [3, 3] through most of them
    where one explains them all (a plane, or a camera that only turned), pixels of the pictures; how many of the matches
    fit the poses that were found, None where one of the two has none."""

    pair: Pair
    matches: int
    homography: Float[ndarray, "3 3"] | None
    fitting: int | None = None


@dataclass(frozen=True)
class Overlap:
    """Of the points that one photo shows, `expected` are in view of another by the poses that were found, which shows
    `shared` of them; both by index."""

    pair: Pair
    expected: int
    shared: int


@dataclass(frozen=True)
class Solution:
    """The largest piece that photos were put together to, and what is known of all of them.

    `c2w` are OpenCV camera-to-world by index; `points` and `colors` what was seen by several; `pieces` the numbers of
    photos of all pieces; `keypoints` the features of each photo.
    """

    c2w: dict[int, Float[ndarray, "4 4"]]
    lenses: dict[int, SolvedLens]
    points: Float[ndarray, "point 3"]
    colors: UInt8[ndarray, "point 3"]
    pieces: list[int]
    keypoints: dict[int, int]
    comparisons: list[Comparison]
    overlaps: list[Overlap] = field(default_factory=list)

    @staticmethod
    def empty() -> "Solution":
        """Of no photo at all."""
        return Solution({}, {}, np.empty((0, 3)), np.empty((0, 3), np.uint8), [], {}, [])


def shrunk(solution: Solution, times: float) -> Solution:
    """A solution of pictures that were enlarged so many times, as one of the pictures themselves: lenses have sizes of
    their own, homographies do not."""
    large = np.diag([times, times, 1.0])
    comparisons = [
        one if one.homography is None else replace(one, homography=np.linalg.inv(large) @ one.homography @ large)
        for one in solution.comparisons
    ]
    return replace(solution, comparisons=comparisons)
