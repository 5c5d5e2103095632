"""The lens of a frame from the fields of a `transforms.json`, checked against the photo that it is written for."""

import math
from collections.abc import Mapping
from typing import Any

from tokengs_nerfstudio.core.camera_checks import check_view
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.capture.lens import Lens
from tokengs_nerfstudio.data.capture.transforms_json import (
    UNKNOWN_COEFFICIENTS,
    FrameRecord,
    finite_number,
    in_brief,
)

_PINHOLE_MODELS = ("PINHOLE", "SIMPLE_PINHOLE")
_BROWN_MODELS = (*_PINHOLE_MODELS, "SIMPLE_RADIAL", "RADIAL", "OPENCV", "PERSPECTIVE")
_FISHEYE_MODELS = ("OPENCV_FISHEYE", "FISHEYE")
_DISTORTION_KEYS = ("k1", "k2", "k3", "k4", "p1", "p2")
_FOCAL_KEYS = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov")
_CENTRE_KEYS = ("cx", "cy")
# A field of view of so few degrees is one in radians; for lenses that long there is fl_x.
_SMALLEST_DEGREES = math.pi
# Two statements of one focal length may differ by rounding, or by a photo cropped a little.
_SAME_FOCAL = 1.1


def recorded_size(frame: FrameRecord, photo: tuple[int, int] | None = None) -> tuple[float, float] | None:
    """The image (width, height) that a frame's intrinsics are written for; None where the file does not say.

    Where it says one side alone, the other follows from the size of the `photo`. ValueError for what is not positive.
    """
    record = frame.record_of("w", "h")
    width, height = frame.positive_in(record, "w"), frame.positive_in(record, "h")
    if width is not None and height is not None:
        return width, height
    if photo is None or (width is None and height is None):
        return None
    scale = width / photo[0] if width is not None else (height or 0.0) / photo[1]
    return photo[0] * scale, photo[1] * scale


def lens_of(frame: FrameRecord, width: float, height: float) -> Lens:
    """The lens of a frame's image of width x height; a frame's own fields go before the shared ones.

    What belongs together (focal lengths, the principal point, coefficients) is taken from one of the two. ValueError
    for unknown camera models, missing, senseless or contradictory numbers, and those of a photo turned by a quarter.
    """
    _refuse_unknown_coefficients(frame)
    _refuse_shared_ones_of_the_turned(frame, width, height)
    fisheye = _is_fisheye(frame)
    record = frame.record_of(*_FOCAL_KEYS)
    fx, fy = (_focal(frame, record, axis, side, fisheye) for axis, side in (("x", width), ("y", height)))
    fx, fy = (fy if fx is None else fx), (fx if fy is None else fy)
    if fx is None or fy is None:
        raise UserError(f"{frame} has no focal length: expected fl_x, camera_angle_x (radians) or x_fov (degrees)")
    centre = frame.record_of(*_CENTRE_KEYS)
    cx, cy = frame.number_in(centre, "cx"), frame.number_in(centre, "cy")
    lens = Lens(
        fx=fx,
        fy=fy,
        cx=width / 2 if cx is None else cx,
        cy=height / 2 if cy is None else cy,
        coefficients=_coefficients(frame, fisheye),
        fisheye=fisheye,
    )
    check_view(lens.matrix, width, height, str(frame))
    return lens


def is_of_the_turned(lens: Lens, size: tuple[float, float]) -> bool:
    """Whether a principal point is the middle of a photo of `size` (width, height) turned by a quarter, not of it."""
    width, height = size
    if max(size) < 1.1 * min(size):
        return False
    return abs(lens.cx - height / 2) < 0.02 * height and abs(lens.cy - width / 2) < 0.02 * width


def _refuse_shared_ones_of_the_turned(frame: FrameRecord, width: float, height: float) -> None:
    """What tells x from y in shared fields is of a photo that lies as the shared size does: nothing says which way a
    frame of a size of its own was turned."""
    across, down = frame.positive_in(frame.shared, "w"), frame.positive_in(frame.shared, "h")
    if across is None or down is None or frame.record_of("w", "h") is frame.shared:
        return
    if (width - height) * (across - down) >= 0:
        return
    groups = [keys for keys in (_FOCAL_KEYS, _CENTRE_KEYS) if frame.record_of(*keys) is frame.shared]
    taken = [key for keys in groups for key in keys if key in frame.shared]
    if frame.shared.get("fl_x") == frame.shared.get("fl_y"):
        taken = [key for key in taken if key not in ("fl_x", "fl_y")]
    if taken:
        raise UserError(
            f"{frame} is {width:g}x{height:g}, turned against the {across:g}x{down:g} that {', '.join(taken)} of "
            "the file are written for; give the frame its own"
        )


def _focal(frame: FrameRecord, record: Mapping[str, Any], axis: str, side: float, fisheye: bool) -> float | None:
    """The focal length in pixels along an axis of so many pixels; None where the record says none."""
    written = frame.positive_in(record, f"fl_{axis}")
    angle_key, degrees_key = f"camera_angle_{axis}", f"{axis}_fov"
    angle, degrees = frame.number_in(record, angle_key), frame.number_in(record, degrees_key)
    key = angle_key if angle is not None else degrees_key
    if angle is None and degrees is not None:
        if 0 < degrees < _SMALLEST_DEGREES:
            raise UserError(
                f"'{degrees_key}' of {frame} is in degrees, {degrees:g} looks like radians; for a lens that long give "
                f"fl_{axis} in pixels instead"
            )
        angle = math.radians(degrees)
    if angle is None:
        return written
    if not 0 < angle < math.pi:
        raise UserError(
            f"the field of view in {axis} of {frame} must lie between 0 and 180 degrees ('camera_angle_{axis}' is in "
            f"radians, '{axis}_fov' in degrees)"
        )
    from_angle = side / (2 * math.tan(angle / 2))
    if written is None:
        return from_angle
    if not fisheye and not 1 / _SAME_FOCAL < written / from_angle < _SAME_FOCAL:
        raise UserError(
            f"'fl_{axis}' and '{key}' of {frame} contradict each other: {written:g} pixels, and {from_angle:g} by the "
            f"angle on {side:g} pixels; remove the wrong one, or correct 'w' and 'h'"
        )
    return written


def _is_fisheye(frame: FrameRecord) -> bool:
    record = frame.record_of("camera_model", "is_fisheye")
    model, said = record.get("camera_model"), record.get("is_fisheye")
    if said not in (None, True, False):
        raise UserError(f"'is_fisheye' of {frame} must be true or false, got {in_brief(said)}")
    if model is None:
        return bool(said)
    if model not in _BROWN_MODELS + _FISHEYE_MODELS:
        raise UserError(
            f"{frame} has the camera model {in_brief(model)}, known are {', '.join(_BROWN_MODELS + _FISHEYE_MODELS)}; "
            "undistort the photos first (for example with COLMAP's image_undistorter)"
        )
    if model in _PINHOLE_MODELS and any(_coefficients(frame, fisheye=False)):
        key = next((key for key in _DISTORTION_KEYS if frame.number(key)), "distortion_params")
        raise UserError(
            f"{frame} has the camera model {model}, which has no distortion, and '{key}', which is one; remove it, "
            "or give the model that it belongs to (OPENCV)"
        )
    fisheye = model in _FISHEYE_MODELS
    if said not in (None, fisheye):
        raise UserError(
            f"'is_fisheye' of {frame} is {str(bool(said)).lower()}, its camera model {model} is "
            f"{'one' if fisheye else 'none'} of a fisheye; remove the wrong one, or give the model {_FISHEYE_MODELS[0]}"
        )
    return fisheye


def _refuse_unknown_coefficients(frame: FrameRecord) -> None:
    for key in UNKNOWN_COEFFICIENTS:
        if frame.number(key):
            raise UserError(
                f"'{key}' of {frame} belongs to a lens model that is not known here; known coefficients are "
                f"{', '.join(_DISTORTION_KEYS)}: undistort the photos first"
            )


def _coefficients(frame: FrameRecord, fisheye: bool) -> tuple[float, ...]:
    """Distortion in the order OpenCV wants; the coefficients of one record belong together and are never mixed."""
    for record in (frame.own, frame.shared):
        if "distortion_params" in record:
            k1, k2, k3, k4, p1, p2 = _distortion_list(record["distortion_params"], frame)
        elif any(key in record for key in _DISTORTION_KEYS):
            k1, k2, k3, k4, p1, p2 = (frame.number_in(record, key) or 0.0 for key in _DISTORTION_KEYS)
        else:
            continue
        if not fisheye and k4 != 0:
            raise UserError(f"{frame} has k4 = {k4:g}, which only OPENCV_FISHEYE cameras have here")
        return (k1, k2, k3, k4) if fisheye else (k1, k2, p1, p2, k3)
    return (0.0,) * (4 if fisheye else 5)


def _distortion_list(values: Any, frame: FrameRecord) -> list[float]:
    numbers = [finite_number(value) for value in values] if isinstance(values, list) else []
    known = [number for number in numbers if number is not None]
    if len(numbers) != 6 or len(known) != 6:
        raise UserError(
            f"'distortion_params' of {frame} must be six numbers (k1 k2 k3 k4 p1 p2), got {in_brief(values)}"
        )
    return known
