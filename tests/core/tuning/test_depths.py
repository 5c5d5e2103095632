"""Depths that a capture gives, beside its photos."""

from dataclasses import replace

import torch
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import PHOTOMETRY, USUAL, ready, still_cameras, tuning_config

from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig
from tokengs_nerfstudio.core.tuning.gaussian_variables import GaussianVariables
from tokengs_nerfstudio.core.tuning.photometry import depth_error
from tokengs_nerfstudio.core.tuning.stages import Drawing
from tokengs_nerfstudio.core.tuning.supervision import Supervision
from tokengs_nerfstudio.core.types import Gaussians, Renders, Views

SCENE = blobs(150)


def with_depths(views: Views, scene: Gaussians = SCENE) -> Views:
    """The views with the depths that the scene has where it is solid, holes elsewhere."""
    drawn = render_cameras(scene, views.cameras, USUAL)
    assert drawn.depth is not None
    return replace(views, depths=torch.where(drawn.alpha > 0.8, drawn.depth, 0.0))


def drawn(views: Views, scene: Gaussians = SCENE) -> Renders:
    return render_cameras(scene, views.cameras, USUAL)


TRUTH = with_depths(photos(SCENE, arc_cameras(9), size=48))


def test_the_gradient_reaches_the_centres_towards_the_depth() -> None:
    """Grey before grey: nothing but depth says that the Gaussians stand too far away."""
    grey = replace(SCENE, colors=torch.full_like(SCENE.colors, 0.5))
    views = with_depths(photos(grey, arc_cameras(3), size=32), grey)
    behind = replace(grey, means=grey.means + torch.tensor([0.0, 0.0, 0.1]))
    slopes = {}
    for weight in (0.0, 0.3):
        variables = GaussianVariables(behind, 2.0, GaussianStageConfig())
        photometry = replace(PHOTOMETRY, depth=weight)
        batch = Supervision(views, [], seed=0).batch(3, 1.0)
        parts = photometry.backward(Drawing(variables.splats, 2), batch, still_cameras(views))
        assert ("depth" in parts) == (weight > 0)
        gradient = variables.parameters["means"].grad
        assert gradient is not None
        slopes[weight] = gradient[:, 2]
    assert slopes[0.3].sum() > 10 * slopes[0.0].sum().abs()


def test_only_what_is_known_solid_and_not_masked_counts() -> None:
    views, behind = TRUTH.select([4]), replace(SCENE, means=SCENE.means * 1.05)
    assert views.depths is not None
    right, wrong = depth_error(drawn(views), views), depth_error(drawn(views, behind), views)
    assert right < 1e-6 < wrong
    holes = replace(views, depths=torch.zeros_like(views.depths))
    masked = replace(views, masks=torch.zeros_like(views.depths))
    for nothing in (holes, masked):
        assert float(depth_error(drawn(views, behind), nothing)) == 0.0
    far = replace(views, depths=views.depths * 100)
    assert float(depth_error(drawn(views), far)) < 0.5


def test_the_error_does_not_depend_on_the_unit() -> None:
    views, behind = TRUTH.select([4]), replace(SCENE, means=SCENE.means * 1.05)
    renders = drawn(views, behind)
    assert renders.depth is not None
    assert views.depths is not None
    large = depth_error(replace(renders, depth=7 * renders.depth), replace(views, depths=7 * views.depths))
    torch.testing.assert_close(large, depth_error(renders, views))


def test_four_photos_with_depths_show_the_scene_better() -> None:
    """Tuned with them and without, looked at from between: depths are nearer to the truth."""
    supervised, between = TRUTH.select([0, 3, 5, 8]), TRUTH.select([1, 2, 4, 6, 7])
    errors = []
    for weight in (0.0, 0.3):
        config = tuning_config(space="gaussians", rule="steps", depth=weight, clear_share=0.0)
        tuning = SceneTuning(small_network(), ready(supervised), config, 60)
        while not tuning.finished:
            tuning.step()
        renders = render_cameras(tuning.gaussians(), between.cameras, tuning.rendering)
        errors.append((float(depth_error(renders, between)), float((renders.rgb - between.images).square().mean())))
    assert errors[1][0] < 0.7 * errors[0][0]
    assert errors[1][1] < errors[0][1]
