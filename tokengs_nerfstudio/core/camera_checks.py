"""Whether cameras can be those of photos of one scene: fields of view that lenses have, and positions apart."""

import logging
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.core.errors import UserError, in_short
from tokengs_nerfstudio.core.types import Views

_log = logging.getLogger(__name__)

# So much smaller than their distance from the origin, a difference of positions is rounding.
_ONE_PLACE = 1e-12
# So many times the radius of the others away, a camera is said to be far, or leaves nothing of the others to see.
_FAR, _TOO_FAR = 30.0, 1e5
_SHARE_OF_THE_OTHERS = 0.9
# Focal lengths in longer sides of the image: from 160 degrees (and a fisheye's full circle) to half a degree.
_SHORTEST, _LONGEST = 0.08, 115.0
# Pixels that are not square are rare, pixels three times as wide as high are a mistake.
_FOCAL_RATIO = 3.0


def check_view(intrinsics: Float[ndarray, "3 3"], width: float, height: float, whose: str) -> None:
    """Whether a matrix of `intrinsics` can be that of an image of width x height, in pixels of that image.

    ValueError, naming `whose` it is, for a field of view that no camera has (intrinsics divided by the image's size,
    angles in the wrong unit), focal lengths far apart, and a principal point outside of the image.
    """
    (fx, cx), (fy, cy) = intrinsics[0, [0, 2]], intrinsics[1, [1, 2]]
    side = max(width, height)
    for key, focal in (("fl_x", fx), ("fl_y", fy)):
        if not _SHORTEST * side <= focal <= _LONGEST * side:
            degrees = math.degrees(2 * math.atan(side / (2 * focal)))
            raise UserError(
                f"the focal length '{key}' of {whose} is {focal:g} pixels, a field of view of {degrees:.3g} degrees on "
                f"{side:g} pixels, which no lens here has; give it in pixels of the photo"
            )
    if not 1 / _FOCAL_RATIO <= fx / fy <= _FOCAL_RATIO:
        raise UserError(f"the focal lengths of {whose} are too far apart: 'fl_x' is {fx:g}, 'fl_y' {fy:g}")
    for key, centre, side in (("cx", cx, width), ("cy", cy, height)):
        if not 0 <= centre <= side:
            raise UserError(
                f"the principal point of {whose} lies outside of its photo: '{key}' is {centre:g}, the photo has "
                f"{side:g} pixels; give the intrinsics of this photo, or in 'w' and 'h' the size they are for"
            )
    if max(cx, cy) <= 1 and min(width, height) > 4:
        raise UserError(
            f"the principal point of {whose} lies in the corner of its photo: 'cx', 'cy' are {cx:g}, {cy:g}; "
            f"they are in pixels, for a photo of {width:g}x{height:g}"
        )


def check_positions(positions: Float[ndarray, "frame 3"], names: Sequence[str], source: object) -> None:
    """Whether the cameras of several photos can be those of one scene.

    Says which lie far from all others. ValueError where all are in one place, and where one is so far away that
    nothing is left of the others.
    """
    if len(positions) < 2:
        return
    middle = np.median(positions, axis=0)
    with np.errstate(over="ignore"):
        largest = np.abs(positions).max()
        # Of all positions within a float's range, squares may be beyond it.
        distances = np.abs(positions - middle).max(axis=1)
    if not np.isfinite(distances).all():
        raise UserError(f"the positions of cameras of {source} are beyond what numbers hold: up to {largest:g}")
    if distances.max() <= _ONE_PLACE * largest:
        raise UserError(
            f"all {len(positions)} cameras of {source} are in one place: nothing can be reconstructed from poses "
            "without positions; find the poses first, for example with COLMAP (ns-process-data)"
        )
    radius = np.sort(distances)[max(int(_SHARE_OF_THE_OTHERS * len(distances)) - 1, 0)]
    far = [name for name, distance in zip(names, distances) if distance > _FAR * radius]
    if radius == 0 or not far:
        return
    said = f"{in_short(far)}: {distances.max() / radius:.3g} times as far from the middle as 9 of 10 cameras"
    if distances.max() > _TOO_FAR * radius:
        raise UserError(
            f"cameras of {source} are so far away that nothing is left of the others ({said}); remove those frames"
        )
    _log.warning(f"cameras of {source} are far from all others ({said}); remove those frames if their poses are wrong")


def check_scene(context: Views, target: Views) -> None:
    """Whether views of one scene from Python have cameras that their photos can have been taken with.

    Says which lie far from all others. UserError naming the view for intrinsics that no lens has, and as in
    `check_positions` for the cameras of the context.
    """
    for views, name in ((context, "context"), (target, "target")):
        for index, matrix in enumerate(views.intrinsics.detach().cpu().double().numpy()):
            check_view(matrix, views.width, views.height, f"view {index} of {name}")
    names = [f"view {index}" for index in range(context.num_views)]
    check_positions(context.c2w[:, :3, 3].detach().cpu().double().numpy(), names, "context")
