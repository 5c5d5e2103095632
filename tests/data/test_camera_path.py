"""The camera path of the demo's film."""

import numpy as np
import pytest

from tokengs_nerfstudio.data import camera_path


def ring(angles: list[float], radius: float = 2.0, height: float = 1.0) -> np.ndarray:
    """Cameras [n, 4, 4] at these degrees round (1, 2, 3), all looking there."""
    target = np.array([1.0, 2.0, 3.0])
    turns = np.radians(angles)
    places = np.stack([radius * np.cos(turns), radius * np.sin(turns), np.full(len(angles), height)], axis=1)
    return np.stack([camera_path.look_at(target + place, target) for place in places])


def test_the_focus_is_where_the_cameras_look():
    np.testing.assert_allclose(camera_path.focus_of(ring([0, 40, 170])), [1, 2, 3], atol=1e-9)


def test_cameras_are_rotations_that_see_the_target_in_the_middle():
    pose = camera_path.look_at(np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 0.5]))
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    x, y, z = pose[:3, :3].T @ (np.array([1.0, 2.0, 0.5]) - pose[:3, 3])
    assert (x, y) == pytest.approx((0, 0), abs=1e-12)
    assert z < 0


def test_the_path_runs_from_end_to_end_and_leaves_the_widest_gap_out():
    """Photos from 150 over 180 to 290 degrees: the film starts and ends there and never comes near 40 degrees."""
    path = camera_path.orbit(ring([170, 290, 150, 240, 200, 265]), frames=50)
    offsets = path[:, :3, 3] - [1, 2, 3]
    angles = np.degrees(np.arctan2(offsets[:, 1], offsets[:, 0])) % 360
    assert angles[0] == pytest.approx(150)
    assert angles[-1] == pytest.approx(290)
    assert (np.diff(angles) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(offsets, axis=1), np.sqrt(5), atol=1e-6)
    np.testing.assert_allclose(offsets[:, 2], 1, atol=1e-6)
