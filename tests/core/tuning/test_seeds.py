"""New places for Gaussians that no photo shows, and the dome around dark captures."""

import math
from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos
from made.tuning import USUAL

from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.rotation import rigid_motion
from tokengs_nerfstudio.core.tuning.budget import contributing
from tokengs_nerfstudio.core.tuning.seeds import dome, random_gaussians, replacements
from tokengs_nerfstudio.core.types import Gaussians, Views


def test_gaussians_out_of_sight_come_back_where_the_picture_is_wrong() -> None:
    scene = blobs(100)
    views = photos(scene, arc_cameras(5), size=48)
    lost = Gaussians(
        scene.means - torch.tensor([0.0, 0.0, 9.0]), scene.quats, scene.scales, scene.opacities, scene.colors
    )
    half = scene.zip(lost, lambda kept, gone: torch.cat([kept[:50], gone[50:]]))
    dropped, new = replacements(half, views, USUAL, seed=0)
    assert dropped[50:].all()
    assert new.count == int(dropped.sum())
    again = replacements(half, views, USUAL, seed=0)[1]
    assert torch.equal(new.means, again.means)
    assert contributing(new, views, USUAL) > 0.8 * new.count


def test_the_dome_shows_the_photos_border_in_every_direction() -> None:
    views = photos(blobs(), arc_cameras(3))
    dark = Views(views.images * 0.1, views.c2w, views.intrinsics)
    shell = dome(dark)
    for turn in ([0.0, math.pi, 0.0], [math.pi / 2, 0.0, 0.0], [0.3, 2.0, 0.1]):
        camera = views.c2w[:1] @ rigid_motion(torch.tensor([turn]), torch.zeros(1, 3))
        size = (views.width, views.height)
        rgb = render(shell, camera, views.intrinsics[:1], *size, depth=False).rgb
        assert (rgb - 0.05).abs().max() < 0.05


def test_a_dark_capture_gets_a_dome_and_a_grey_one_does_not() -> None:
    scene, c2w = blobs(3000), arc_cameras(3)
    lost = Gaussians(
        scene.means - torch.tensor([0.0, 0.0, 9.0]), scene.quats, scene.scales, scene.opacities, scene.colors
    )
    views = photos(blobs(), c2w)
    dark = Views(views.images * 0.1, views.c2w, views.intrinsics)
    for photographed, far in ((views, False), (dark, True)):
        dropped, new = replacements(lost, photographed, USUAL, seed=0)
        assert new.count == int(dropped.sum())
        assert bool((new.means.norm(dim=-1) > 20).any()) == far


@pytest.mark.gpu
@pytest.mark.parametrize("masked", [False, True])
def test_random_gaussians_are_the_same_on_cuda(masked: bool) -> None:
    views = photos(blobs(), arc_cameras(4))
    masks = torch.ones_like(views.images[:, :1])
    masks[:, :, :10] = 0
    views = replace(views, masks=masks) if masked else views
    expected, found = random_gaussians(views, 200, seed=3), random_gaussians(views.to("cuda"), 200, seed=3)
    for name, value in found.tensors():
        assert value.device.type == "cuda"
        torch.testing.assert_close(value.cpu(), getattr(expected, name), atol=1e-4, rtol=1e-4)
