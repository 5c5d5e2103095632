"""Flow of Gaussians in pictures: values known from geometry, and from how colours are drawn."""

from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs

from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix, project
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.rendering.flow import flow_colors, hue_colors, pixel_displacement, render_flow
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig

SIZE = 48


def cameras(count: int = 2) -> Cameras:
    one = torch.ones(count)
    return Cameras(arc_cameras(count), intrinsics_matrix(50 * one, 50 * one, 24 * one, 24 * one), SIZE, SIZE)


def one_blob(opacity: float = 0.9) -> Gaussians:
    """Small, at (0, 0, 2), right before the middle camera of three."""
    return Gaussians(
        means=torch.tensor([[0.0, 0.0, 2.0]]),
        quats=torch.tensor([[1.0, 0, 0, 0]]),
        scales=torch.full((1, 3), 0.05),
        opacities=torch.tensor([opacity]),
        colors=torch.tensor([[1.0, 0.5, 0.0]]),
    )


@pytest.mark.parametrize("opacity", [0.9, 0.2])
def test_one_gaussian_has_its_own_flow_wherever_it_is_seen_however_faint(opacity):
    displacement = torch.tensor([[0.2, -0.1, 0.0]])
    flow = render_flow(one_blob(opacity), displacement, cameras(3)[1:2], RenderConfig())
    seen = render_cameras(one_blob(opacity), cameras(3)[1:2], RenderConfig()).alpha[0, 0] > 0
    assert 10 < int(seen.sum()) < SIZE * SIZE / 2
    torch.testing.assert_close(flow.displacement[0][:, seen], displacement.T.expand(3, int(seen.sum())))
    expected = torch.tensor([[50 * 0.1], [-50 * 0.05]]).expand(2, int(seen.sum()))
    torch.testing.assert_close(flow.pixels[0][:, seen], expected, atol=1e-4, rtol=1e-5)
    assert (flow.displacement[0][:, ~seen] == 0).all()
    assert (flow.pixels[0][:, ~seen] == 0).all()


def test_flow_in_pixels_is_that_of_each_camera():
    displacement = torch.tensor([[0.1, 0.05, 0.3]])
    flow = render_flow(one_blob(), displacement, cameras(), RenderConfig())
    places = [
        project(points, cameras().c2w, cameras().intrinsics)[0]
        for points in (one_blob().means, one_blob().means + displacement)
    ]
    expected = (places[1] - places[0])[:, 0]
    middle = places[0][:, 0].long()
    for view in range(2):
        found = flow.pixels[view][:, middle[view, 1], middle[view, 0]]
        torch.testing.assert_close(found, expected[view], atol=1e-3, rtol=1e-4)
    assert (expected[0] - expected[1]).norm() > 1


def test_where_several_are_seen_flow_is_mixed_as_their_colours_are():
    """Displacements within [0, 1] are colours, drawn over black and divided by the opacity."""
    scene = blobs(30)
    displacement = torch.rand(30, 3, generator=torch.Generator().manual_seed(3))
    flow = render_flow(scene, displacement, cameras(), RenderConfig())
    drawn = render_cameras(replace(scene, colors=displacement), cameras(), RenderConfig(background=0.0))
    torch.testing.assert_close(flow.displacement * drawn.alpha, drawn.rgb, atol=1e-5, rtol=1e-4)
    turned = render_flow(scene, -displacement, cameras(), RenderConfig())
    torch.testing.assert_close(turned.displacement, -flow.displacement)


def test_what_passes_a_camera_has_no_flow_in_its_picture():
    points = torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, 2.0], [0.0, 0.0, -1.0]])
    there = torch.tensor([[0.5, 0.0, -3.0], [0.5, 0.0, 0.0], [0.0, 0.5, 0.0]])
    moved = pixel_displacement(points, there, cameras(3)[1:2])[0]
    assert moved[[0, 2]].abs().max() == 0
    assert moved[1].tolist() == pytest.approx([12.5, 0.0])


def test_directions_are_hues_and_ways_are_strengths():
    ways = torch.tensor([[0.0, 5.0, -5.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 5.0, -5.0, 0.0]])
    colors = flow_colors(ways[:, None], longer_side=100)[:, 0]
    still, right, left, down, up, slow = colors.T
    assert still.tolist() == [1.0, 1.0, 1.0]
    assert right[0] == 1.0
    assert right[1] == right[2] < 0.2
    assert left[0] < 0.2 < 0.9 < left[1]
    assert down[1] == 1.0
    assert down[2] < 0.2
    assert up[2] == 1.0
    assert up[1] < 0.2
    assert right[1] < slow[1] < 1.0
    torch.testing.assert_close(hue_colors(torch.tensor([0.0, 1 / 3, 2 / 3]), 1.0), torch.eye(3), atol=1e-6, rtol=0)
