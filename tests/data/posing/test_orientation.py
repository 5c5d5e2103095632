import cv2
import numpy as np
import pytest

from tokengs_nerfstudio.data.posing.orientation import upright


def cameras() -> np.ndarray:
    """Six cameras in a world that lies on its side."""
    c2w = np.tile(np.eye(4), (6, 1, 1))
    for k in range(6):
        c2w[k, :3, :3] = cv2.Rodrigues(np.array([1.0, 0.4, -0.3]))[0] @ cv2.Rodrigues(np.array([0.1, 0.3 * k, 0.0]))[0]
    return c2w


@pytest.mark.parametrize(
    ("up", "axis"),
    [("top", (0, -1, 0)), ("bottom", (0, 1, 0)), ("left", (-1, 0, 0)), ("right", (1, 0, 0)), ("camera", (0, 0, -1))],
)
def test_what_is_up_in_the_photos_is_z(up, axis):
    turn = upright(cameras(), up)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    mean = (turn @ cameras()[:, :3, :3] @ np.array(axis, float)).mean(0)
    np.testing.assert_allclose(mean / np.linalg.norm(mean), [0, 0, 1], atol=1e-12)


def test_a_world_upside_down_is_turned_and_one_without_up_stays():
    upside_down = np.tile(np.diag([1.0, -1.0, -1.0, 1.0]), (2, 1, 1))
    upside_down[:, :3, :3] = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # y, which is down, looks to +z
    turn = upright(upside_down, "top")
    np.testing.assert_allclose(turn @ upside_down[0, :3, :3] @ [0, -1, 0], [0, 0, 1], atol=1e-12)
    around = np.tile(np.eye(4), (2, 1, 1))
    around[1, :3, :3] = np.diag([-1.0, -1.0, 1.0])
    np.testing.assert_array_equal(upright(around, "top"), np.eye(3))
    np.testing.assert_array_equal(upright(cameras(), "none"), np.eye(3))
