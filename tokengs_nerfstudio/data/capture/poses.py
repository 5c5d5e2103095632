"""The poses of a capture: each a rigid motion, all of them together cameras of one scene."""

import logging
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.core.errors import UserError, in_short
from tokengs_nerfstudio.data.capture.transforms_json import FrameRecord, finite_number

_log = logging.getLogger(__name__)

_OPENGL_TO_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
# Axes may differ so much in length, by rounding; more is a shear or a squeeze.
_MOST_STRETCH = 1.03
# So many times their spread away from the origin, positions lose digits that matter when they become 32 bits.
_MOST_EXTENTS_AWAY = 16.0
_RANGE = 1e12
# An extent whose inverse is still a number.
_SMALLEST = 1e-300


def camera_to_world(frame: FrameRecord) -> Float[ndarray, "4 4"]:
    """A frame's pose with OpenCV axes, its rotation made exact; ValueError where the matrix is no camera pose."""
    matrix = _matrix(frame)
    if matrix.shape not in ((4, 4), (3, 4)):
        raise UserError(f"the transform_matrix of {frame} must be 4x4 or 3x4, got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise UserError(f"the transform_matrix of {frame} is not finite; remove the frame")
    if len(matrix) == 4 and not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        raise UserError(f"the last row of the transform_matrix of {frame} must be 0 0 0 1, got {matrix[3].tolist()}")
    pose = np.eye(4)
    pose[:3, :3] = _rotation(matrix[:3, :3], frame)
    pose[:3, 3] = matrix[:3, 3]
    return pose @ _OPENGL_TO_OPENCV


def _matrix(frame: FrameRecord) -> Float[ndarray, "row column"]:
    rows = frame.own.get("transform_matrix")
    if rows is None:
        raise UserError(f"{frame} has no 'transform_matrix'")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise UserError(f"the transform_matrix of {frame} is not a matrix of numbers: it must be 4x4 or 3x4")
    numbers = [[_entry(value, frame) for value in row] for row in rows]
    if len({len(row) for row in numbers}) != 1:
        raise UserError(f"the transform_matrix of {frame} is not a matrix of numbers: its rows differ in length")
    return np.array(numbers, dtype=np.float64)


def _entry(value: object, frame: FrameRecord) -> float:
    if isinstance(value, float) and not math.isfinite(value):
        return value  # said by whoever looks at all of them
    number = finite_number(value)
    if number is None:
        raise UserError(f"the transform_matrix of {frame} is not a matrix of numbers that a float holds")
    return number


def _rotation(matrix: Float[ndarray, "3 3"], frame: FrameRecord) -> Float[ndarray, "3 3"]:
    """The rotation nearest to a matrix that is one up to rounding and a common scale."""
    left, stretch, right = np.linalg.svd(matrix)
    if stretch[0] == 0 or stretch[2] < 1e-6 * stretch[0]:
        raise UserError(f"the transform_matrix of {frame} is singular; remove the frame")
    if stretch[0] > _MOST_STRETCH * stretch[2] or np.linalg.det(matrix / stretch[0]) < 0:
        raise UserError(f"the transform_matrix of {frame} is not a rotation: it shears, squeezes or mirrors")
    return left @ right


def check_axes(frames: Sequence[FrameRecord]) -> None:
    """Say once where axes have another length than 1: a scale of the axes is no part of a camera and left out."""
    scaled = [frame for frame in frames if not 0.9 < np.linalg.norm(_matrix(frame)[:3, 0]) < 1.1]
    if scaled:
        names = in_short([frame.file_path for frame in scaled])
        _log.warning(
            f"the transform_matrix of {len(scaled)} frames of {scaled[0].file} scales its axes ({names}); the scale is "
            "left out, the positions are taken as they are"
        )


def offset_and_unit(positions: Float[ndarray, "frame 3"]) -> tuple[Float[ndarray, "3"], float]:
    """What to take away from positions, then to multiply them with, before they become 32 bits.

    The offset is nothing where none is needed: 32 bits are enough for positions a few extents away from the origin. The
    unit is a power of two, by which nothing is rounded.
    """
    with np.errstate(over="ignore"):
        middle = positions.mean(axis=0)
        if not np.isfinite(middle).all():
            middle = np.median(positions, axis=0)
    spread, largest = float(np.abs(positions - middle).max()), float(np.abs(positions).max())
    offset = middle if 0 < _MOST_EXTENTS_AWAY * spread < largest else np.zeros(3)
    extent = spread if spread > 0 else largest
    return offset, 2.0 ** -math.floor(math.log2(extent)) if extent > _SMALLEST else 1.0


def needs_64_bits(positions: Float[ndarray, "frame 3"]) -> bool:
    """Whether 32 bits lose what matters of positions: far from the origin, or in units whose squares leave them."""
    offset, unit = offset_and_unit(positions)
    return bool(offset.any()) or not 1 / _RANGE < unit < _RANGE
