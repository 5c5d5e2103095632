import math

import numpy as np
import pytest
from made.moving_reference import MOTIONS, UP

from tokengs_nerfstudio.data.procedural.meshes.motion import Course, Glide, Hung, Motion, Stretch, Turn

POINTS = np.random.default_rng(0).standard_normal((20, 3))


def taken(motion: Motion, time: float, points: np.ndarray = POINTS) -> np.ndarray:
    matrix = motion.at(time)
    assert np.array_equal(matrix[3], [0, 0, 0, 1])
    return points @ matrix[:3, :3].T + matrix[:3, 3]


@pytest.mark.parametrize("name", MOTIONS)
def test_motions_are_smooth_and_keep_what_is_inside_inside(name):
    motion: Motion = MOTIONS[name]
    times = np.linspace(0, 1, 401)
    way = np.array([taken(motion, time) for time in times])
    speed = np.diff(way, axis=0) * 400
    assert abs(speed).max() > 0.2
    assert abs(np.diff(speed, axis=0)).max() < 0.2
    assert min(np.linalg.det(motion.at(time)) for time in times) > 0.2
    if name not in ("breath", "sway"):
        apart = np.linalg.norm(way[:, :, None] - way[:, None], axis=-1)
        np.testing.assert_allclose(apart, np.broadcast_to(apart[0], apart.shape), atol=1e-12)


def test_a_course_goes_its_way_and_swings():
    assert Course(3.0, ease=0.7).at(0.0) == 0.0
    assert Course(3.0, ease=0.7).at(1.0) == pytest.approx(3.0)
    slow = [Course(1.0, ease=-1.0).at(time) for time in np.linspace(0, 1, 101)]
    assert slow[1] < 1e-4
    assert (np.diff(slow) >= 0).all()
    swing = Course(swing=0.5, turns=2.0, phase=0.25)
    assert [swing.at(time) for time in (0.0, 0.125, 0.25, 0.5)] == pytest.approx([0.5, 0.0, -0.5, 0.5])
    both = Course(1.0, 0.3, 0.4, 1.5, 0.2)
    assert both.scaled(-2.0).at(0.37) == pytest.approx(-2 * both.at(0.37))


def test_a_glide_ends_at_its_way_and_is_bent_in_the_middle():
    glide = Glide(np.array([2.0, 0.0, 0.0]), np.array([0.0, 0.5, 0.0]), Course(1.0))
    for time, place in ((0.0, (0, 0, 0)), (0.5, (1, 0.5, 0)), (1.0, (2, 0, 0))):
        np.testing.assert_allclose(taken(glide, time), POINTS + place, atol=1e-12)


def test_a_turn_leaves_its_axis_and_turns_the_right_way():
    turn = Turn(np.array([1.0, 0.0, 5.0]), UP, Course(math.pi / 2))
    np.testing.assert_allclose(
        taken(turn, 1.0, np.array([[1.0, 0, -3], [2, 0, 0]])), [[1, 0, -3], [1, 1, 0]], atol=1e-12
    )


def test_what_breathes_and_sways_stands_on_its_foot():
    foot = np.array([0.3, -0.2, 0.1])
    breath = Stretch(foot, np.diag([0.0, 0.0, 1.0]), Course(0.5))
    sway = Stretch(foot, np.outer([1.0, 0.0, 0.0], UP), Course(0.5))
    points = np.stack([foot, foot + 2 * UP])
    np.testing.assert_allclose(taken(breath, 1.0, points) - points, [[0, 0, 0], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(taken(sway, 1.0, points) - points, [[0, 0, 0], [1, 0, 0]], atol=1e-12)


def test_what_hangs_on_something_keeps_its_own_motion_relative_to_it():
    carrier, own = Turn(np.zeros(3), UP, Course(1.0)), Turn(np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), Course(2.0))
    hung = Hung(carrier, own)
    np.testing.assert_allclose(taken(hung, 0.6), taken(carrier, 0.6, taken(own, 0.6)), atol=1e-12)
    joint = own.pivot[None]
    np.testing.assert_allclose(taken(hung, 0.6, joint), taken(carrier, 0.6, joint), atol=1e-12)
