"""Camera paths that nobody can render are refused, by the file and what is wrong in it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.film_file import read_film

POSE = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1]
CAMERA = {"camera_to_world": POSE, "fov": 60, "aspect": 1.3}
FILM = {"camera_type": "perspective", "render_height": 48, "render_width": 64, "seconds": 0.5, "camera_path": [CAMERA]}
CROP = {"crop_center": [0, 0, 0], "crop_scale": [1, 1, 1], "crop_bg_color": {"r": 255, "g": 0, "b": 0}}


def written(file: Path, content: Any) -> Path:
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"camera_path": [{**CAMERA, "camera_to_world": [POSE[:4], POSE[4:8], POSE[8:12], POSE[12:]]}]},
        {"camera_path": [{**CAMERA, "render_time": 0}, CAMERA]},
        {"camera_type": "equirectangular", "camera_path": [{"camera_to_world": POSE}]},
        {"crop": None},
        {"crop": CROP},
    ],
)
def test_what_the_viewer_saves_is_read(tmp_path, changes):
    assert read_film(written(tmp_path / "film.json", FILM | changes)) == FILM | changes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "must hold a JSON object"),
        ("[", "is not valid JSON"),
        ('{"seconds": 1, "seconds": 2}', "'seconds' 2 times"),
        ({"camera_type": "fish"}, "'fish'; choose"),
        ({"camera_path": []}, "has no cameras"),
        ({"camera_path": None}, "has no cameras"),
        ({"camera_path": [7]}, "camera 0 of .* is 7"),
        (
            {"camera_path": [CAMERA, {**CAMERA, "camera_to_world": POSE[:12]}]},
            "'camera_to_world' of camera 1 of .* 16 fin",
        ),
        ({"camera_path": [{**CAMERA, "camera_to_world": [*POSE[:15], math.nan]}]}, "16 finite numbers"),
        ({"camera_path": [{**CAMERA, "camera_to_world": ["1", *POSE[1:]]}]}, "16 finite numbers"),
        ({"camera_path": [{"camera_to_world": POSE}]}, "camera 0 of .* has no 'fov'"),
        ({"camera_path": [{**CAMERA, "fov": "60"}]}, "'fov' of camera 0 of .* is '60'; a number is needed"),
        ({"camera_path": [{**CAMERA, "fov": 180}]}, "'fov' of camera 0 .* is 180; .* above 0 and below 180"),
        ({"camera_path": [{**CAMERA, "fov": math.nan}]}, "'fov' of camera 0 .* is nan"),
        ({"camera_path": [{**CAMERA, "render_time": "now"}]}, "'render_time' of camera 0"),
        ({"seconds": 0}, "'seconds' of .* is 0; .* above 0"),
        ({"seconds": ...}, "has no 'seconds'"),
        ({"render_width": "64"}, "'render_width' of .* is '64'; a whole number"),
        ({"render_height": 0}, "'render_height' of .* is 0"),
        ({"crop": {}}, "a camera path with a crop"),
        ({"crop": {**CROP, "crop_scale": [1, 1]}}, "'crop_scale' of .* must be 3 finite numbers"),
        ({"crop": {**CROP, "crop_bg_color": {"r": 1, "g": 2}}}, "crop_bg_color of .* has no 'b'"),
    ],
)
def test_what_cannot_be_rendered_is_named(tmp_path, content, said):
    if isinstance(content, dict):
        content = {key: value for key, value in (FILM | content).items() if value is not ...}
    with pytest.raises(UserError, match=said) as refusal:
        read_film(written(tmp_path / "film.json", content))
    assert str(tmp_path / "film.json") in str(refusal.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(MissingFileError, match=r"no camera path .*gone\.json"):
        read_film(tmp_path / "gone.json")
