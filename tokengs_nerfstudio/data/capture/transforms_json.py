"""The text of a `transforms.json`: its form, its numbers, its names, its times. Touches no image."""

import logging
import math
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.core.errors import MissingFileError, UserError, in_short, printable
from tokengs_nerfstudio.core.json_text import read_json

_log = logging.getLogger(__name__)

# What a capture may say that changes nothing here: on itself, on how it was made.
_NOT_LOOKED_AT = frozenset((
    "sharpness", "colmap_im_id", "aabb", "aabb_scale",
    "scale", "offset", "from_na", "n_frames", "written_by", "version", "source", "source_name", "camera_id",
    "timestamp", "blur_score", "posed_from",
))  # fmt: skip
# What is looked at in a frame alone, in the file as a whole alone, and in both.
_OF_A_FRAME = frozenset(("file_path", "transform_matrix", "time", "depth_file_path"))
_OF_THE_FILE = frozenset((
    "frames", "train_filenames", "val_filenames", "test_filenames", "applied_transform", "applied_scale",
    "orientation_override", "ply_file_path", "depth_unit_scale_factor",
))  # fmt: skip
_USED = _OF_A_FRAME | _OF_THE_FILE | frozenset((
    "w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov", "camera_model",
    "is_fisheye", "k1", "k2", "k3", "k4", "p1", "p2", "distortion_params", "mask_path",
))  # fmt: skip
# Coefficients of lens models that are not known here, which never mean nothing.
UNKNOWN_COEFFICIENTS = ("k5", "k6", "p3", "p4", "s1", "s2", "s3", "s4", "b1", "b2", "skew")

APPLIED = ("applied_transform", "applied_scale")
"""what ns-process-data says of what it did"""


@dataclass(frozen=True)
class FrameRecord:
    """One entry of `frames`, with the fields shared by all frames behind it. A field that is null is not there."""

    file: Path
    own: Mapping[str, Any]
    shared: Mapping[str, Any]

    def __str__(self) -> str:
        return f"frame '{printable(self.file_path)}' in {self.file}"

    @property
    def file_path(self) -> str:
        return self.own["file_path"]

    def number(self, key: str) -> float | None:
        """The frame's own number, else the shared one, else None."""
        return self.number_in(self.record_of(key), key)

    def number_in(self, record: Mapping[str, Any], key: str) -> float | None:
        """The number in one of the two records; ValueError for anything that is not a finite number."""
        if key not in record:
            return None
        number = finite_number(record[key])
        if number is None:
            raise UserError(f"'{key}' of {self} must be a finite number, got {in_brief(record[key])}")
        return number

    def positive_in(self, record: Mapping[str, Any], key: str) -> float | None:
        """As `number_in`; ValueError for what is not positive, too."""
        value = self.number_in(record, key)
        if value is not None and value <= 0:
            raise UserError(f"'{key}' of {self} must be positive, got {value:g}")
        return value

    def record_of(self, *keys: str) -> Mapping[str, Any]:
        """The frame's own fields where they have one of the keys, else the shared ones: what belongs together is
        taken from one place."""
        return self.own if any(key in self.own for key in keys) else self.shared


@dataclass(frozen=True)
class Transforms:
    """A parsed `transforms.json`: the file, its shared fields (none of them null) and its frames in file order."""

    file: Path
    shared: Mapping[str, Any]
    frames: list[FrameRecord]


def read_transforms(path: Path) -> Transforms:
    """Read a `transforms.json`, given as the file or as its folder.

    FileNotFoundError where there is none, ValueError where it is not JSON of the expected form.
    """
    file = path if path.suffix == ".json" else path / "transforms.json"
    if not file.is_file():
        raise MissingFileError(
            f"no capture at {path}: {file} does not exist; give a folder with a transforms.json "
            "(tokengs-pose makes one from photos or a video) or the JSON file itself"
        )
    content = read_json(file)
    if not isinstance(content, dict) or not isinstance(content.get("frames"), list):
        raise UserError(f"{file} must hold a JSON object with a list called 'frames'")
    if not content["frames"]:
        raise UserError(f"{file} lists no frames")
    for index, frame in enumerate(content["frames"]):
        if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
            raise UserError(f"frame {index} of {file} has no 'file_path'")
    shared = _without_nulls({key: value for key, value in content.items() if key != "frames"})
    frames = [FrameRecord(file, _without_nulls(frame), shared) for frame in content["frames"]]
    _say_what_is_not_used(file, set(shared), {key for frame in frames for key in frame.own})
    return Transforms(file, shared, frames)


def _without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Programs write null for what they do not know: whoever looks for a field finds it or not, and no null."""
    return {key: value for key, value in fields.items() if value is not None}


def _say_what_is_not_used(file: Path, shared: set[str], own: set[str]) -> None:
    keys = shared | own
    for misplaced, place in ((shared & _OF_A_FRAME, "each frame"), (own & _OF_THE_FILE, "the file, beside 'frames'")):
        if misplaced:
            _log.warning(f"{in_short(sorted(misplaced))} of {file}: not looked at there; write that into {place}")
    if "fisheye_crop_radius" in keys:
        _log.warning(
            f"'fisheye_crop_radius' of {file} is not looked at: what is black around the circle of a fisheye is "
            "reconstructed as well, unless masks (mask_path) hide it"
        )
    unused = sorted(keys - _USED - _NOT_LOOKED_AT - {"fisheye_crop_radius", *UNKNOWN_COEFFICIENTS})
    if unused:
        _log.info(f"Fields of {file} that are not used: {in_short(unused)}")


def applied_before(transforms: Transforms) -> tuple[list[list[float]], float]:
    """What ns-process-data had done to the capture's world before: x' = scale * (transform @ x), three rows of four
    numbers and a scale; ValueError naming what means nothing."""
    rows, scale = (transforms.shared.get(name) for name in APPLIED)
    factor = 1.0 if scale is None else finite_number(scale)
    if factor is None or factor <= 0:
        raise UserError(f"'applied_scale' of {transforms.file} must be a positive number, got {in_brief(scale)}")
    if rows is None:
        return [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]], factor
    right = isinstance(rows, list) and len(rows) in (3, 4) and all(isinstance(row, list) for row in rows)
    numbers = [[finite_number(value) for value in row] for row in rows] if right else []
    complete = [[value for value in row if value is not None] for row in numbers]
    if not right or any(len(row) != 4 for row in numbers) or complete != numbers:
        raise UserError(f"'applied_transform' of {transforms.file} must be 3x4 numbers, got {in_brief(rows)}")
    return complete[:3], factor


def finite_number(value: Any) -> float | None:
    """A JSON value as a float; None for anything but a finite number: also for integers that no float holds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def in_brief(value: Any) -> str:
    """Any JSON value for a message."""
    text = printable(repr(value))
    return text if len(text) <= 80 else f"{text[:60]} ..."


def slashed(path: str) -> str:
    """A path as this system reads it, also where it was written on Windows."""
    return path.replace("\\", "/")


def one_spelling(path: str) -> str:
    """One spelling for all ways to write a path relative to the capture: what frames and lists are compared by."""
    return posixpath.normpath(slashed(path))


def mask_paths(frames: list[FrameRecord]) -> list[Path | None]:
    """The frames' `mask_path` files (0 where a pixel is to be ignored), their own or that of the file for all of them;
    None for those without. ValueError where it is no text."""
    given = [frame.record_of("mask_path").get("mask_path") for frame in frames]
    for frame, path in zip(frames, given):
        if path is not None and not isinstance(path, str):
            raise UserError(f"'mask_path' of {frame} must be the path of a file, got {in_brief(path)}")
    return [None if path is None else frame.file.parent / slashed(path) for frame, path in zip(frames, given)]


def frame_times(frames: list[FrameRecord]) -> Float[ndarray, " frame"] | None:
    """The frames' `time` mapped to [0, 1] over these frames; zeros where all are equal, None where there is none."""
    times = [frame.number_in(frame.own, "time") for frame in frames]
    given = [time for time in times if time is not None]
    if not given:
        return None
    if len(given) < len(times):
        without = frames[times.index(None)]
        raise UserError(f"{without} has no 'time' though other frames have; give it to all frames or to none")
    # Quarters first where the span is beyond a float.
    values = np.array(given) if math.isfinite(max(given) - min(given)) else np.array(given) / 4
    start, span = values.min(), values.max() - values.min()
    return (values - start) / (span if span > 0 else 1.0)
