"""The call to gsplat where its kernels cannot run: arguments against its signature, layouts on the way back."""

import inspect
from typing import Any

import pytest
import torch
from made.random_scenes import random_scene

from tokengs_nerfstudio.core.rendering import gsplat_backend, torch_backend
from tokengs_nerfstudio.core.rendering.request import Request, checked
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig

gsplat = pytest.importorskip("gsplat")
SIGNATURE = inspect.signature(gsplat.rasterization)


def stand_in(**arguments: Any) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
    """gsplat.rasterization of one scene by the torch reference: its argument shapes, its layout of the results."""
    a = SIGNATURE.bind(**arguments).arguments
    views, count = a["viewmats"].shape[0], a["means"].shape[0]
    assert (a["means"].shape, a["quats"].shape, a["scales"].shape) == ((count, 3), (count, 4), (count, 3))
    assert (a["opacities"].shape, a["colors"].shape) == ((count,), (count, 3))
    assert (a["Ks"].shape, a["backgrounds"].shape) == ((views, 3, 3), (views, 3))
    assert not a["packed"]
    assert a["rasterize_mode"] == "classic"
    names = ("means", "quats", "scales", "opacities", "colors")
    request = Request(
        Gaussians(*[a[name][None] for name in names]), a["viewmats"][None], a["Ks"][None], a["backgrounds"][None],
        a["width"], a["height"], a["near_plane"], a["far_plane"], depth=a["render_mode"] == "RGB+ED",
        backend="torch", batch=(1,),
    )  # fmt: skip
    rgb, alpha, depth, info = torch_backend.rasterize(request)
    picture = rgb if depth is None else torch.cat([rgb, depth], 2)
    return picture[0].movedim(1, -1), alpha[0].movedim(1, -1), info


@pytest.mark.parametrize("depth", [True, False])
@pytest.mark.parametrize("count", [20, 0])
def test_scenes_go_to_gsplat_one_by_one_and_come_back_in_our_layout(
    monkeypatch: pytest.MonkeyPatch, depth: bool, count: int
) -> None:
    monkeypatch.setattr(gsplat, "rasterization", stand_in)
    scenes = [random_scene(20, 20, 14, views=2, seed=seed) for seed in (1, 2)]
    splats = Gaussians.stack([scene.splats for scene in scenes]).select(slice(0, count))
    c2w, intrinsics = torch.stack([s.c2w for s in scenes]), torch.stack([s.intrinsics for s in scenes])
    config = RenderConfig(background=torch.rand(2, 2, 3))
    request = checked(splats, Cameras(c2w, intrinsics, 20, 14), config, depth)
    rgb, alpha, expected, _ = gsplat_backend.rasterize(request)
    theirs = torch_backend.rasterize(request)
    assert torch.equal(rgb, theirs[0])
    assert torch.equal(alpha, theirs[1])
    assert (expected is None) == (not depth)
    if expected is not None:
        assert torch.equal(expected, theirs[2])
