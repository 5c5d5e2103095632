"""gsplat on a CUDA device against the torch reference in float64, with the extent of the installed gsplat.

Tolerances. gsplat's exp is CUDA's fast one (2 units in the last place): pictures agree to 1e-4, and so do gradients
where the light that is left is well above float32's 6e-8. Its backward pass gets that light from 1 - alpha; where 1e-4
is left that is 6e-4 off, hence 1e-3 for opaque scenes. Pixels where a hard decision is close are left out.
"""

from collections.abc import Callable

import pytest
import torch
from made import brute_force
from made.random_scenes import Scene, random_scene, trainable, weighted_sum
from torch import Tensor

from tokengs_nerfstudio.core.rendering import contributions, render, render_with_info, torch_backend
from tokengs_nerfstudio.core.rendering.gsplat_backend import gsplat_version
from tokengs_nerfstudio.core.types import Gaussians, Renders

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]
TRANSLUCENT, OPAQUE = (0.05, 0.3), (0.1, 0.9)


def extent() -> torch_backend.Extent:
    return "alpha_cut" if gsplat_version() >= (1, 5) else "three_sigma"


def on(scene: Scene, device: str) -> Scene:
    return Scene(scene.splats.to(device), scene.c2w.to(device), scene.intrinsics.to(device), scene.width, scene.height)


def stacked(scenes: list[Scene]) -> Scene:
    splats = Gaussians.stack([scene.splats for scene in scenes])
    cameras = (torch.stack([getattr(scene, name) for scene in scenes]) for name in ("c2w", "intrinsics"))
    return Scene(splats, *cameras, scenes[0].width, scenes[0].height)


def clear_pixels(scene: Scene, antialiased: bool = False) -> Tensor:
    """[view height width], where no hard decision is close."""
    settings = {"cut": extent() == "three_sigma", "antialiased": antialiased}
    _, fragile = brute_force.render(scene.to(torch.float64), **settings)
    assert fragile.float().mean() < 0.05, "too little left to compare: pick another seed"
    return ~fragile


def drawn(
    scene: Scene, mask: Tensor, background: Tensor, device: str, antialiased: bool
) -> tuple[Renders, list[Tensor]]:
    """Pictures of scenes [scene view ..] and gradients of Gaussians, poses and background: gsplat's, or on the CPU the
    reference's in float64."""
    copy, leaves = trainable(on(scene, device) if device == "cuda" else scene.to(torch.float64))
    leaves.append(background.to(copy.c2w, copy=True).requires_grad_())
    if device == "cuda":
        renders = render(*copy.arguments, background=leaves[-1], antialiased=antialiased).to("cpu")
    else:
        request = copy.requested(leaves[-1], True, "torch", antialiased)
        renders = Renders(*torch_backend.rasterize(request, extent())[:3])
    weighted_sum(renders, mask).backward()
    return renders.detach().to(torch.float64), [leaf.grad.cpu().double() for leaf in leaves if leaf.grad is not None]


def compared(scene: Scene, mask: Tensor, gradient_tolerance: float, record: Record, antialiased: bool = False) -> None:
    background = torch.rand(*scene.c2w.shape[:2], 3)
    ours, gradients = drawn(scene, mask, background, "cuda", antialiased)
    theirs, expected = drawn(scene, mask, background, "cpu", antialiased)
    assert len(gradients) == len(expected) == 7
    assert ours.depth is not None
    assert theirs.depth is not None
    shown = mask[:, :, None]
    there = shown & (theirs.alpha > 0.05)  # below, depth is a quotient of roundings
    off = [(ours.rgb - theirs.rgb).abs().amax(2, keepdim=True), (ours.alpha - theirs.alpha).abs()]
    picture = float((torch.maximum(*off) * shown).max())
    depth = float(((ours.depth / theirs.depth.clamp(min=1e-3) - 1).abs() * there).max())
    gradient = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(gradients, expected))
    for name, value in (("picture", picture), ("depth", depth), ("gradient", gradient)):
        record(f"error of {name}", value)
    assert picture < 1e-4
    assert depth < 1e-4
    assert gradient < gradient_tolerance


@pytest.mark.parametrize(("opacity", "tolerance"), [(TRANSLUCENT, 1e-4), (OPAQUE, 1e-3)])
@pytest.mark.parametrize("seed", [1, 2])
def test_pictures_and_gradients_equal_the_reference(
    seed: int, opacity: tuple[float, float], tolerance: float, record_property: Record
) -> None:
    scene = random_scene(150, 70, 52, views=2, seed=seed, size=(0.02, 0.15), opacity=opacity)
    compared(stacked([scene]), clear_pixels(scene)[None], tolerance, record_property)


@pytest.mark.parametrize("antialiased", [False, True])
def test_many_scenes_at_once_equal_the_reference(antialiased: bool, record_property: Record) -> None:
    scenes = [random_scene(80, 40, 30, views=3, seed=s, size=(0.02, 0.15), opacity=TRANSLUCENT) for s in (1, 2, 3)]
    mask = torch.stack([clear_pixels(scene, antialiased) for scene in scenes])
    # In the antialiased mode gsplat keeps away from dividing by zero with 1e-6, of a compensation of some tenths.
    compared(stacked(scenes), mask, 1e-3 if antialiased else 1e-4, record_property, antialiased)


def test_an_antialiased_scene_equals_the_reference(record_property: Record) -> None:
    scene = random_scene(150, 70, 52, views=2, seed=1, size=(0.01, 0.1), opacity=TRANSLUCENT)
    compared(stacked([scene]), clear_pixels(scene, True)[None], 1e-3, record_property, antialiased=True)


def test_scenes_of_a_batch_do_not_meet_and_may_be_empty() -> None:
    scenes = [random_scene(60, 40, 30, views=2, seed=seed) for seed in (1, 2)]
    batch = on(stacked(scenes), "cuda")
    together = render(*batch.arguments)
    for k, scene in enumerate(scenes):
        alone = render(*on(scene, "cuda").arguments)
        assert torch.allclose(together.rgb[k], alone.rgb, atol=1e-6)
        assert torch.allclose(together.alpha[k], alone.alpha, atol=1e-6)
    without_depth = render(*batch.arguments, depth=False)
    assert without_depth.depth is None
    assert torch.allclose(without_depth.rgb, together.rgb, atol=1e-6)
    batch.splats.means[:] += 100.0  # out of sight of every camera
    for nothing in (batch, Scene(batch.splats.select(slice(0, 0)), *batch.arguments[1:])):
        empty = render(*nothing.arguments)
        assert (empty.rgb == 0.5).all()
        assert (empty.alpha == 0).all()


def test_the_dictionary_equals_the_references(record_property: Record) -> None:
    scene = random_scene(80, 40, 30, views=2, seed=1)
    copy, _ = trainable(on(scene, "cuda"))
    renders, ours = render_with_info(*copy.request)
    ours["means2d"].retain_grad()
    renders.rgb.sum().backward()
    reference, _ = trainable(scene)
    request = _batched(reference).requested(0.5, backend="torch")
    rgb, _, _, theirs = torch_backend.rasterize(request, extent())
    theirs["means2d"].retain_grad()
    rgb.sum().backward()
    off = (ours["radii"].cpu() - theirs["radii"]).abs()
    assert off.max() <= 1  # a radius just at a whole number of pixels
    assert (off > 0).float().mean() < 0.02
    gradient = theirs["means2d"].grad
    error = float((ours["means2d"].grad.cpu() - gradient).abs().max() / gradient.abs().max())
    record_property("error of gradient", error)
    assert error < 1e-3
    weights = contributions(*on(scene, "cuda").request).cpu()
    assert torch.isclose(weights.sum(), renders.alpha.sum().cpu(), rtol=1e-4)


def _batched(scene: Scene) -> Scene:
    return Scene(scene.splats.unsqueeze(), scene.c2w[None], scene.intrinsics[None], scene.width, scene.height)


def test_thousands_of_gaussians_look_as_on_the_cpu(record_property: Record) -> None:
    """The CPU's kernels draw with the extent of 1.4; 1.5 adds what lies beyond, at most exp(-3^2 / 2)."""
    scene = random_scene(3000, 140, 100, views=2, seed=2, size=(0.005, 0.08))
    cuda, cpu = render(*on(scene, "cuda").arguments).to("cpu"), render(*scene.arguments)
    error = (cuda.rgb - cpu.rgb).abs()
    record_property("error of picture", float(error.max()))
    assert error.max() < 0.0112
    assert (error > 1e-4).float().mean() < (0.02 if extent() == "three_sigma" else 0.1)
