"""What `render` refuses, and with which words. The checks are called by themselves: annotations are looser there."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from made.random_scenes import Scene, random_scene

from tokengs_nerfstudio.core.rendering.render import render_with_info
from tokengs_nerfstudio.core.rendering.request import Request, checked, chosen_backend
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig


def prepared(scene: Scene, background: float | torch.Tensor = 0.5, **changes: Any) -> Request:
    splats = changes.pop("splats", scene.splats)
    cameras = Cameras(**{"c2w": scene.c2w, "intrinsics": scene.intrinsics, "width": 8, "height": 8, **changes})
    return checked(splats, cameras, RenderConfig(0.01, 10.0, background), depth=True)


def test_a_request_is_flat_and_in_float32() -> None:
    scene = random_scene(5, 8, 8, views=2).to(torch.float64)
    splats = Gaussians.stack([scene.splats] * 3).unsqueeze()
    c2w, intrinsics = scene.c2w.expand(1, 3, 2, 4, 4), scene.intrinsics.expand(1, 3, 2, 3, 3)
    request = prepared(scene, splats=splats, c2w=c2w, intrinsics=intrinsics)
    assert request.splats.means.shape == (3, 5, 3)
    assert (request.scenes, request.views) == (3, 2)
    assert request.background.shape == (3, 2, 3)
    assert request.viewmats.dtype == torch.float32
    assert torch.allclose(request.viewmats[1, :, :3, :3] @ scene.c2w[:, :3, :3].float(), torch.eye(3), atol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 4.6e6])
def test_positions_of_64_bits_keep_their_digits_far_from_the_origin(offset: float) -> None:
    scene = random_scene(5, 8, 8, views=2).to(torch.float64)
    means, c2w = scene.splats.means + offset, scene.c2w.clone()
    c2w[:, :3, 3] += offset
    request = prepared(scene, splats=replace(scene.splats, means=means), c2w=c2w)
    assert request.splats.means.dtype == request.viewmats.dtype == torch.float32
    inverse = torch.linalg.inv(scene.c2w)
    expected = scene.splats.means @ inverse[:, :3, :3].mT + inverse[:, None, :3, 3]
    seen = request.splats.means[0] @ request.viewmats[0, :, :3, :3].mT + request.viewmats[0, :, None, :3, 3]
    torch.testing.assert_close(seen.double(), expected, atol=1e-5, rtol=1e-5)


def test_backgrounds_of_three_kinds_are_spread_over_views() -> None:
    scene = random_scene(5, 8, 8, views=2)
    assert (prepared(scene, background=0.25).background == 0.25).all()
    assert torch.equal(
        prepared(scene, background=torch.tensor([0.1, 0.2, 0.3])).background[0, 1], torch.tensor([0.1, 0.2, 0.3])
    )
    colors = torch.rand(2, 3)
    assert torch.equal(prepared(scene, background=colors).background[0], colors)


@pytest.mark.usefixtures("no_shape_checks")
def test_wrong_arguments_are_named() -> None:
    scene = random_scene(5, 8, 8, views=2)
    for changes, words in [
        ({"c2w": scene.c2w[0]}, "c2w must be"),
        ({"c2w": scene.c2w[:, :3]}, "c2w must be"),
        ({"intrinsics": scene.intrinsics[:1]}, r"intrinsics has shape \[1, 3, 3\], expected \[2, 3, 3\]"),
        ({"splats": scene.splats.unsqueeze()}, r"splats\.means has shape .* same batch axes"),
        ({"background": torch.rand(3, 3)}, r"background must be a number, \[3\] or \[2, 3\]"),
        ({"width": 0}, "width is 0; a whole number"),
        ({"height": -4}, "height is -4; a whole number"),
    ]:
        with pytest.raises(ValueError, match=words):
            prepared(scene, **changes)
    with pytest.raises(ValueError, match="0 < near < far"):
        checked(*scene.request[:2], RenderConfig(2.0, 1.0), depth=True)


def test_tensors_on_two_devices_are_refused() -> None:
    scene = random_scene(5, 8, 8)
    with pytest.raises(ValueError, match="intrinsics is on meta, c2w on cpu"):
        prepared(scene, intrinsics=scene.intrinsics.to("meta"))


def test_the_backend_follows_the_device() -> None:
    assert chosen_backend("auto", torch.device("cpu")) == "numba"
    assert chosen_backend("auto", torch.device("cuda", 1)) == "gsplat"
    assert chosen_backend("torch", torch.device("cuda")) == "torch"
    for backend, device, words in [
        ("gsplat", "cpu", "'gsplat' needs CUDA tensors"),
        ("numba", "cuda", "'numba' needs CPU tensors"),
        ("opengl", "cpu", "unknown rendering backend 'opengl'"),
    ]:
        with pytest.raises(ValueError, match=words):
            chosen_backend(backend, torch.device(device))


def test_densification_takes_one_scene() -> None:
    scene = random_scene(5, 8, 8)
    splats, cameras, config = scene.request
    with pytest.raises(ValueError, match="one scene"):
        render_with_info(splats.unsqueeze(), cameras.unsqueeze(), config)
