"""How gsplat is called, where its kernels cannot run: every version's arguments, and what comes back of them."""

import sys
from collections.abc import Callable

import pytest
import torch
from made.fake_gsplat import FakeGsplat
from made.random_scenes import Scene, random_scene, trainable, weighted_sum
from torch import Tensor

from tokengs_nerfstudio.core.rendering import gsplat_backend, torch_backend
from tokengs_nerfstudio.core.rendering.request import Request
from tokengs_nerfstudio.core.types import Gaussians, Renders

VERSIONS = [(1, 4, 0), (1, 5, 2), (1, 5, 3)]
Rasterize = Callable[[Request], tuple]


@pytest.fixture(params=VERSIONS, ids=lambda version: ".".join(map(str, version)))
def gsplat(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FakeGsplat:
    fake = FakeGsplat(request.param)
    monkeypatch.setitem(sys.modules, "gsplat", fake)
    monkeypatch.setattr(gsplat_backend, "gsplat_version", lambda: request.param)
    return fake


def scenes_of(*seeds: int, count: int = 24) -> Scene:
    """Scenes seen by two cameras each, some Gaussians out of sight, others fainter than anything that is drawn."""
    scenes = [random_scene(count, 40, 22, views=2, seed=seed, opacity=(0.0, 0.9)) for seed in seeds]
    splats = Gaussians.stack([scene.splats for scene in scenes])
    splats.means[:, ::7, 1] += 50.0
    splats.opacities[:, 3] = 1 / 300
    return Scene(splats, torch.stack([s.c2w for s in scenes]), torch.stack([s.intrinsics for s in scenes]), 40, 22)


def result(
    rasterize: Rasterize, scene: Scene, background: Tensor, depth: bool, antialiased: bool = False
) -> tuple[Renders, list[Tensor | None]]:
    """Pictures, and the gradients of Gaussians, poses and background."""
    copy, leaves = trainable(scene)
    leaves.append(background.clone().requires_grad_())
    rgb, alpha, expected, _ = rasterize(copy.requested(leaves[-1], depth, antialiased=antialiased))
    renders = Renders(rgb, alpha, expected)
    weighted_sum(renders, torch.ones(*scene.c2w.shape[:2], 22, 40)).backward()
    return renders, [leaf.grad for leaf in leaves]


@pytest.mark.parametrize(("depth", "antialiased"), [(True, False), (False, False), (True, True)])
@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
def test_pictures_and_gradients_are_the_references(
    gsplat: FakeGsplat, seeds: tuple[int, ...], depth: bool, antialiased: bool
) -> None:
    scene, background = scenes_of(*seeds), torch.rand(len(seeds), 2, 3)
    asked = (scene, background, depth, antialiased)
    ours, gradients = result(gsplat_backend.rasterize, *asked)
    theirs, expected = result(lambda request: torch_backend.rasterize(request, gsplat.extent), *asked)
    torch.testing.assert_close(ours.rgb, theirs.rgb, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours.alpha, theirs.alpha, rtol=0, atol=1e-6)
    assert (ours.depth is None) == (not depth)
    if theirs.depth is not None:
        torch.testing.assert_close(ours.depth, theirs.depth, rtol=1e-5, atol=1e-6)
    for mine, other in zip(gradients, expected):
        assert mine is not None
        assert other is not None
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))


def test_many_scenes_meet_in_one_rasterisation(gsplat: FakeGsplat) -> None:
    result(gsplat_backend.rasterize, scenes_of(1, 2, 3), torch.rand(3, 2, 3), True)
    names = [name for name, _ in gsplat.calls]
    if gsplat.version_numbers == (1, 5, 3):
        assert names == ["rasterization"]
        assert gsplat.calls[0][1]["means"].shape == (3, 24, 3)
    else:
        assert names == ["fully_fused_projection"] * 3 + ["isect_tiles", "isect_offset_encode", "rasterize_to_pixels"]
        assert gsplat.called("rasterize_to_pixels")[0]["colors"].shape == (6, 24, 4)


def test_one_scene_is_one_plain_call_whose_dictionary_has_our_shapes(gsplat: FakeGsplat) -> None:
    scene = scenes_of(1)
    request = scene.requested(0.5, True)
    *_, info = gsplat_backend.rasterize(request)
    assert [name for name, _ in gsplat.calls] == ["rasterization"]
    assert info["radii"].shape == (2, 24)
    assert torch.equal(info["radii"] > 0, torch_backend.rasterize(request, gsplat.extent)[3]["radii"] > 0)
    assert info["means2d"].shape == (2, 24, 2)


@pytest.mark.parametrize("depth", [True, False])
def test_no_gaussians_and_nothing_in_sight_show_the_background(gsplat: FakeGsplat, depth: bool) -> None:
    scene, background = scenes_of(1, 2), torch.rand(2, 2, 3)
    nothing = Scene(scene.splats.select(slice(0, 0)), scene.c2w, scene.intrinsics, 40, 22)
    scene.splats.means[..., 1] += 100.0
    for shown in (nothing, scene):
        request = shown.requested(background, depth)
        rgb, alpha, expected, _ = gsplat_backend.rasterize(request)
        assert torch.equal(rgb, background[..., None, None].expand(2, 2, 3, 22, 40))
        assert (alpha == 0).all()
        assert (expected is None) == (not depth)
        assert expected is None or (expected == 0).all()
    assert len(gsplat.calls) > 0
