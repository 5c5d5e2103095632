"""SplatsModel with a scene that moves: what cameras see at their times, what is saved, flow."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from made.models import a_model, baked_model, front_camera, scene_views, two_gaussians
from made.tuning import ready
from nerfstudio.cameras.cameras import Cameras, CameraType

from tokengs_nerfstudio.core.baking import bake
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig
from tokengs_nerfstudio.model import TokenGSModel


class Moving:
    """Two of which the red one goes to the right, one unit in one unit of time; one Gaussian is broken late."""

    def gaussians(self, time: float | None = None) -> Gaussians:
        moving = two_gaussians()
        extra = two_gaussians().select(slice(0, 1))
        means = torch.cat([moving.means, extra.means + torch.tensor([0.0, 9.0, 0.0])])
        means[0, 0] += time or 0.0
        means[2, 1] = float("inf") if time == 1.0 else 9.0
        return replace(Gaussians.cat([moving, extra]), means=means)


def moving_model() -> TokenGSModel:
    model = a_model()
    model.show(bake(Moving().gaussians, ready(scene_views(), times=(0.25, 0.75, 1.0)), RenderConfig()))
    return model


def timed_camera(time: float) -> Cameras:
    return Cameras(torch.eye(4)[None, :3], 40.0, 40.0, 20.0, 15.0, 60, 30, times=torch.tensor([time]))


@pytest.mark.parametrize(("time", "column"), [(0.25, 25), (0.5, 30), (0.6, 32), (1.0, 40)])
def test_cameras_see_a_moving_scene_at_their_own_time(time, column):
    model = moving_model()
    red = model.get_outputs_for_camera(timed_camera(time))["rgb"][15, :, 0]
    assert abs(int(red.argmax()) + 0.5 - column) < 1


def test_without_a_time_a_moving_scene_is_seen_and_exported_as_at_first():
    model = moving_model()
    assert model.baked_times == [0.25, 0.75, 1.0]
    # What is broken at one time is left out at all.
    assert model.num_points == 2
    torch.testing.assert_close(model.means, two_gaussians().means + torch.tensor([[0.25, 0, 0], [0, 0, 0]]))
    at_first = model.get_outputs_for_camera(front_camera(times=torch.tensor([0.0])))["rgb"]
    torch.testing.assert_close(model.get_outputs_for_camera(front_camera())["rgb"], at_first)


def test_motion_is_saved_with_the_gaussians_and_only_for_those_that_move():
    model = moving_model()
    state = deepcopy(model.state_dict())
    assert state["gauss_params.moving_means"].shape == (3, 1, 3)
    fresh = a_model()
    fresh.load_state_dict(state)
    for time in (0.3, 0.9):
        camera = front_camera(times=torch.tensor([time]))
        pictures = [one.get_outputs_for_camera(camera)["rgb"] for one in (model, fresh)]
        torch.testing.assert_close(*pictures)
    fresh.load_state_dict(deepcopy(baked_model().state_dict()))
    assert fresh.baked_times == []


def test_what_moves_and_what_stands_still_can_be_seen_alone():
    """The red one moves, the blue one stands at column 32."""
    outputs = moving_model().get_outputs_for_camera(timed_camera(0.25))
    static, dynamic = outputs["static"][15], outputs["dynamic"][15]
    assert static[32, 2] > 0.8
    assert static[25].tolist() == pytest.approx([0.5] * 3, abs=0.01)
    assert dynamic[25, 0] > 0.8
    assert dynamic[32].tolist() == pytest.approx([0.5] * 3, abs=0.01)
    assert {"flow", "static", "dynamic"} <= set(outputs)
    assert not {"flow", "static", "dynamic"} & set(baked_model().get_outputs_for_camera(front_camera()))


def test_flow_leads_to_the_next_time_or_to_the_one_that_is_stated():
    """Of three baked times the red one moves on for the first two; what stands still is white."""
    model = moving_model()

    def strength(time: float) -> float:
        """Of the colour where the red one is, negative to the left."""
        column = 20 + round(40 * time / 2)
        flow = model.get_outputs_for_camera(timed_camera(time))["flow"][15]
        assert flow[32 if column < 28 else 10].min() > 0.97
        # Red to the right, cyan to the left.
        return float(1 - flow[column].min()) * (1 if flow[column, 0] > 0.97 else -1)

    next_time = strength(0.25)
    assert next_time > 0.5
    assert strength(0.75) > 0.5
    assert abs(strength(1.0)) < 1e-3
    model.set_flow_time(0.0)
    assert strength(1.0) < 0
    with model.as_it_is():
        assert abs(strength(1.0)) < 1e-3
    model.set_flow_time(None)
    model.config.flow_time = 0.26
    assert 0 < strength(0.25) < 0.5 * next_time


@pytest.mark.parametrize("kind", [CameraType.EQUIRECTANGULAR, CameraType.FISHEYE])
def test_cameras_of_every_kind_see_what_moves(kind):
    camera = timed_camera(0.25)
    camera.camera_type[:] = kind.value
    flow = moving_model().get_outputs_for_camera(camera)["flow"]
    assert flow.shape == (30, 60, 3)
    strongest = flow[..., 1].flatten().argmin()
    assert flow.reshape(-1, 3)[strongest, 0] > 0.97
    assert flow.reshape(-1, 3)[strongest, 1] < 0.9


def test_hidden_gaussians_have_no_flow():
    model = moving_model()
    model.set_minimum_opacity(0.95)
    outputs = model.get_outputs_for_camera(timed_camera(0.25))
    assert (outputs["flow"] == 1).all()
    assert (outputs["dynamic"] == 0.5).all()
