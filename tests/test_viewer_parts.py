"""The parts of the viewer by themselves: where it opens, frusta, what is typed, what controls call."""

from typing import Any

import numpy as np
import pytest
from made.viewers import ENCODING
from viser.transforms import SO3

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.viewer import SceneControls, frustum_depth, held_upright, numbers, opening, within


def test_the_opening_camera_looks_at_what_is_before_it():
    pose = np.concatenate([np.eye(3), [[0.0], [0], [5]]], axis=1)
    position, target = opening(pose, np.array([[0.0, 0, 2], [0.1, 0, 2], [0.0, 0.2, 2], [9.0, 0, 4], [0, 0, 9]]))
    assert position.tolist() == [0, 0, 5]
    assert target.tolist() == [0, 0, 2]
    assert opening(pose, np.zeros((0, 3)))[1].tolist() == [0, 0, 4]


@pytest.mark.parametrize(("roll", "pitch", "upright"), [(0, 0, True), (20, 30, True), (35, 0, False), (90, 0, False)])
def test_photos_that_were_held_askew_are_seen_as_they_are(roll, pitch, upright):
    """A nerfstudio camera at the height of the eyes that looks along y, turned about its axis, then down."""
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    axes = level @ SO3.from_x_radians(-np.deg2rad(pitch)).as_matrix() @ SO3.from_z_radians(np.deg2rad(roll)).as_matrix()
    c2w = np.concatenate([axes, np.zeros((3, 1))], axis=1)
    assert held_upright(c2w) is upright
    from_above = np.eye(4)[:3]
    assert not held_upright(from_above)


def test_frusta_are_as_deep_as_the_viewer_draws_them():
    """A square one of 90 degrees: its pyramid holds z (2 z)^2 / 3, four times the unit z^3 / 3 that viser counts."""
    assert frustum_depth(1.0, 1.0, 0.3) == pytest.approx(0.3 * 3 ** (1 / 3))
    assert frustum_depth(0.5, 2.0, 0.3) == pytest.approx(0.3 * 6 ** (1 / 3))


def test_photos_may_be_named_with_commas():
    assert numbers("0, 3,7 9") == [0, 3, 7, 9]
    with pytest.raises(UserError, match="0 to 4"):
        within([1, 5], 5)


def test_controls_call_what_they_are_made_for():
    said: list[Any] = []
    controls = SceneControls(
        said.append, said.append, lambda context, tokens: said.append((context, tokens)), said.append
    )
    assert set(controls.elements()) == {"minimum_opacity"}
    assert set(controls.encoding_elements([4, 2], 32)) == ENCODING
    controls.shown.value = "feed-forward"
    controls.shown.cb_hook(controls.shown)
    controls.encode_again.cb_hook(controls.encode_again)
    assert said == [True, ([4, 2], 32), True]


def test_flow_leads_to_the_next_time_until_somebody_states_one():
    said: list[Any] = []
    controls = SceneControls(print, print, print, said.append)
    assert set(controls.motion_elements()) == {"flow_to_next", "flow_to"}
    controls.flow_to.value = 0.25
    controls.flow_to.cb_hook(controls.flow_to)
    controls.flow_to_next.value = False
    controls.flow_to_next.cb_hook(controls.flow_to_next)
    assert said == [None, 0.25]
