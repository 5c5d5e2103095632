"""What densification and pruning read: gsplat's dictionary, and each Gaussian's contribution."""

from dataclasses import replace

import pytest
import torch
from made.random_scenes import random_scene, trainable, weighted_sum

from tokengs_nerfstudio.core.rendering import contributions, render, render_with_info
from tokengs_nerfstudio.core.rendering.gsplat_strategies import for_installed_gsplat
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig


@pytest.mark.parametrize("antialiased", [False, True])
def test_both_backends_tell_the_same(antialiased: bool) -> None:
    scene = random_scene(80, 40, 30, views=2, seed=1)
    scene.splats.means[::7, 1] += 50.0  # out of sight
    info = {}
    for backend in ("torch", "numba"):
        copy, _ = trainable(scene)
        splats, cameras, config = copy.request
        config = replace(config, antialiased=antialiased)
        renders, info[backend] = render_with_info(splats, cameras, config, backend=backend)
        # With and without gradients torch may sum in another order: some roundings of 6e-8 (2.7e-7 seen with 2.11).
        plain = render(*scene.arguments, backend=backend, antialiased=antialiased)
        torch.testing.assert_close(renders.rgb, plain.rgb, rtol=0, atol=1e-6)
        info[backend]["means2d"].retain_grad()
        weighted_sum(renders, torch.ones(2, 30, 40)).backward()
    ours, theirs = info["numba"], info["torch"]
    drawn = theirs["radii"] > 0
    assert 0 < drawn.sum() < drawn.numel()
    assert torch.equal(ours["radii"], theirs["radii"])
    for name in ("means2d", "depths", "conics", "opacities"):
        assert ours[name].shape == theirs[name].shape
        assert torch.allclose(ours[name][drawn], theirs[name][drawn], rtol=1e-4, atol=1e-4), name
    largest = theirs["means2d"].grad.abs().max()
    assert (ours["means2d"].grad - theirs["means2d"].grad).abs().max() < 1e-4 * largest
    assert torch.equal(ours["opacities"][drawn], scene.splats.opacities.expand(2, -1)[drawn]) == (not antialiased)
    for name in ("width", "height", "n_cameras", "gaussian_ids", "camera_ids", "tile_size"):
        assert ours[name] == theirs[name], name


def test_gsplats_strategy_grows_gaussians_from_the_cpu_renderer() -> None:
    strategies = pytest.importorskip("gsplat.strategy")
    scene, leaves = trainable(random_scene(80, 40, 30, views=2, seed=1))
    names = ("means", "quats", "scales", "opacities", "colors")
    parameters = torch.nn.ParameterDict({name: torch.nn.Parameter(leaf.detach()) for name, leaf in zip(names, leaves)})
    optimizers = {name: torch.optim.Adam([parameters[name]]) for name in names}
    strategy = strategies.DefaultStrategy(
        refine_start_iter=0, refine_every=1, pause_refine_after_reset=0, grow_grad2d=0.0
    )
    state = strategy.initialize_state(scene_scale=1.0)
    splats = Gaussians(**{name: parameters[name] for name in names})
    renders, info = render_with_info(splats, *scene.request[1:])
    seen = int((info["radii"] > 0).any(0).sum())
    info = for_installed_gsplat(info)
    strategy.step_pre_backward(parameters, optimizers, state, 1, info)
    renders.rgb.sum().backward()
    strategy.step_post_backward(parameters, optimizers, state, 1, info)
    assert len(parameters["means"]) == 80 + seen  # with no threshold, every Gaussian that was seen is doubled


def test_contributions_are_the_blending_weights() -> None:
    scene = random_scene(60, 30, 22, views=3, seed=1)
    splats, cameras, config = scene.request
    for backend, antialiased in (("torch", False), ("numba", False), ("numba", True)):
        weights = contributions(splats, cameras, replace(config, antialiased=antialiased), backend=backend)
        alpha = render(*scene.arguments, backend=backend, antialiased=antialiased).alpha
        assert weights.shape == (60,)
        assert not weights.requires_grad
        assert torch.isclose(weights.sum(), alpha.sum(), rtol=1e-5)  # in every pixel the weights add up to alpha
    front = scene.splats.select(slice(0, 1))
    alone = contributions(front, *scene.request[1:])
    assert torch.isclose(alone[0], render(front, *scene.arguments[1:]).alpha.sum(), rtol=1e-5)


def test_contributions_of_a_batch_and_without_gradients() -> None:
    scenes = [random_scene(60, 30, 22, views=2, seed=seed) for seed in (1, 2)]
    splats = Gaussians.stack([scene.splats for scene in scenes])
    c2w, intrinsics = torch.stack([s.c2w for s in scenes]), torch.stack([s.intrinsics for s in scenes])
    with torch.no_grad():
        together = contributions(splats, Cameras(c2w, intrinsics, 30, 22), RenderConfig())
    for k, scene in enumerate(scenes):
        assert torch.equal(together[k], contributions(*scene.request))
    away = scenes[0].splats
    away.means[5] += 100.0
    assert contributions(away, *scenes[0].request[1:])[5] == 0
