"""Both CPU backends against the brute-force renderer and against each other: pictures and gradients.

Tolerances: pictures to 1e-5 in float32 (some hundred roundings of 6e-8), gradients to 1e-4 of the largest entry.
"""

from dataclasses import replace
from typing import Any

import pytest
import torch
from made import brute_force
from made.pictures import assert_equal_gradients, check_against_brute_force, run
from made.random_scenes import Scene, random_scene, scene_of, trainable, weighted_sum
from torch import Tensor

from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.rendering.render import Backend
from tokengs_nerfstudio.core.types import Gaussians

SHAPES = [(60, 40, 27, 2), (1, 33, 5, 3), (120, 17, 49, 1), (40, 1, 1, 2), (30, 64, 16, 1)]


@pytest.mark.parametrize(("count", "width", "height", "views"), SHAPES)
def test_pictures_and_gradients_equal_brute_force(count: int, width: int, height: int, views: int) -> None:
    check_against_brute_force(random_scene(count, width, height, views, seed=1))


def test_numba_equals_torch_on_thousands_of_gaussians() -> None:
    scene = random_scene(3000, 70, 52, views=2, seed=2, size=(0.005, 0.08))
    background = torch.rand(2, 3)
    with torch.no_grad():
        exact = render(*scene.to(torch.float64).arguments, background=background.double(), backend="torch")
        ours = render(*scene.arguments, background=background)
    mask = ((ours.rgb - exact.rgb).abs().amax(-3) < 1e-5) & ((ours.alpha - exact.alpha).abs()[:, 0] < 1e-5)
    assert mask.float().mean() > 0.995  # the rest: alpha just above or below 1/255
    assert (ours.rgb - exact.rgb).abs().max() < 1 / 255
    _, exact_gradients, _ = run("torch", scene.to(torch.float64), background.double(), mask)
    _, our_gradients, _ = run("numba", scene, background, mask)
    assert_equal_gradients(our_gradients, exact_gradients, 1e-4)


@pytest.mark.parametrize(("count", "width", "height", "views"), SHAPES)
def test_antialiased_pictures_and_gradients_equal_brute_force(count: int, width: int, height: int, views: int) -> None:
    """Gaussians from a twentieth of a pixel on, where they are least visible; none of them a sphere."""
    scene = random_scene(count, width, height, views, seed=1, size=(0.003, 0.1), opacity=(0.3, 1.0))
    check_against_brute_force(scene, antialiased=True)


def test_antialiased_numba_equals_torch_on_thousands_of_gaussians() -> None:
    scene = random_scene(3000, 70, 52, views=2, seed=2, size=(0.002, 0.08))
    settings: dict[str, Any] = {"background": 0.5, "antialiased": True}
    exact = render(*scene.to(torch.float64).arguments, **settings, backend="torch")
    ours = render(*scene.arguments, **settings)
    mask = ((ours.rgb - exact.rgb).abs().amax(-3) < 1e-5) & ((ours.alpha - exact.alpha).abs()[:, 0] < 1e-5)
    assert mask.float().mean() > 0.995
    assert (ours.rgb - exact.rgb).abs().max() < 1 / 255
    classic = render(*scene.arguments)
    assert (classic.alpha - ours.alpha).mean() > 0.05, "too few Gaussians are small enough for this to be a test"
    grey = torch.full((2, 3), 0.5)
    _, exact_gradients, _ = run("torch", scene.to(torch.float64), grey.double(), mask, antialiased=True)
    _, our_gradients, _ = run("numba", scene, grey, mask, antialiased=True)
    assert_equal_gradients(our_gradients, exact_gradients, 1e-4)


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_an_antialiased_picture_has_the_same_brightness_at_any_size(backend: Backend) -> None:
    """What small Gaussians cover of a picture; in the classic mode, the more the coarser it is."""
    scene = random_scene(40, 96, 96, seed=1, size=(0.008, 0.016), opacity=(0.8, 1.0))
    coarse = replace(scene, intrinsics=scene.intrinsics * torch.tensor([[0.5], [0.5], [1.0]]), width=48, height=48)

    def covered(shown: Scene, antialiased: bool) -> float:
        return float(render(*shown.arguments, backend=backend, antialiased=antialiased).alpha.mean())

    assert covered(coarse, True) == pytest.approx(covered(scene, True), rel=0.03)
    assert covered(coarse, False) > 1.5 * covered(scene, False)


def test_antialiased_gaussians_without_an_area_are_not_drawn_and_huge_ones_are_as_ever() -> None:
    scene = scene_of(
        means=[[0, 0, 2.0], [0.1, 0, 3.0], [-0.2, 0.1, 2.5]],
        scales=[[0.1, 0, 0], [0, 0, 0], [2e4, 3e4, 1e4]],
        opacities=[0.9, 0.9, 0.5], width=40, height=31,
    )  # fmt: skip
    for backend in ("torch", "numba"):
        renders, gradients, _ = run(backend, scene, torch.rand(1, 3), torch.ones(1, 31, 40), antialiased=True)
        classic = render(*replace(scene, splats=scene.splats.select(slice(2, 3))).arguments, backend=backend)
        torch.testing.assert_close(renders.alpha, classic.alpha)
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
        assert all((gradient[:2] == 0).all() for gradient in gradients[:5])


def test_scenes_of_a_batch_are_independent() -> None:
    scenes = [random_scene(70, 30, 22, views=3, seed=seed) for seed in (1, 2)]
    splats = Gaussians.stack([scene.splats for scene in scenes])
    c2w, intrinsics = (torch.stack([getattr(s, name) for s in scenes]) for name in ("c2w", "intrinsics"))
    background = torch.rand(2, 3, 3)
    for backend in ("torch", "numba"):
        batch, leaves = trainable(Scene(splats, c2w, intrinsics, 30, 22))
        together = render(*batch.arguments, background=background, backend=backend)
        assert together.rgb.shape == (2, 3, 3, 22, 30)
        weighted_sum(together, torch.ones(2, 3, 22, 30)).backward()
        for k, scene in enumerate(scenes):
            alone = render(*scene.arguments, background=background[k], backend=backend)
            assert torch.equal(together.rgb[k], alone.rgb)
            assert torch.equal(together.depth[k], alone.depth)
        nested = render(
            splats.unsqueeze(), c2w[None], intrinsics[None], 30, 22, background=background[None], backend=backend
        )
        assert torch.equal(nested.rgb[0], together.rgb)
    reference = [leaf.grad for leaf in leaves]
    batch, leaves = trainable(Scene(splats, c2w, intrinsics, 30, 22))
    weighted_sum(render(*batch.arguments, background=background, backend="torch"), torch.ones(2, 3, 22, 30)).backward()
    assert_equal_gradients(reference, [leaf.grad for leaf in leaves], 1e-4)


def test_pose_gradients_equal_finite_differences() -> None:
    scene = random_scene(30, 24, 20, views=2, seed=4, size=(0.1, 0.3))
    _, fragile = brute_force.render(scene.to(torch.float64))
    exact = scene.to(torch.float64)

    def loss(c2w: Tensor) -> Tensor:
        moved = Scene(exact.splats, c2w, exact.intrinsics, 24, 20)
        return weighted_sum(render(*moved.arguments, backend="torch"), ~fragile)

    _, gradients, _ = run("numba", scene, torch.full((2, 3), 0.5), ~fragile)
    step = 1e-7
    for entry in [(0, 0, 0), (0, 1, 2), (0, 0, 3), (0, 2, 3), (1, 2, 1), (1, 1, 3)]:
        nudge = torch.zeros_like(exact.c2w)
        nudge[entry] = step
        slope = (loss(exact.c2w + nudge) - loss(exact.c2w - nudge)) / (2 * step)
        assert abs(gradients[5][entry] - slope) < 1e-3 * gradients[5].abs().max(), entry


def test_without_depth_the_rest_is_the_same() -> None:
    scene = random_scene(60, 30, 22, views=2, seed=1)
    for backend in ("torch", "numba"):
        with_depth = render(*scene.arguments, backend=backend)
        without = render(*scene.arguments, backend=backend, depth=False)
        assert without.depth is None
        assert torch.equal(without.rgb, with_depth.rgb)
        assert torch.equal(without.alpha, with_depth.alpha)


def test_autocast_does_not_blur_the_cameras() -> None:
    scene = random_scene(60, 30, 22, seed=1)
    expected = render(*scene.arguments)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(render(*scene.arguments).rgb, expected.rgb)


def test_gaussians_that_change_before_the_backward_pass_are_noticed() -> None:
    scene, leaves = trainable(random_scene(20, 20, 20, seed=1))
    loss = render(*scene.arguments).rgb.sum()
    with torch.no_grad():
        leaves[0] += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
