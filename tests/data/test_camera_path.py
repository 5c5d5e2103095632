"""The camera path of the demo's film."""

import numpy as np
import pytest

from tokengs_nerfstudio.core.errors import UserError
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


def photos(angles: list[float], times: list[float]) -> camera_path.Filmed:
    return camera_path.Filmed(ring(angles), times, 50.0, 64, 48)


def filmed(kind: camera_path.MovingKind, **options) -> tuple[np.ndarray, np.ndarray]:
    """Poses and times of the pictures of a film through photos that were not taken one beside the other."""
    path = camera_path.moving_path(photos([0, 40, 20], [0.2, 1.0, 0.4]), kind, 41, 24, **options)
    assert (path["render_width"], path["render_height"], path["seconds"]) == (64, 48, 41 / 24)
    assert all(camera["fov"] == 50.0 for camera in path["camera_path"])
    poses = np.array([camera["camera_to_world"] for camera in path["camera_path"]]).reshape(-1, 4, 4)
    return poses, np.array([camera["render_time"] for camera in path["camera_path"]])


def angles_of(poses: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(poses[:, 1, 3] - 2, poses[:, 0, 3] - 1))


def test_bullet_time_moves_the_camera_evenly_while_time_stands():
    poses, times = filmed("bullet-time")
    assert (times == 0.6).all()
    assert (filmed("bullet-time", time=0.3)[1] == 0.3).all()
    angles = angles_of(poses)
    assert sorted([angles[0], angles[-1]]) == pytest.approx([0, 40], abs=1e-6)
    steps = np.diff(angles)
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.abs(steps).max() < 1.4 * np.abs(steps).mean()
    np.testing.assert_allclose(
        poses[:, :3, :3] @ poses[:, :3, :3].swapaxes(1, 2), np.tile(np.eye(3), (41, 1, 1)), atol=1e-9
    )


def test_a_time_lapse_stands_where_the_first_photo_was_taken_while_time_runs():
    poses, times = filmed("time-lapse")
    np.testing.assert_allclose(poses, np.tile(ring([0])[0], (41, 1, 1)))
    np.testing.assert_allclose(times, np.linspace(0.2, 1.0, 41))


def test_the_context_is_filmed_from_photo_to_photo_as_it_was_taken():
    """At 0, 20 and 40 degrees at times 0.2, 0.4 and 1."""
    poses, times = filmed("context")
    np.testing.assert_allclose(poses[[0, 20, 40]], ring([0, 20, 40]), atol=1e-6)
    np.testing.assert_allclose(times[[0, 10, 20, 40]], [0.2, 0.3, 0.4, 1.0])
    assert (np.diff(times) > 0).all()
    assert angles_of(poses)[10] == pytest.approx(10, abs=1.5)


@pytest.mark.parametrize(
    ("kind", "angles", "times", "complaint"),
    [
        ("bullet-time", [0, 0], [0.0, 1.0], "several places"),
        ("time-lapse", [0, 30], [0.5, 0.5], "several times"),
        ("context", [0, 30], [0.5, 0.5], "several times"),
    ],
)
def test_a_film_in_which_nothing_would_move_is_refused(kind, angles, times, complaint):
    with pytest.raises(UserError, match=complaint):
        camera_path.moving_path(photos(angles, times), kind, 10, 24)
