"""Camera paths on disk, as nerfstudio's viewer and `tokengs-export` save them and `ns-render` reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from tokengs_nerfstudio.core.errors import MissingFileError, UserError, content_of
from tokengs_nerfstudio.core.json_text import read_json
from tokengs_nerfstudio.core.ranges import Count, Finite, Positive, Range, check_value
from tokengs_nerfstudio.data.capture.transforms_json import finite_number, in_brief

KINDS = ("perspective", "fisheye", "equirectangular", "omnidirectional", "vr180")
"""of cameras; nerfstudio takes any other word for the first"""

_WITH_A_FIELD_OF_VIEW = ("perspective", "fisheye")
_Degrees = Annotated[float, Range(0, 180, above=True, below=True)]
_AGAIN = "correct it, or save the path anew from the viewer"


def read_film(file: Path) -> Mapping[str, Any]:
    """The content of a camera path, each number that is looked at in its range.

    MissingFileError where there is no file; UserError naming it, what is wrong and where for anything else.
    """
    if not file.is_file():
        raise MissingFileError(f"there is no camera path {file}: save one from the viewer, or by tokengs-export --path")
    film = read_json(file)
    if not isinstance(film, dict):
        raise UserError(f"{file} is no camera path: it must hold a JSON object; {_AGAIN}")
    kind = film.get("camera_type", KINDS[0])
    if kind not in KINDS:
        raise UserError(f"'camera_type' of {file} is {in_brief(kind)}; choose one of {', '.join(KINDS)}")
    _check_numbers(film, {"render_width": Count, "render_height": Count, "seconds": Positive}, file)
    cameras = film.get("camera_path")
    if not isinstance(cameras, list) or not cameras:
        raise UserError(f"{file} has no cameras: 'camera_path' must be a list of at least one; {_AGAIN}")
    for place, camera in enumerate(cameras):
        _check_camera(camera, kind in _WITH_A_FIELD_OF_VIEW, f"camera {place} of {file}")
    if film.get("crop") is not None:
        _check_crop(film["crop"], file)
    return film


def _check_camera(camera: Any, has_field_of_view: bool, name: str) -> None:
    if not isinstance(camera, dict):
        raise UserError(f"{name} is {in_brief(camera)}, a JSON object is needed; {_AGAIN}")
    pose = camera.get("camera_to_world")
    rows = pose if isinstance(pose, list) else []
    numbers = [number for row in rows for number in (row if isinstance(row, list) else [row])]
    if len(numbers) != 16 or any(finite_number(number) is None for number in numbers):
        raise UserError(f"'camera_to_world' of {name} must be 16 finite numbers, got {in_brief(pose)}; {_AGAIN}")
    _check_numbers(camera, {"fov": _Degrees} if has_field_of_view else {}, name)
    _check_numbers(camera, {"render_time": Finite} if "render_time" in camera else {}, name)


def _check_crop(crop: Any, file: Path) -> None:
    with content_of(file, "a camera path with a crop", _AGAIN):
        boxes = {key: crop[key] for key in ("crop_center", "crop_scale")} | {"crop_rot": crop.get("crop_rot", [0] * 3)}
        _check_numbers(crop["crop_bg_color"], dict.fromkeys("rgb", Finite), f"crop_bg_color of {file}")
    for key, values in boxes.items():
        if not isinstance(values, Sequence) or len(values) != 3 or None in map(finite_number, values):
            raise UserError(f"'{key}' of {file} must be 3 finite numbers, got {in_brief(values)}; {_AGAIN}")


def _check_numbers(fields: Mapping[str, Any], kinds: Mapping[str, Any], name: object) -> None:
    for key, kind in kinds.items():
        if key not in fields:
            raise UserError(f"{name} has no '{key}'; {_AGAIN}")
        check_value(fields[key], kind, f"'{key}' of {name}")
