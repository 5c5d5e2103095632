"""The script that writes the demo's camera path."""

import json

import numpy as np
import orbit
import pytest

from tokengs_nerfstudio.data.camera_path import look_at


def ring(angles: list[float], radius: float = 2.0, height: float = 1.0) -> np.ndarray:
    """Cameras [n, 4, 4] at these degrees round (1, 2, 3), all looking there."""
    target = np.array([1.0, 2.0, 3.0])
    turns = np.radians(angles)
    places = np.stack([radius * np.cos(turns), radius * np.sin(turns), np.full(len(angles), height)], axis=1)
    return np.stack([look_at(target + place, target) for place in places])


def test_the_file_is_in_the_frame_of_the_run_and_of_even_size(tmp_path):
    poses = ring([0, 30, 60, 90])
    lens = {"w": 385, "h": 256, "fl_y": 256.0}
    frames = [{"transform_matrix": pose.tolist()} for pose in poses]
    (tmp_path / "transforms.json").write_text(json.dumps({**lens, "frames": frames}))
    shift = [[1, 0, 0, -1], [0, 1, 0, -2], [0, 0, 1, -3]]
    (tmp_path / "dataparser_transforms.json").write_text(json.dumps({"transform": shift, "scale": 0.5}))
    args = orbit.Orbit(capture=tmp_path, run=tmp_path, output=tmp_path / "path.json", frames=3)
    orbit.main(args)
    written = json.loads(args.output.read_text())
    assert (written["render_width"], written["render_height"]) == (770, 512)
    cameras = np.array([camera["camera_to_world"] for camera in written["camera_path"]]).reshape(3, 4, 4)
    np.testing.assert_allclose(np.linalg.norm(cameras[:, :3, 3], axis=1), np.sqrt(5) / 2, atol=1e-6)
    assert written["camera_path"][0]["fov"] == pytest.approx(2 * np.degrees(np.arctan(0.5)))
    assert {path.name for path in tmp_path.iterdir()} == {"transforms.json", "dataparser_transforms.json", "path.json"}
