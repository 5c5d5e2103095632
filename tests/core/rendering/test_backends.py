"""Both CPU backends against the brute-force renderer and against each other: pictures and gradients.

Tolerances: pictures to 1e-5 in float32 (some hundred roundings of 6e-8), gradients to 1e-4 of the largest entry.
"""

from dataclasses import replace
from typing import Any

import pytest
import torch
from made import brute_force
from made.random_scenes import Scene, random_scene, scene_of, trainable, weighted_sum
from torch import Tensor

from tokengs_nerfstudio.core.rendering import render, render_cameras, torch_backend
from tokengs_nerfstudio.core.rendering.render import Backend
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig, Renders

NAMES = ("means", "quats", "scales", "opacities", "colors", "c2w", "background")
SHAPES = [(60, 40, 27, 2), (1, 33, 5, 3), (120, 17, 49, 1), (40, 1, 1, 2), (30, 64, 16, 1)]


def run(
    backend: Any, scene: Scene, background: Tensor, mask: Tensor | None = None, **settings: Any
) -> tuple[Renders, list[Tensor], Tensor]:
    """Pictures, gradients of a weighted sum of them, and the mask that was used (brute force finds its own)."""
    scene, leaves = trainable(scene)
    background = background.detach().to(scene.c2w.dtype, copy=True).requires_grad_()
    if backend == "brute":
        renders, fragile = brute_force.render(scene, background, **settings)
        mask = ~fragile
    else:
        splats, c2w, intrinsics, width, height = scene.arguments
        config = RenderConfig(background=background, **settings)
        # Not `render`, which refuses what is not finite: the backends have to cope with it while a scene is tuned.
        renders = render_cameras(splats, Cameras(c2w, intrinsics, width, height), config, backend=backend)
    assert mask is not None
    weighted_sum(renders, mask).backward()
    leaves = [*leaves, background]
    return renders, [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves], mask


def drawn(scene: Scene, backend: Backend, background: float = 0.0) -> Renders:
    """The pictures alone, of values that `render` refuses."""
    splats, c2w, intrinsics, width, height = scene.arguments
    return render_cameras(
        splats, Cameras(c2w, intrinsics, width, height), RenderConfig(background=background), backend=backend
    )


def assert_equal_renders(ours: Renders, theirs: Renders, mask: Tensor, tolerance: float) -> None:
    shown = mask[..., None, :, :]
    assert ((ours.rgb - theirs.rgb).abs() * shown).max() < tolerance
    assert ((ours.alpha - theirs.alpha).abs() * shown).max() < tolerance
    there = shown & (theirs.alpha > 0.01)  # below, depth is a quotient of roundings
    relative = (ours.depth - theirs.depth).abs() / theirs.depth.abs().clamp(min=1)
    assert (relative * there).max() < tolerance * 10


def assert_equal_gradients(ours: list[Tensor], theirs: list[Tensor], tolerance: float) -> None:
    for name, a, b in zip(NAMES, ours, theirs):
        assert torch.isfinite(a).all(), name
        assert (a - b).abs().max() <= tolerance * b.abs().max().clamp(min=1e-3), name


def check_against_brute_force(scene: Scene, fragile_at_most: float = 0.05, **settings: Any) -> None:
    """torch in float64 equals brute force; torch and numba in float32 do within float32's reach."""
    background = torch.rand(len(scene.c2w), 3, generator=torch.Generator().manual_seed(1))
    truth, gradients, mask = run("brute", scene.to(torch.float64), background.double(), **settings)
    assert (~mask).float().mean() <= fragile_at_most, "too little left to compare: pick another seed"
    exact, exact_gradients, _ = run("torch", scene.to(torch.float64), background.double(), mask, **settings)
    assert_equal_renders(exact, truth, mask, 1e-10)
    assert_equal_gradients(exact_gradients, gradients, 1e-8)
    for backend in ("torch", "numba"):
        ours, our_gradients, _ = run(backend, scene, background, mask, **settings)
        assert_equal_renders(ours, truth, mask, 1e-5)
        assert_equal_gradients(our_gradients, gradients, 1e-4)


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
