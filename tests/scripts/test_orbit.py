"""The camera path of the demo's film."""

import json

import numpy as np
import orbit
import pytest


def ring(angles: list[float], radius: float = 2.0, height: float = 1.0) -> np.ndarray:
    """Cameras [n, 4, 4] at these degrees round (1, 2, 3), all looking there."""
    target = np.array([1.0, 2.0, 3.0])
    turns = np.radians(angles)
    places = np.stack([radius * np.cos(turns), radius * np.sin(turns), np.full(len(angles), height)], axis=1)
    return np.stack([orbit.look_at(target + place, target) for place in places])


def test_the_focus_is_where_the_cameras_look():
    np.testing.assert_allclose(orbit.focus_of(ring([0, 40, 170])), [1, 2, 3], atol=1e-9)


def test_cameras_are_rotations_that_see_the_target_in_the_middle():
    pose = orbit.look_at(np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 0.5]))
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    x, y, z = pose[:3, :3].T @ (np.array([1.0, 2.0, 0.5]) - pose[:3, 3])
    assert (x, y) == pytest.approx((0, 0), abs=1e-12)
    assert z < 0


def test_the_path_runs_from_end_to_end_and_leaves_the_widest_gap_out():
    """Photos from 150 over 180 to 290 degrees: the film starts and ends there and never comes near 40 degrees."""
    path = orbit.orbit(ring([170, 290, 150, 240, 200, 265]), frames=50)
    offsets = path[:, :3, 3] - [1, 2, 3]
    angles = np.degrees(np.arctan2(offsets[:, 1], offsets[:, 0])) % 360
    assert angles[0] == pytest.approx(150)
    assert angles[-1] == pytest.approx(290)
    assert (np.diff(angles) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(offsets, axis=1), np.sqrt(5), atol=1e-6)
    np.testing.assert_allclose(offsets[:, 2], 1, atol=1e-6)


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
