"""Gaussians as variables."""

from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs, noisy, photos, small_network
from made.tuning import PHOTOMETRY, ready, still_cameras, tuning_config

from tokengs_nerfstudio.core import SceneTuning
from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig
from tokengs_nerfstudio.core.tuning.gaussian_variables import GaussianVariables
from tokengs_nerfstudio.core.tuning.gaussians import fewer, starting_count, thinned
from tokengs_nerfstudio.core.tuning.schedule import scene_extent
from tokengs_nerfstudio.core.tuning.stages import Drawing
from tokengs_nerfstudio.core.tuning.supervision import Supervision
from tokengs_nerfstudio.core.types import Gaussians, Similarity, Views

RATES = GaussianStageConfig(means_rate=1e-2, means_decay=0.05)


def optimised(
    start: Gaussians, views: Views, extent: float, steps: int = 40, config: GaussianStageConfig = RATES
) -> Gaussians:
    variables = GaussianVariables(start, extent, config)
    supervision, cameras = Supervision(views, [], seed=0), still_cameras(views)
    for step in range(steps):
        PHOTOMETRY.backward(Drawing(variables.splats, 2), supervision.batch(2, 1.0), cameras)
        variables.step(step / steps)
    return variables.splats().detach()


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


def test_fewer_gaussians_cover_as_much() -> None:
    scene = blobs(400)
    some = fewer(scene, 100, seed=1)
    assert some.count == 100
    area = scene.scales.square().sum()
    assert float(some.scales.square().sum()) == pytest.approx(float(area), rel=0.15)
    assert all((scene.means == place).all(1).any() for place in some.means)
    assert torch.equal(some.means, fewer(scene, 100, seed=1).means)
    assert fewer(scene, 400, seed=1) is scene


def test_a_stage_begins_with_a_share_of_what_it_grows_to() -> None:
    views = photos(blobs(), arc_cameras(4), size=40)
    config = tuning_config(space="gaussians", per_pixel=0.2, start_share=0.25, reseed=False)
    assert starting_count(config, 256, views) == 80
    assert starting_count(config, 50, views) == 50
    assert starting_count(tuning_config(per_pixel=0.2, start_share=0.25, max_gaussians=100), 256, views) == 25
    assert starting_count(tuning_config(per_pixel=0.0), 256, views) == 256
    assert starting_count(tuning_config(per_pixel=0.01, start_share=1.0), 256, views) == 256
    tuning = SceneTuning(small_network(), ready(views), config, steps=5)
    assert tuning.gaussians().count == 80
    # Going on from there, and somebody's own Gaussians, are left as they are.
    while not tuning.finished:
        tuning.step()
    count = tuning.gaussians().count
    tuning.extend(5)
    assert tuning.gaussians().count == count
    assert SceneTuning(small_network(), ready(views), config, 5, blobs(200)).gaussians().count == 200


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


def test_harmonics_are_tuned_where_they_are_wanted_and_kept_where_the_start_has_some() -> None:
    scene, cameras = blobs(40), arc_cameras(4, span=1.2)
    tilt = torch.zeros(40, 3, 3)
    tilt[:, 2] = 0.8  # a slope from left to right
    views = photos(replace(scene, colors=scene.colors * 0.6 + 0.2, harmonics=tilt), cameras)
    start = replace(scene, colors=scene.colors * 0.6 + 0.2)

    def error(harmonics: int) -> tuple[Gaussians, float]:
        config = replace(RATES, means_rate=1e-4, harmonics=harmonics, harmonics_rate=2e-2)
        found = optimised(start, views, 2.0, steps=40, config=config)
        return found, PHOTOMETRY.error(found, views)

    (plain, without), (found, with_harmonics) = error(0), error(1)
    assert plain.harmonics is None
    assert found.harmonics is not None
    assert found.harmonics.shape == (40, 3, 3)
    assert with_harmonics < 0.5 * without
    again = GaussianVariables(found, 2.0, RATES)
    assert torch.equal(again.parameters["harmonics"], found.harmonics)
    # New ones beside them begin without.
    assert again.raw(start)["harmonics"].abs().max() == 0
