"""Why photos could not be placed, in words that say what to photograph instead."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.core.errors import in_short
from tokengs_nerfstudio.data.posing.pictures import Picture
from tokengs_nerfstudio.data.posing.solution import Comparison, Solution

Reason = Literal["unreadable", "plain", "blurred", "alone", "turned", "loose"]

WORDS: dict[Reason, tuple[str, str]] = {
    "unreadable": ("cannot be read", "save what cannot be read again, as JPEG or PNG"),
    "plain": (
        "too plain, dark or overexposed",
        "photograph textured things, in enough light; lay printed paper or a patterned cloth under plain ones",
    ),
    "blurred": ("blurred", "hold the camera still, in more light; walk slowly when filming"),
    "alone": (
        "no overlap with any other photo",
        "let each photo show two thirds of what the one before shows, and turn by 15 degrees at most between them",
    ),
    "turned": (
        "taken from one place, the camera only turned",
        "take a step to the side between photos: the camera has to move, not only to turn",
    ),
    "loose": (
        "too little in common with the others",
        "take photos between these and the others, small steps apart, of one thing that stands still",
    ),
}

# Below the first there is nothing to be sharp; below the second a sharp picture holds little.
_NO_CONTRAST, _LEAST_CONTRAST = 3.0, 6.0
_LEAST_SHARPNESS, _BLURRED_BESIDE_OTHERS = 0.012, 0.15
_LEAST_KEYPOINTS, _LEAST_MATCHES = 100, 15
# How far from a rotation a homography may be, as a share of its distance from standing still.
_ROTATION = 0.12
_FOCAL_LENGTHS = np.geomspace(0.4, 8, 60)
# Of a camera that only turned, so large a share of the comparisons says so.
_MOSTLY = 0.75


def turns_only(homography: Float[ndarray, "3 3"], size: tuple[int, int]) -> bool:
    """Whether a homography between two pictures of `size` (width, height) is that of a camera which turned in its
    place: for some focal length it is a rotation, nearer than to what a moving camera makes of a plane.

    A rotation R of a camera K is K R K^-1 (Hartley and Zisserman, Multiple View Geometry, 8.4).
    """
    width, height = size
    best = float("inf")
    for factor in _FOCAL_LENGTHS:
        focal = factor * max(size)
        camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        turned = np.linalg.solve(camera, homography @ camera)
        turned = turned / np.cbrt(np.linalg.det(turned))
        off = float(np.linalg.norm(turned.T @ turned - np.eye(3)))
        best = min(best, off / max(float(np.linalg.norm(turned - np.eye(3))), 1e-9))
    return best < _ROTATION


def mostly_turns(solution: Solution, sizes: dict[int, tuple[int, int]]) -> bool:
    """Whether the camera stood in one place: most photos that match do so by a rotation alone."""
    matching = [comparison for comparison in solution.comparisons if comparison.matches >= _LEAST_MATCHES]
    turning = [comparison for comparison in matching if _is_turn(comparison, sizes)]
    return bool(matching) and len(turning) >= _MOSTLY * len(matching)


def reasons(pictures: Sequence[Picture | None], solution: Solution) -> dict[int, Reason]:
    """Why each photo, by index, that has no pose has none."""
    seen = [picture for picture in pictures if picture is not None]
    sharpness = float(np.median([picture.looks.sharpness for picture in seen])) if seen else 0.0
    sizes = {index: picture.size for index, picture in enumerate(pictures) if picture is not None}
    return {
        index: _reason(index, picture, sharpness, solution, sizes)
        for index, picture in enumerate(pictures)
        if index not in solution.c2w
    }


def _reason(
    index: int, picture: Picture | None, sharpness: float, solution: Solution, sizes: dict[int, tuple[int, int]]
) -> Reason:
    if picture is None:
        return "unreadable"
    if picture.looks.contrast < _NO_CONTRAST:
        return "plain"
    if picture.looks.sharpness < max(_LEAST_SHARPNESS, _BLURRED_BESIDE_OTHERS * sharpness):
        return "blurred"
    if picture.looks.contrast < _LEAST_CONTRAST or solution.keypoints.get(index, 0) < _LEAST_KEYPOINTS:
        return "plain"
    own = [one for one in solution.comparisons if index in one.pair and one.matches >= _LEAST_MATCHES]
    if not own:
        return "alone"
    return "turned" if sum(_is_turn(one, sizes) for one in own) >= _MOSTLY * len(own) else "loose"


def _is_turn(comparison: Comparison, sizes: dict[int, tuple[int, int]]) -> bool:
    first, second = (sizes[index] for index in comparison.pair)
    return comparison.homography is not None and first == second and turns_only(comparison.homography, first)


def told(names: Sequence[str], why: dict[int, Reason]) -> str:
    """Which photos, by index into `names`, have no pose, and why: "a.jpg, b.jpg (blurred); c.jpg (...)"."""
    return "; ".join(f"{_listed(group)} ({WORDS[reason][0]})" for reason, group in _groups(names, why))


def advice(names: Sequence[str], why: dict[int, Reason]) -> str:
    """What to photograph instead, the commonest reason first."""
    return "; ".join(WORDS[reason][1] for reason, _ in _groups(names, why))


def _listed(names: list[str]) -> str:
    return in_short(names) if len(names) <= 3 else f"{len(names)} photos: {in_short(names)}"


def _groups(names: Sequence[str], why: dict[int, Reason]) -> list[tuple[Reason, list[str]]]:
    groups: dict[Reason, list[str]] = {}
    for index in sorted(why):
        groups.setdefault(why[index], []).append(names[index])
    return sorted(groups.items(), key=lambda group: -len(group[1]))
