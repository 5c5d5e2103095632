"""What photos tell of depth before any tuning, and the space that it keeps clear."""

import math

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import ready, tuning_config

from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.tuning.plane_sweep import (
    ClearSpace,
    disagreement,
    focus_distance,
    nearest_surface,
    small_views,
    with_midpoints,
)
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.types import Gaussians, Views


def gaussians_at(means: torch.Tensor, size: float) -> Gaussians:
    count = len(means)
    quats = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(count, 4)
    return Gaussians(means, quats, torch.full((count, 3), size), torch.ones(count), torch.zeros(count, 3))


def test_photos_agree_on_the_true_depth() -> None:
    scene = blobs(300, seed=3)
    views = small_views(photos(scene, arc_cameras(6), size=64))
    renders = render(scene, views.c2w, views.intrinsics, views.width, views.height)
    assert renders.depth is not None
    solid = (renders.alpha[:, 0] > 0.95).flatten().nonzero()[:, 0]
    index = solid[torch.randperm(len(solid))[:300]]
    truth = renders.depth.flatten()[index]
    factors = torch.tensor([0.6, 0.8, 1.0, 1.25, 1.6])
    cost = disagreement(views, index, truth[:, None] * factors)
    assert (cost.argmin(1) == 2).float().mean() > 0.5
    assert cost.mean(0).argmin() == 2


def test_focus_distance_of_cameras_on_an_arc_is_its_radius() -> None:
    assert focus_distance(arc_cameras(5, radius=2.0)) == pytest.approx(2.0, rel=1e-2)
    alone = focus_distance(arc_cameras(1))
    assert alone > 0
    assert math.isfinite(alone)


def test_the_nearest_surface_is_found_from_photos_alone() -> None:
    scene = blobs(300, seed=3)
    views = photos(scene, arc_cameras(6), size=64)
    renders = render(scene, views.c2w, views.intrinsics, views.width, views.height)
    assert renders.depth is not None
    truth = float(renders.depth[renders.alpha > 0.95].quantile(0.01))
    assert nearest_surface(views, seed=0) == pytest.approx(truth, rel=0.25)
    doubled = views.c2w.clone()
    doubled[:, :3, 3] *= 2
    twice = nearest_surface(Views(views.images, doubled, views.intrinsics), seed=0)
    assert twice == pytest.approx(2 * nearest_surface(views, seed=0), rel=1e-3)


def test_photos_that_do_not_tell_keep_nothing_clear() -> None:
    views = photos(blobs(300, seed=3), arc_cameras(6), size=64)
    bare = Views(torch.full_like(views.images, 0.3), views.c2w, views.intrinsics)
    assert nearest_surface(bare, seed=0) == 0
    assert nearest_surface(views.select([0, 1]), seed=0) == 0
    assert ClearSpace.before(views, 0.0, seed=0).depth == 0


def test_clear_space_is_what_a_camera_sees_near_by() -> None:
    views = photos(blobs(), arc_cameras(1), size=32)
    space = ClearSpace(views.c2w, views.intrinsics, views.width, views.height, depth=0.5)
    in_camera = torch.tensor([[0, 0, 0.4], [0, 0, 0.6], [0, 0, -0.4], [0.15, 0, 0.4], [0.3, 0, 0.4]])
    world = in_camera @ views.c2w[0, :3, :3].T + views.c2w[0, :3, 3]
    small = gaussians_at(world, 1e-3)
    assert space.contains(small).tolist() == [True, False, False, True, False]
    wide = gaussians_at(world, 0.1)
    assert space.contains(wide).tolist() == [True, False, False, True, True]


def test_clear_space_of_many_cameras_is_that_of_each() -> None:
    cameras, generator = arc_cameras(9), torch.Generator().manual_seed(0)
    views = photos(blobs(), cameras, size=32)
    many = gaussians_at(torch.randn(2000, 3, generator=generator), 0.05)
    single = [ClearSpace(cameras[[k]], views.intrinsics[[k]], 32, 32, 0.9).contains(many) for k in range(9)]
    together = ClearSpace(cameras, views.intrinsics, 32, 32, 0.9).contains(many)
    assert 0 < int(together.sum()) < many.count
    assert torch.equal(together, torch.stack(single).any(0))


def test_midpoints_are_rigid_and_between_neighbours_alone() -> None:
    c2w = arc_cameras(4)
    cameras, owner = with_midpoints(c2w, reach=10.0)
    assert len(cameras) == 4 + 8
    gram = cameras[:, :3, :3] @ cameras[:, :3, :3].mT
    torch.testing.assert_close(gram, torch.eye(3).expand_as(gram), atol=1e-5, rtol=0)
    assert owner[:4].tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(cameras[4, :3, 3], (c2w[0, :3, 3] + c2w[1, :3, 3]) / 2)
    assert len(with_midpoints(c2w, reach=1e-3)[0]) == 4


@pytest.mark.parametrize("share", [0.0, 0.8])
def test_gaussians_before_a_lens_are_taken_away(share: float) -> None:
    scene = blobs(300, seed=3)
    views = photos(scene, arc_cameras(6), size=64)
    config = tuning_config(space="gaussians", rule="steps", check_every=2, reseed=False, clear_share=share)
    tuning = SceneTuning(small_network(), ready(views.select([0, 3]), views), config, steps=2)
    space = ClearSpace.before(views, 0.8, seed=0)
    assert space.contains(tuning.gaussians()).any()
    while not tuning.finished:
        tuning.step()
    assert bool(space.contains(tuning.gaussians()).any()) == (share == 0)
