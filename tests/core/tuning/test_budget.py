"""Which Gaussians matter, and what fits into memory."""

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos
from made.tuning import USUAL

from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.tuning.budget import contributing, most_seen, step_memory, views_that_fit
from tokengs_nerfstudio.core.types import Gaussians


def test_pruning_keeps_what_is_seen() -> None:
    scene = blobs(60)
    hidden = Gaussians(
        scene.means + torch.tensor([0.0, 0.0, -40.0]), scene.quats, scene.scales * 0.1, scene.opacities, scene.colors
    )
    both = Gaussians.cat([scene, hidden])
    views = photos(both, arc_cameras(3))
    assert contributing(scene, views, USUAL) <= contributing(both, views, USUAL) < 120
    kept = both.select(most_seen(both, views, 60, USUAL))
    size = (views.width, views.height)
    again = render(kept, views.c2w, views.intrinsics, *size, depth=False).rgb
    assert -10 * (again - views.images).square().mean().log10() > 35
    assert most_seen(scene, views, 500, USUAL).tolist() == list(range(60))


def test_the_memory_estimate_grows_and_refuses_what_cannot_fit() -> None:
    assert step_memory(10_000, 2, 256, 256) < step_memory(10_000, 4, 256, 256) < step_memory(90_000, 4, 256, 256)
    assert views_that_fit(10_000, 4, 256, 256, free=None) == 4
    one = step_memory(10_000, 1, 256, 256)
    assert views_that_fit(10_000, 4, 256, 256, free=2 * one) == 1
    with pytest.raises(ValueError, match="max_gaussians"):
        views_that_fit(10_000, 4, 256, 256, free=one)
