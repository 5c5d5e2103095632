"""The parts of tuning, one by one: sizes and order of photos, splitting, budget, memory, cameras."""

import math
from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos
from torch import Tensor

from tokengs_nerfstudio.core.geometry.resize import level_size, resized
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion, rigid_motion
from tokengs_nerfstudio.core.tuning.budget import contributing, most_seen, step_memory, views_that_fit
from tokengs_nerfstudio.core.tuning.cameras import CameraVariables
from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig
from tokengs_nerfstudio.core.tuning.gaussians import GaussianVariables, Growth, thinned
from tokengs_nerfstudio.core.tuning.photometry import Photometry
from tokengs_nerfstudio.core.tuning.schedule import level_factor, planned_stages, scene_extent
from tokengs_nerfstudio.core.tuning.supervision import Supervision, most_typical_view
from tokengs_nerfstudio.core.tuning.tokens import TokenVariables
from tokengs_nerfstudio.core.types import Gaussians, Similarity, Views

RATES = GaussianStageConfig(means_rate=1e-2, means_decay=0.05)
STILL = Growth(budget=0, until=1.0, every=1000)
PLAIN = Photometry(ssim=0.2, opacity_pull=0.0, scale_pull=0.0, extent=2.0, near=0.01, background=0.5)


def still_cameras(views: Views) -> CameraVariables:
    return CameraVariables(views.c2w, 1.0, pose_rate=0.0, exposure_rate=0.0)


def noisy(scene: Gaussians) -> Gaussians:
    return Gaussians(
        scene.means + 0.05 * torch.randn_like(scene.means),
        scene.quats,
        scene.scales * 1.2,
        scene.opacities * 0.8,
        (scene.colors + 0.1 * torch.randn_like(scene.colors)).clamp(0, 1),
    )


def optimised(start: Gaussians, views: Views, extent: float, steps: int = 40) -> Gaussians:
    variables = GaussianVariables(start, extent, RATES, STILL)
    supervision, cameras = Supervision(views, [], seed=0), still_cameras(views)
    for step in range(steps):
        PLAIN.backward(variables.splats, supervision.batch(2, 1.0), cameras, chunk=2)
        variables.step(step / steps)
    return variables.splats().detach()


def test_every_view_is_served_once_before_any_comes_again_and_never_the_left_out_one() -> None:
    supervision = Supervision(photos(blobs(), arc_cameras(7)), [3], seed=0)
    served = torch.cat([supervision.next_indices(2) for _ in range(6)]).tolist()
    assert sorted(served[:6]) == sorted(served[6:]) == [0, 1, 2, 4, 5, 6]


def test_views_of_one_step_differ_even_across_rounds() -> None:
    supervision = Supervision(photos(blobs(), arc_cameras(3)), [], seed=0)
    for _ in range(20):
        assert len(set(supervision.next_indices(2).tolist())) == 2


def test_resized_photos_show_the_same_rays() -> None:
    views = photos(blobs(), arc_cameras(2), size=64)
    small = resized(views, 30, 16)
    size = (small.width, small.height)
    again = render(blobs(), small.c2w, small.intrinsics, *size, depth=False).rgb
    assert (again - small.images).abs().mean() < 0.02
    shifted = small.intrinsics.clone()
    shifted[:, 0, 2] += 1.0
    worse = render(blobs(), small.c2w, shifted, *size, depth=False).rgb
    assert (worse - small.images).abs().mean() > 2 * (again - small.images).abs().mean()


def test_levels_go_from_coarse_to_fine_and_stop_at_32_pixels() -> None:
    assert [level_factor(p, (4.0, 2.0, 1.0), (0.0, 0.2, 0.5)) for p in (0.0, 0.19, 0.2, 0.5, 1.0)] == [4, 4, 2, 1, 1]
    assert level_size(455, 256, 4.0) == (114, 64)
    assert level_size(100, 64, 8.0) == (50, 32)
    assert level_size(20, 16, 4.0) == (20, 16)


def test_stages_add_up_to_the_steps() -> None:
    assert planned_stages("tokens+gaussians", 0, 0.2, 150) == []
    for steps in (1, 2, 10, 5000):
        stages = planned_stages("tokens+gaussians", steps, 0.2, 150)
        assert sum(stage.steps for stage in stages) == steps
        assert all(stage.steps > 0 for stage in stages)
    assert planned_stages("tokens+gaussians", 5000, 0.2, 150)[0].steps == 150
    assert [stage.steps for stage in planned_stages("tokens+gaussians", 500, 0.2, 150, 120)] == [100, 120]


def test_the_left_out_view_is_neither_a_twin_nor_an_outlier() -> None:
    c2w = arc_cameras(6)
    c2w[0, 0, 3] -= 30.0  # far away from all
    c2w[5] = c2w[4]  # twins
    assert most_typical_view(c2w) in (1, 2, 3)


def test_children_of_a_split_look_like_their_parent() -> None:
    parent = Gaussians(
        torch.tensor([[0.0, 0.0, 2.0]]), torch.tensor([[0.9, 0.1, 0.3, 0.2]]) / 0.95**0.5,
        torch.tensor([[0.3, 0.1, 0.1]]), torch.tensor([0.5]), torch.tensor([[0.9, 0.2, 0.1]]),
    )  # fmt: skip
    views = photos(parent, arc_cameras(3))
    variables = GaussianVariables(parent, 1.0, RATES, STILL)
    variables.densify(2)
    children = variables.splats().detach()
    assert children.count == 2
    axis = matrix_from_quaternion(parent.quats)[0, :, 0]
    apart = children.means[1] - children.means[0]
    torch.testing.assert_close((apart @ axis).abs(), apart.norm())
    size = (views.width, views.height)
    again = render(children, views.c2w, views.intrinsics, *size, depth=False).rgb
    assert (again - views.images).abs().max() < 0.2


def test_faded_gaussians_make_room_and_the_budget_is_kept() -> None:
    scene = blobs(50)
    faded = Gaussians(scene.means, scene.quats, scene.scales, scene.opacities.clone(), scene.colors)
    variables = GaussianVariables(faded, 1.0, RATES, STILL)
    with torch.no_grad():
        variables._parameters["opacities"][:20] = -10.0
    variables.densify(45)
    assert variables.count == 45
    assert variables.splats().opacities.min() > 0.3
    variables.splats().means.sum().backward()
    variables.step(0.0)


def test_thinned_gaussians_keep_their_mean_opacity_and_their_gradients() -> None:
    opacities = torch.full((4000,), 0.5, requires_grad=True)
    scene = replace(blobs(4000), opacities=opacities)
    some = thinned(scene, 0.3, seed=1)
    assert (some.opacities == 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert some.opacities.mean().item() == pytest.approx(0.5, abs=0.03)
    assert torch.equal(some.opacities, thinned(scene, 0.3, seed=1).opacities)
    assert not torch.equal(some.opacities, thinned(scene, 0.3, seed=2).opacities)
    (slope,) = torch.autograd.grad(some.opacities.sum(), opacities)
    assert torch.equal(slope > 0, some.opacities > 0)


def test_growth_is_geometric_and_ends() -> None:
    growth = Growth(budget=400, until=100.0, every=25)
    assert [growth.target(100, step) for step in (0, 10, 50, 100, 125)] == [100, None, 200, 400, None]


def test_optimising_does_not_depend_on_the_scale_of_the_scene() -> None:
    scene = blobs()
    views = photos(scene, arc_cameras(4))
    similarity = Similarity(torch.eye(3), torch.zeros(3), torch.tensor(8.0))
    large = Views(views.images, similarity.cameras(views.c2w), views.intrinsics)
    start = noisy(scene)
    plain = optimised(start, views, scene_extent(start, views.c2w))
    start_large = start.transformed(similarity)
    scaled = optimised(start_large, large, scene_extent(start_large, large.c2w))
    drift = (scaled.means / 8 - plain.means).norm(dim=-1).median()
    assert drift < 0.1 * (plain.means - start.means).norm(dim=-1).median()


def test_rendering_in_chunks_gives_the_same_gradients() -> None:
    views = photos(blobs(), arc_cameras(5))
    gradients = []
    for chunk in (5, 2, 1):
        variables = GaussianVariables(noisy_once(), 1.0, RATES, STILL)
        batch = Supervision(views, [], seed=0).batch(5, 1.0)
        PLAIN.backward(variables.splats, batch, still_cameras(views), chunk)
        gradients.append(variables._parameters["means"].grad)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-7, rtol=1e-3)
    torch.testing.assert_close(gradients[0], gradients[2], atol=1e-7, rtol=1e-3)


def noisy_once() -> Gaussians:
    torch.manual_seed(5)
    return noisy(blobs())


def test_pruning_keeps_what_is_seen() -> None:
    scene = blobs(60)
    hidden = Gaussians(
        scene.means + torch.tensor([0.0, 0.0, -40.0]), scene.quats, scene.scales * 0.1, scene.opacities, scene.colors
    )
    both = Gaussians(*(torch.cat([getattr(scene, n), getattr(hidden, n)]) for n in vars(scene)))
    views = photos(both, arc_cameras(3))
    assert contributing(scene, views) <= contributing(both, views) < 120
    kept = both.select(most_seen(both, views, 60))
    size = (views.width, views.height)
    again = render(kept, views.c2w, views.intrinsics, *size, depth=False).rgb
    assert -10 * (again - views.images).square().mean().log10() > 35
    assert most_seen(scene, views, 500).tolist() == list(range(60))


def test_the_memory_estimate_grows_and_refuses_what_cannot_fit() -> None:
    assert step_memory(10_000, 2, 256, 256) < step_memory(10_000, 4, 256, 256) < step_memory(90_000, 4, 256, 256)
    assert views_that_fit(10_000, 4, 256, 256, free=None) == 4
    one = step_memory(10_000, 1, 256, 256)
    assert views_that_fit(10_000, 4, 256, 256, free=2 * one) == 1
    with pytest.raises(ValueError, match="max_gaussians"):
        views_that_fit(10_000, 4, 256, 256, free=one)


def test_rigid_motions_are_rigid() -> None:
    motion = rigid_motion(torch.tensor([[0.0, math.pi / 2, 0.0]]), torch.tensor([[1.0, 2.0, 3.0]]))
    torch.testing.assert_close(motion[0, :3, :3] @ torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(motion[0, :3, 3], torch.tensor([1.0, 2.0, 3.0]))


def test_a_perturbed_camera_finds_back_and_the_first_one_stands_still() -> None:
    scene = blobs(80)
    truth = arc_cameras(4)
    views = photos(scene, truth, size=48)
    wrong = truth.clone()
    wrong[2] = truth[2] @ rigid_motion(torch.tensor([[0.01, 0.025, -0.01]]), torch.tensor([[0.02, -0.02, 0.01]]))[0]
    cameras = CameraVariables(wrong, extent=2.0, pose_rate=4e-3, exposure_rate=0.0)
    variables = GaussianVariables(scene, 2.0, RATES, STILL)
    supervision = Supervision(Views(views.images, wrong, views.intrinsics), [], seed=0)
    for step in range(60):
        PLAIN.backward(variables.splats, supervision.batch(4, 1.0), cameras, chunk=4)
        cameras.step(step / 60)
    found = cameras.cameras().detach()
    torch.testing.assert_close(found[0], truth[0])
    before, after = (pose_error(pose[2], truth[2]) for pose in (wrong, found))
    assert after < 0.35 * before


def test_moved_cameras_keep_their_spread_about_the_first_one_whoever_asks() -> None:
    given = arc_cameras(5)
    cameras = CameraVariables(given, extent=2.0, pose_rate=5e-2, exposure_rate=0.0)
    for step in range(10):
        (cameras.cameras()[:, :3, 3] * torch.tensor([1.0, -2.0, 3.0])).sum().backward()
        cameras.step(step / 10)
    with torch.no_grad():
        moved = cameras.cameras()
        torch.testing.assert_close(cameras.cameras(torch.tensor([3, 1])), moved[[3, 1]])
    offsets, before = (pose[:, :3, 3] - given[0, :3, 3] for pose in (moved, given))
    assert (offsets - before).norm(dim=-1)[1:].min() > 0.05
    torch.testing.assert_close(offsets.norm(), before.norm())


@pytest.mark.parametrize("count", [1, 3])
def test_cameras_in_one_place_have_finite_motions(count: int) -> None:
    cameras = CameraVariables(arc_cameras(2)[:1].repeat(count, 1, 1), extent=2.0, pose_rate=1e-2, exposure_rate=0.0)
    for step in range(3):
        cameras.cameras()[..., 3].square().sum().backward()
        cameras.step(step / 3)
    assert cameras.cameras().isfinite().all()


def pose_error(pose: torch.Tensor, truth: torch.Tensor) -> float:
    turn = torch.linalg.matrix_norm(pose[:3, :3] - truth[:3, :3])
    return float(turn + (pose[:3, 3] - truth[:3, 3]).norm())


def test_an_exposure_is_found() -> None:
    scene = blobs(80)
    views = photos(scene, arc_cameras(3))
    images = views.images.clone()
    images[1] = images[1] * 0.7
    cameras = CameraVariables(views.c2w, 2.0, pose_rate=0.0, exposure_rate=2e-2)
    variables = GaussianVariables(scene, 2.0, RATES, STILL)
    supervision = Supervision(Views(images, views.c2w, views.intrinsics), [], seed=0)
    for step in range(60):
        PLAIN.backward(variables.splats, supervision.batch(3, 1.0), cameras, chunk=3)
        cameras.step(step / 60)
    indices = torch.arange(3)
    with torch.no_grad():
        exposed = cameras.exposed(views.images, indices)
    assert (exposed - images)[1].abs().mean() < 0.3 * (views.images - images)[1].abs().mean()


def test_tokens_are_decoded_again_only_after_they_moved() -> None:
    decoded: list[float | None] = []

    def decode(tokens: Tensor, time: float | None) -> Gaussians:
        decoded.append(time)
        scene = blobs(3).unsqueeze()
        return replace(scene, means=scene.means * tokens.mean())

    variables = TokenVariables(torch.ones(1, 2, 4), decode, rate=0.1, decay=1.0)
    with torch.no_grad():
        first = [variables.splats(time) for time in (None, 0.5, None, 0.5)]
    assert decoded == [None, 0.5]
    variables.splats(0.5).means.sum().backward()
    before, kept = variables.snapshot(), first[0].means.clone()
    variables.step(0.0)
    with torch.no_grad():
        assert not torch.equal(variables.splats().means, kept)
        variables.restore(before)
        assert torch.equal(variables.splats().means, kept)
    assert decoded == [None, 0.5, 0.5, None, None]
