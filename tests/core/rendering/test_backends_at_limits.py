"""Gaussians at the limits of what can be drawn: all backends agree there, too."""

from dataclasses import replace

import pytest
import torch
from made import brute_force
from made.pictures import assert_equal_gradients, assert_equal_renders, check_against_brute_force, drawn, run
from made.random_scenes import random_scene, scene_of, trainable, weighted_sum

from tokengs_nerfstudio.core.rendering import render, torch_backend
from tokengs_nerfstudio.core.types import Renders


def test_behind_the_camera_and_on_the_planes() -> None:
    near, far = 2.0**-7, 128.0  # exact in float32: a Gaussian exactly on a plane is drawn
    scene = scene_of(
        means=[[0, 0, -1.0], [0, 0, near], [0.001, 0, 0.0078], [0.3, 0.2, far], [0, 0, 128.1], [0.1, 0.1, 3.0]],
        scales=[[0.1, 0.12, 0.11], [1.3e-4, 1e-4, 1.2e-4], [1e-3] * 3, [3.0, 2.0, 2.5], [9.0] * 3, [0.2, 0.1, 0.15]],
        opacities=[0.7] * 6, width=40, height=40,
    )  # fmt: skip
    check_against_brute_force(scene, near=near, far=far)
    _, gradients, _ = run("numba", scene, torch.rand(1, 3), torch.ones(1, 40, 40), near=near, far=far)
    drawn = gradients[4].abs().sum(-1) > 0
    assert drawn.tolist() == [False, True, False, True, False, True]


def test_a_clamped_jacobian_outside_the_image() -> None:
    scene = scene_of(
        means=[[1.1, 0.1, 1.0], [-1.2, 0.9, 1.3], [0.2, -1.0, 0.9]],
        scales=[[0.5, 0.3, 0.4], [0.6, 0.5, 0.3], [0.4, 0.5, 0.6]],
        opacities=[0.8, 0.9, 0.7], width=40, height=31,
    )  # fmt: skip
    check_against_brute_force(scene)


def test_a_huge_gaussian_covers_everything() -> None:
    scene = scene_of(
        means=[[0, 0, 2.0], [0.1, 0, 3.0], [-0.2, 0.1, 1.5]],
        scales=[[5.0, 4.0, 3.0], [0.1, 0.12, 0.13], [8.0, 0.1, 0.2]],
        opacities=[0.5, 0.9, 0.3], width=50, height=35,
    )  # fmt: skip
    check_against_brute_force(scene)
    enormous = replace(scene.splats, scales=scene.splats.scales * 1e4)
    scene = replace(scene, splats=enormous)
    renders, gradients, _ = run("numba", scene, torch.rand(1, 3), torch.ones(1, 35, 50))
    assert torch.isfinite(renders.rgb).all()  # float32 cannot do better: the determinant cancels
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_opacities_at_their_limits() -> None:
    scene = scene_of(
        means=[[0.003, 0, 2.0], [0.1, 0.003, 3.0], [0.003, 0.1, 4.0], [0, 0.003, 5.0], [0.05, 0, 6.0], [0, 0, 7.0]],
        scales=[[0.3, 0.2, 0.1], [0.2, 0.3, 0.4], [0.3, 0.4, 0.3], [0.5, 0.3, 0.2], [0.3, 0.2, 0.3], [0.3, 0.2, 0.4]],
        opacities=[0.0, 1.0, 1.0, 0.9985, 1 / 300, 1.0], width=33, height=33,
    )  # fmt: skip
    check_against_brute_force(scene)
    _, gradients, _ = run("numba", scene, torch.rand(1, 3), torch.ones(1, 33, 33))
    assert gradients[3][0] == 0
    assert gradients[3][4] == 0  # below 1/255


def test_pixels_that_are_full_stop_early() -> None:
    scene = random_scene(300, 40, 36, seed=6, size=(0.3, 0.6), opacity=(0.9, 1.0))
    truth, fragile = brute_force.render(scene.to(torch.float64))
    assert (1 - truth.alpha).min() < 2e-3
    ours = render(*scene.arguments, backend="numba")
    assert_equal_renders(ours, truth, ~fragile, 2e-5)


def test_equal_depths_are_drawn_in_the_order_of_their_index() -> None:
    scene = scene_of([[0, 0, 2.0]] * 3, [[0.3, 0.2, 0.25]] * 3, [0.6] * 3, 16, 16)
    quats = scene.splats.quats[:1].expand(3, 4)
    splats = replace(scene.splats, quats=quats, colors=torch.eye(3))
    scene = replace(scene, splats=splats)
    red, green, blue = render(*scene.arguments, backend="numba").rgb[0, :, 8, 8]
    assert red > green > blue
    check_against_brute_force(scene)


@pytest.mark.parametrize("name", ["means", "quats", "scales"])
def test_nan_geometry_is_left_out(name: str) -> None:
    scene = random_scene(40, 32, 32, seed=2, size=(0.05, 0.2))
    getattr(scene.splats, name)[7] = float("nan")
    without = replace(scene, splats=scene.splats.select(torch.arange(40) != 7))
    for backend in ("torch", "numba"):
        renders, gradients, _ = run(backend, scene, torch.rand(1, 3), torch.ones(1, 32, 32))
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
        assert all((gradient[7] == 0).all() for gradient in gradients[:5])
        expected = drawn(without, backend)
        found = drawn(scene, backend)
        assert torch.equal(found.rgb, expected.rgb)
        assert torch.isfinite(renders.rgb).all()


def test_nan_opacity_is_opaque_and_nan_colour_stays_where_it_is() -> None:
    scene = random_scene(40, 32, 32, seed=2, size=(0.02, 0.05))
    scene.splats.opacities[7] = float("nan")
    ours, gradients, _ = run("numba", scene, torch.rand(1, 3), torch.ones(1, 32, 32))
    theirs, _, _ = run("torch", scene, torch.rand(1, 3), torch.ones(1, 32, 32))
    assert torch.isfinite(ours.rgb).all()
    assert gradients[3][7] == 0
    assert (ours.alpha - theirs.alpha).abs().max() < 1e-5
    scene = random_scene(40, 32, 32, seed=2, size=(0.02, 0.05))
    scene.splats.colors[7] = float("nan")
    rgb = drawn(scene, "numba", 0.5).rgb
    assert 0 < torch.isnan(rgb).float().mean() < 0.5


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_nothing_to_see_shows_the_background(backend: str) -> None:
    background = torch.rand(1, 3)
    away = scene_of([[0, 0, -1.0], [50.0, 0, 2.0]], [[0.1] * 3] * 2, [0.5] * 2, 40, 24)
    nothing = replace(away, splats=away.splats.select(slice(0, 0)))
    for scene in (away, nothing):
        renders, gradients, _ = run(backend, scene, background, torch.ones(1, 24, 40))
        assert torch.equal(renders.rgb, background[..., None, None].expand(1, 3, 24, 40))
        assert renders.alpha.abs().max() == 0
        assert renders.depth is not None
        assert renders.depth.abs().max() == 0
        assert all((gradient == 0).all() for gradient in gradients[:6])
        assert (gradients[6] > 0).all()


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("opacity", [(0.0, 0.9), (0.9, 1.0)])
def test_where_alpha_ends_the_extent_nothing_is_cut_away(opacity: tuple[float, float], antialiased: bool) -> None:
    """gsplat 1.5's rectangle: an alpha of 1 falls to 1/255 within 3.329 standard deviations."""
    size = (0.005, 0.1) if antialiased else (0.02, 0.3)
    scene = random_scene(60, 40, 27, views=2, seed=1, size=size, opacity=opacity).to(torch.float64)
    truth, fragile = brute_force.render(scene, cut=False, antialiased=antialiased)
    exact, leaves = trainable(scene)
    request = exact.requested(0.5, backend="torch", antialiased=antialiased)
    renders = Renders(*torch_backend.rasterize(request, "alpha_cut")[:3]).squeeze()
    assert_equal_renders(renders, truth, ~fragile, 1e-10)
    other, other_leaves = trainable(scene)
    weighted_sum(renders, ~fragile).backward()
    weighted_sum(brute_force.render(other, cut=False, antialiased=antialiased)[0], ~fragile).backward()
    assert_equal_gradients([leaf.grad for leaf in leaves], [leaf.grad for leaf in other_leaves], 1e-8)


def test_the_extents_differ_where_an_opaque_splat_fades() -> None:
    scene = random_scene(200, 70, 52, views=2, seed=1, size=(0.05, 0.1), opacity=(0.9, 1.0))
    request = scene.requested(0.5, depth=False, backend="torch")
    square, rectangle = (torch_backend.rasterize(request, extent)[1] for extent in ("three_sigma", "alpha_cut"))
    assert 1e-3 < (square - rectangle).abs().max() < 0.0112  # exp(-3^2 / 2) is 0.0111
