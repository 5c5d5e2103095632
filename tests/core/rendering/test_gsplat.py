"""The CPU renderer is gsplat's twin: pictures and gradients on a CUDA device.

gsplat's exp is CUDA's fast one (2 units in the last place) and it gets the transmittance from 1 - alpha, so pictures
agree to 1e-4 and gradients to 1e-3, where no hard decision is close.
"""

import pytest
import torch
from made import brute_force
from made.random_scenes import Scene, random_scene, trainable, weighted_sum
from torch import Tensor

from tokengs_nerfstudio.core.rendering import contributions, render, render_with_info
from tokengs_nerfstudio.core.types import Gaussians, Renders

pytestmark = pytest.mark.gpu


def on(scene: Scene, device: str) -> Scene:
    return Scene(scene.splats.to(device), scene.c2w.to(device), scene.intrinsics.to(device), scene.width, scene.height)


def run(scene: Scene, device: str, mask: Tensor, background: Tensor) -> tuple[Renders, list[Tensor]]:
    copy, leaves = trainable(on(scene, device))
    renders = render(*copy.arguments, background=background.to(device))
    renders = renders.to("cpu")
    weighted_sum(renders, mask).backward()
    return renders, [leaf.grad.cpu() for leaf in leaves]


@pytest.mark.parametrize("seed", [1, 2])
def test_pictures_and_gradients_equal_gsplat(seed: int) -> None:
    scene = random_scene(150, 70, 52, views=2, seed=seed, size=(0.02, 0.15))
    _, fragile = brute_force.render(scene.to(torch.float64))
    assert fragile.float().mean() < 0.05
    background = torch.rand(2, 3)
    cuda, cuda_gradients = run(scene, "cuda", ~fragile, background)
    cpu, cpu_gradients = run(scene, "cpu", ~fragile, background)
    shown = ~fragile[:, None]
    assert ((cuda.rgb - cpu.rgb).abs() * shown).max() < 1e-4
    assert ((cuda.alpha - cpu.alpha).abs() * shown).max() < 1e-4
    assert ((cuda.depth - cpu.depth).abs() * (shown & (cpu.alpha > 0.05))).max() < 1e-3
    for ours, theirs in zip(cpu_gradients, cuda_gradients):
        assert (ours - theirs).abs().max() < 1e-3 * theirs.abs().max()


def test_several_scenes_and_none_at_all() -> None:
    scenes = [random_scene(60, 40, 30, views=2, seed=seed) for seed in (1, 2)]
    splats = Gaussians.stack([scene.splats for scene in scenes])
    c2w, intrinsics = torch.stack([s.c2w for s in scenes]), torch.stack([s.intrinsics for s in scenes])
    batch = on(Scene(splats, c2w, intrinsics, 40, 30), "cuda")
    together = render(*batch.arguments)
    for k, scene in enumerate(scenes):
        alone = render(*on(scene, "cuda").arguments)
        assert torch.allclose(together.rgb[k], alone.rgb, atol=1e-6)
    nothing = Scene(batch.splats.select(slice(0, 0)), *batch.arguments[1:])
    empty = render(*nothing.arguments)
    assert (empty.rgb == 0.5).all()
    assert (empty.alpha == 0).all()


def test_info_and_contributions_equal_gsplats() -> None:
    scene = random_scene(80, 40, 30, views=2, seed=1)
    info = {}
    for device in ("cpu", "cuda"):
        copy, _ = trainable(on(scene, device))
        renders, info[device] = render_with_info(*copy.request)
        info[device]["means2d"].retain_grad()
        renders.rgb.sum().backward()
    ours, theirs = info["cpu"], info["cuda"]
    assert torch.equal(ours["radii"], theirs["radii"].cpu())
    gradient = theirs["means2d"].grad.cpu()
    assert (ours["means2d"].grad - gradient).abs().max() < 1e-3 * gradient.abs().max()
    weights = contributions(*on(scene, "cuda").request).cpu()
    assert torch.allclose(weights, contributions(*scene.request), rtol=1e-3, atol=1e-2)
