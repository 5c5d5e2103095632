"""Endpoint errors of flow: values known beforehand, and scenes whose flow is exact."""

from dataclasses import replace

import pytest
import torch
from made.meshes import small_sources
from made.scenes import arc_cameras, small_network

from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix, project
from tokengs_nerfstudio.core.rendering.flow import Flow
from tokengs_nerfstudio.core.types import Cameras, Similarity
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.evaluation.flow_error import (
    ExactFlow,
    FlowScene,
    endpoint_errors,
    held_out_scene,
    mean_errors,
    network_flow,
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> FlowScene:
    return held_out_scene(0, 24, 3, 2, MeshSceneConfig(small_sources(tmp_path_factory.mktemp("meshes"))))


def flat(values: list[list[float]], axes: int) -> torch.Tensor:
    """Flow of one row of pixels in one view, along the first axis and the second."""
    return torch.tensor([*values, *[[0.0] * len(values[0])] * (axes - len(values))])[None, :, None]


def test_errors_are_means_over_what_moves_beside_the_best_constant():
    """Ways of 1, 3 and 8 to the right: the median, 3, misses by 2, 0 and 5; the mean, 4, by 3, 1 and 4."""
    moving = torch.tensor([[[True, True, True, False]]])
    true = [flat([[1.0, 3.0, 8.0, 0.0]], axes) for axes in (3, 2)]
    found = [flat([[1.0, 3.0, 4.0, 9.0], [0.0, 3.0, 3.0, 0.0]], axes) for axes in (3, 2)]
    errors = endpoint_errors(Flow(*found), ExactFlow(Flow(true[0], true[1]), moving))
    assert errors["pixels"] == errors["space"]
    assert errors["pixels"]["found"] == pytest.approx((0 + 3 + 5) / 3)
    assert errors["pixels"]["zero"] == pytest.approx(4)
    assert errors["pixels"]["constant"] == pytest.approx(7 / 3)


def test_views_and_scenes_in_which_nothing_moves_do_not_count():
    still = ExactFlow(Flow(torch.zeros(2, 3, 1, 2), torch.zeros(2, 2, 1, 2)), torch.zeros(2, 1, 2, dtype=torch.bool))
    assert endpoint_errors(still.flow, still) == {}
    moving = replace(still, moving=torch.tensor([[[True, False]], [[False, False]]]))
    flow = Flow(torch.ones(2, 3, 1, 2), torch.ones(2, 2, 1, 2))
    errors = endpoint_errors(flow, moving)
    assert errors["pixels"]["found"] == pytest.approx(2**0.5)
    assert mean_errors([errors, {}]) == errors
    assert mean_errors([{}]) == {}


def test_exact_flow_in_pixels_follows_from_depths_and_displacements():
    """A wall at depth 2 before the middle of three cameras goes 0.1 to the right and 1 away."""
    cameras = Cameras(arc_cameras(3)[1:2], intrinsics_matrix(*torch.tensor([[50.0], [50.0], [8.0], [6.0]])), 16, 12)
    away = torch.tensor([0.1, 0.0, 1.0])[None, :, None, None].expand(1, 3, 12, 16)
    exact = ExactFlow.of(away, torch.ones(1, 1, 12, 16, dtype=torch.bool), torch.full((1, 1, 12, 16), 2.0), cameras)
    rows, columns = torch.meshgrid(torch.arange(12) + 0.5, torch.arange(16) + 0.5, indexing="ij")
    expected = torch.stack([8 + ((columns - 8) * 2 + 5) / 3 - columns, 6 + (rows - 6) * 2 / 3 - rows])
    torch.testing.assert_close(exact.flow.pixels[0], expected, atol=1e-4, rtol=1e-4)


def test_a_held_out_scene_moves_from_its_middle_and_the_truth_has_no_error(scene):
    assert scene.example.context.times is not None
    assert scene.example.target.times is not None
    assert scene.example.context.times[[0, -1]].tolist() == [0.0, 1.0]
    assert 0 < float(scene.example.target.times[0]) < scene.other <= 1
    errors = endpoint_errors(scene.exact.flow, scene.exact)
    for unit in ("pixels", "space"):
        assert errors[unit]["found"] == 0
        assert 0 < errors[unit]["constant"] < errors[unit]["zero"]


def test_where_a_pixel_goes_is_where_its_point_is_seen_then(scene):
    """The flow in pixels of one pixel, by hand."""
    target = scene.example.target
    assert target.depths is not None
    view, row, column = (int(part) for part in scene.exact.moving.nonzero()[5])
    at = torch.tensor([column + 0.5, row + 0.5, 1.0]) * target.depths[view, 0, row, column]
    point = target.c2w[view, :3, :3] @ (target.intrinsics[view].inverse() @ at) + target.c2w[view, :3, 3]
    there = point + scene.exact.flow.displacement[view, :, row, column]
    place = project(there[None], target.c2w[view : view + 1], target.intrinsics[view : view + 1])[0][0, 0]
    expected = place - torch.tensor([column + 0.5, row + 0.5])
    torch.testing.assert_close(scene.exact.flow.pixels[view, :, row, column], expected, atol=1e-3, rtol=1e-3)


def test_the_flow_of_a_network_is_in_the_units_of_the_scene(scene):
    """Half as large a scene has half the flow in space, and the same in pixels."""
    network = small_network(tokens=8, dynamic_tokens=8, time_channels=2)
    assert network.target_time_embedding is not None
    torch.nn.init.normal_(network.target_time_embedding.conv.weight, std=0.03)
    context = scene.example.context
    middle = replace(context, times=torch.full_like(context.times, 0.5))
    scene = replace(scene, example=replace(scene.example, target=middle))
    flow = network_flow(network, scene)
    assert flow.pixels.abs().max() > 0.01

    def half(views):
        return replace(views, c2w=Similarity(torch.eye(3), torch.zeros(3), torch.tensor(0.5)).cameras(views.c2w))

    example = replace(scene.example, context=half(scene.example.context), target=half(scene.example.target))
    smaller = network_flow(network, replace(scene, example=example))
    torch.testing.assert_close(smaller.displacement, 0.5 * flow.displacement, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(smaller.pixels, flow.pixels, atol=1e-2, rtol=1e-3)
