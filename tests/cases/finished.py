"""What `ns-eval`, `ns-render` and `ns-export` are asked of a finished run, and what must happen.

They run in a folder with the files of `write_files`. An "Error" comes before anything is loaded and says what stands
`in backquotes`; "Works" ends well and leaves the files in backquotes.
"""

import json
from pathlib import Path

_POSE = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1]
_CAMERA = {"camera_to_world": _POSE, "fov": 60, "aspect": 1}
_FILM = {"camera_type": "perspective", "render_height": 24, "render_width": 32, "seconds": 1, "camera_path": [_CAMERA]}
_CROP = {"crop_center": [0, 0, 0], "crop_scale": [9, 9, 9], "crop_bg_color": {"r": 255, "g": 0, "b": 0}}
_FILMS = {
    "whole_numbers": _FILM | {"crop": _CROP},
    "no_cameras": _FILM | {"camera_path": []},
    "three_rows": _FILM | {"camera_path": [_CAMERA, {**_CAMERA, "camera_to_world": _POSE[:12]}]},
    "text": _FILM | {"camera_path": [{**_CAMERA, "fov": "60"}]},
    "half_a_world": _FILM | {"camera_path": [{**_CAMERA, "fov": 180}]},
    "no_time": _FILM | {"seconds": 0},
    "not_a_number": _FILM | {"camera_path": [{**_CAMERA, "camera_to_world": [float("nan")] * 16}]},
    "list": [_FILM],
}


def write_files(folder: Path) -> None:
    """Camera paths by the names of what is wrong with them, and a file that is in the way of a folder."""
    folder.mkdir(parents=True)
    (folder / "file.txt").touch()
    for name, film in _FILMS.items():
        (folder / f"{name}.json").write_text(json.dumps(film))


_FILMED = "ns-render camera-path --output-format images --camera-path-filename"

# One of each kind, for every run of the tests.
USUAL = {
    f"{_FILMED} whole_numbers.json --output-path film": "Works: `film/00000.jpg`",
    f"{_FILMED} no_cameras.json": "Error: `no_cameras.json has no cameras`",
    f"{_FILMED} half_a_world.json": "Error: `'fov' of camera 0 of half_a_world.json is 180`",
    "ns-render interpolate --interpolation-steps 0": "Error: `--interpolation-steps is 0`",
    "ns-eval --output-path file.txt/x.json": "Error: `--output-path: file.txt is a file`",
    "ns-export gaussian-splat --output-dir file.txt": "Error: `--output-dir: file.txt is a file`",
    "ns-export pointcloud --output-dir points --num-points 0": "Error: `--num-points is 0`",
}

OTHERS = {
    f"{_FILMED} three_rows.json": "Error: `camera 1 of three_rows.json` `16 finite numbers`",
    f"{_FILMED} text.json": "Error: `'fov' of camera 0 of text.json is '60'`",
    f"{_FILMED} no_time.json": "Error: `'seconds' of no_time.json is 0`",
    f"{_FILMED} not_a_number.json": "Error: `camera 0 of not_a_number.json` `16 finite numbers`",
    f"{_FILMED} list.json": "Error: `list.json is no camera path`",
    f"{_FILMED} gone.json": "Error: `no camera path gone.json`",
    "ns-render interpolate --frame-rate 0": "Error: `--frame-rate is 0`",
    "ns-render interpolate --interpolation-steps 1 --output-format images --output-path a": "Works: `a/00000.jpg`",
    "ns-render spiral --seconds 0.01": "Error: `--seconds 0.01 has no picture`",
    "ns-render spiral --radius nan": "Error: `--radius is nan`",
    "ns-render spiral --output-path file.txt/film.mp4": "Error: `file.txt is a file`",
    "ns-render dataset --output-path file.txt": "Error: `file.txt is a file`",
    "ns-render dataset --output-path photos --rendered-output-names rgb": "Works: `photos/test/rgb`",
    "ns-eval --output-path results.txt": "Error: `ends in .json`",
    "ns-eval --output-path results.json --render-output-path seen": "Works: `results.json` `seen`",
    "ns-eval --render-output-path file.txt": "Error: `--render-output-path: file.txt is a file`",
    "ns-export gaussian-splat --output-dir splats": "Works: `splats/splat.ply`",
    "ns-export gaussian-splat --output-dir splats --obb-center 0 0 nan": "Error: `--obb-center is nan`",
    "ns-export pointcloud --output-dir points --num-points -5": "Error: `--num-points is -5`",
    "ns-export pointcloud --output-dir points --std-ratio nan": "Error: `--std-ratio is nan`",
    "ns-export tsdf --output-dir mesh --resolution 0": "Error: `--resolution is 0`",
    "ns-export cameras --output-dir cameras": "Works: `cameras/transforms_train.json`",
}
