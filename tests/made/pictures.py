"""Renders and gradients of the backends, beside each other and beside brute force."""

from typing import Any

import torch
from made import brute_force
from made.random_scenes import Scene, trainable, weighted_sum
from torch import Tensor

from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.rendering.render import Backend
from tokengs_nerfstudio.core.types import Cameras, RenderConfig, Renders

NAMES = ("means", "quats", "scales", "opacities", "colors", "c2w", "background")


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
