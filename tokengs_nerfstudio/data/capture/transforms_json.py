"""The text of a `transforms.json`: fields looked up, checked and brought to one meaning. Touches no image."""

import json
import math
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.data.capture.lens import Lens

_BROWN_MODELS = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "PERSPECTIVE")
_FISHEYE_MODELS = ("OPENCV_FISHEYE", "FISHEYE")
_DISTORTION_KEYS = ("k1", "k2", "k3", "k4", "p1", "p2")
_OPENGL_TO_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class FrameRecord:
    """One entry of `frames`, with the fields shared by all frames behind it."""

    file: Path
    own: Mapping[str, Any]
    shared: Mapping[str, Any]

    def __str__(self) -> str:
        return f"frame '{self.file_path}' in {self.file}"

    @property
    def file_path(self) -> str:
        return self.own["file_path"]

    def number(self, key: str) -> float | None:
        """The frame's own number, else the shared one, else None."""
        own = self.number_in(self.own, key)
        return self.number_in(self.shared, key) if own is None else own

    def number_in(self, record: Mapping[str, Any], key: str) -> float | None:
        """The number in one of the two records; ValueError for anything that is not a finite number."""
        value = record.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"'{key}' of {self} must be a finite number, got {value!r}")
        return float(value)


@dataclass(frozen=True)
class Transforms:
    """A parsed `transforms.json`: the file, its shared fields and its frames in file order."""

    file: Path
    shared: Mapping[str, Any]
    frames: list[FrameRecord]


def read_transforms(path: Path) -> Transforms:
    """Read a `transforms.json`, given as the file or as its folder.

    FileNotFoundError where there is none, ValueError where it is not JSON of the expected form.
    """
    file = path if path.suffix == ".json" else path / "transforms.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"no capture at {path}: {file} does not exist; give a folder with a transforms.json "
            "(ns-process-data makes one from photos or a video) or the JSON file itself"
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not valid JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("frames"), list):
        raise ValueError(f"{file} must hold a JSON object with a list called 'frames'")
    if not content["frames"]:
        raise ValueError(f"{file} lists no frames")
    for index, frame in enumerate(content["frames"]):
        if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
            raise ValueError(f"frame {index} of {file} has no 'file_path'")
    shared = {key: value for key, value in content.items() if key != "frames"}
    return Transforms(file, shared, [FrameRecord(file, frame, shared) for frame in content["frames"]])


def slashed(path: str) -> str:
    """A path as this system reads it, also where it was written on Windows."""
    return path.replace("\\", "/")


def one_spelling(path: str) -> str:
    """One spelling for all ways to write a path relative to the capture: what frames and lists are compared by."""
    return posixpath.normpath(slashed(path))


def in_short(names: Sequence[str]) -> str:
    """The first three of many names, for a message."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def camera_to_world(frame: FrameRecord) -> Float[ndarray, "4 4"]:
    """A frame's pose with OpenCV axes, its rotation made exact; ValueError where the matrix is no camera pose."""
    if "transform_matrix" not in frame.own:
        raise ValueError(f"{frame} has no 'transform_matrix'")
    try:
        matrix = np.array(frame.own["transform_matrix"], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the transform_matrix of {frame} is not a matrix of numbers: {error}") from error
    if matrix.shape not in ((4, 4), (3, 4)):
        raise ValueError(f"the transform_matrix of {frame} must be 4x4 or 3x4, got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"the transform_matrix of {frame} is not finite; remove the frame")
    if len(matrix) == 4 and not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        raise ValueError(f"the last row of the transform_matrix of {frame} must be 0 0 0 1, got {matrix[3].tolist()}")
    pose = np.eye(4)
    pose[:3, :3] = _rotation(matrix[:3, :3], frame)
    pose[:3, 3] = matrix[:3, 3]
    return pose @ _OPENGL_TO_OPENCV


def _rotation(matrix: Float[ndarray, "3 3"], frame: FrameRecord) -> Float[ndarray, "3 3"]:
    """The rotation nearest to a matrix that is one up to rounding and a common scale."""
    left, stretch, right = np.linalg.svd(matrix)
    if stretch[0] == 0 or stretch[2] < 1e-6 * stretch[0]:
        raise ValueError(f"the transform_matrix of {frame} is singular; remove the frame")
    if stretch[0] > 1.05 * stretch[2] or np.linalg.det(matrix) < 0:
        raise ValueError(f"the transform_matrix of {frame} is not a rotation: it shears, squeezes or mirrors")
    return left @ right


def mask_paths(frames: list[FrameRecord]) -> list[Path] | None:
    """The frames' `mask_path` files (0 where a pixel is to be ignored); None where no frame has one.

    ValueError where some frames have one and others do not, or where it is no text.
    """
    given = [frame.own.get("mask_path") for frame in frames]
    if all(path is None for path in given):
        return None
    for frame, path in zip(frames, given):
        if not isinstance(path, str):
            raise ValueError(f"'mask_path' of {frame} must be the path of a file as in other frames, got {path!r}")
    return [frame.file.parent / slashed(str(path)) for frame, path in zip(frames, given)]


def recorded_size(frame: FrameRecord) -> tuple[float, float] | None:
    """The image (width, height) that a frame's intrinsics are written for; None where the file does not say."""
    width, height = _positive(frame, "w"), _positive(frame, "h")
    return None if width is None or height is None else (width, height)


def lens_of(frame: FrameRecord, width: float, height: float) -> Lens:
    """The lens of a frame's image of width x height; a frame's own fields go before the shared ones.

    ValueError for unknown camera models, missing or senseless numbers.
    """
    fx, fy = _focal(frame, "x", width), _focal(frame, "y", height)
    fx, fy = (fy if fx is None else fx), (fx if fy is None else fy)
    if fx is None or fy is None:
        raise ValueError(f"{frame} has no focal length: expected fl_x, camera_angle_x (radians) or x_fov (degrees)")
    cx, cy = frame.number("cx"), frame.number("cy")
    fisheye = _is_fisheye(frame)
    return Lens(
        fx=fx,
        fy=fy,
        cx=width / 2 if cx is None else cx,
        cy=height / 2 if cy is None else cy,
        coefficients=_coefficients(frame, fisheye),
        fisheye=fisheye,
    )


def _focal(frame: FrameRecord, axis: str, side: float) -> float | None:
    for record in (frame.own, frame.shared):
        if f"fl_{axis}" in record:
            return _positive(frame, f"fl_{axis}")
        angle, degrees = frame.number_in(record, f"camera_angle_{axis}"), frame.number_in(record, f"{axis}_fov")
        if angle is None and degrees is not None:
            angle = math.radians(degrees)
        if angle is not None:
            if not 0 < angle < math.pi:
                raise ValueError(f"the field of view in {axis} of {frame} must lie between 0 and 180 degrees")
            return side / (2 * math.tan(angle / 2))
    return None


def _is_fisheye(frame: FrameRecord) -> bool:
    fields = {**frame.shared, **frame.own}
    model = fields.get("camera_model")
    if model is None:
        return bool(fields.get("is_fisheye", False))
    if model not in _BROWN_MODELS + _FISHEYE_MODELS:
        raise ValueError(
            f"{frame} has the camera model {model!r}, known are {', '.join(_BROWN_MODELS + _FISHEYE_MODELS)}; "
            "undistort the photos first (for example with COLMAP's image_undistorter)"
        )
    return model in _FISHEYE_MODELS


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
            raise ValueError(f"{frame} has k4 = {k4:g}, which only OPENCV_FISHEYE cameras have here")
        return (k1, k2, k3, k4) if fisheye else (k1, k2, p1, p2, k3)
    return (0.0,) * (4 if fisheye else 5)


def _distortion_list(values: Any, frame: FrameRecord) -> list[float]:
    numbers = isinstance(values, list) and all(isinstance(v, (int, float)) and math.isfinite(v) for v in values)
    if not numbers or len(values) != 6:
        raise ValueError(f"'distortion_params' of {frame} must be six numbers (k1 k2 k3 k4 p1 p2), got {values!r}")
    return [float(value) for value in values]


def frame_times(frames: list[FrameRecord]) -> Float[ndarray, " frame"] | None:
    """The frames' `time` mapped to [0, 1] over these frames; zeros where all are equal, None where there is none."""
    times = [frame.number_in(frame.own, "time") for frame in frames]
    given = [time for time in times if time is not None]
    if not given:
        return None
    if len(given) < len(times):
        without = frames[times.index(None)]
        raise ValueError(f"{without} has no 'time' though other frames have; give it to all frames or to none")
    start, span = min(given), max(given) - min(given)
    return (np.array(given) - start) / (span if span > 0 else 1.0)


def _positive(frame: FrameRecord, key: str) -> float | None:
    value = frame.number(key)
    if value is not None and value <= 0:
        raise ValueError(f"'{key}' of {frame} must be positive, got {value:g}")
    return value
