"""TokenGSModel: from photos and weights to what is seen, and how tuning changes it."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from made.captures import write_weights
from made.models import a_model, front_camera, scene_views, two_gaussians
from made.tuning import tuning_config
from nerfstudio.cameras.cameras import Cameras

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError
from tokengs_nerfstudio.core.types import Example, Gaussians, RenderConfig, Views


def test_begin_bakes_the_feed_forward_result_in_the_world_frame(tmp_path):
    """Moving the whole capture moves the Gaussians with it, so renders from moved cameras are the same."""
    config = {"checkpoint": str(write_weights(tmp_path / "w.safetensors"))}
    views = scene_views()
    turned = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    moved = views.c2w.clone()
    moved[:, :3, :3] = turned @ views.c2w[:, :3, :3]
    moved[:, :3, 3] = views.c2w[:, :3, 3] @ turned.T * 3 + torch.tensor([1.0, -2, 0.5])
    pictures = []
    for c2w in (views.c2w, moved):
        here = Views(views.images, c2w, views.intrinsics)
        model = a_model(**config)
        model.begin(model.load_network(), Example(here, here), steps=0)
        poses = bridge.nerfstudio_poses(c2w)[1:2]
        pictures.append(model.get_outputs_for_camera(Cameras(poses, 40.0, 40.0, 24.0, 16.0, 48, 32))["rgb"])
    assert pictures[0].std() > 0.005  # random weights: torch 2.15 draws others than 2.7
    torch.testing.assert_close(pictures[0], pictures[1], atol=2e-3, rtol=0)


def test_tuning_and_its_bake_keep_the_viewer_up_to_date(tmp_path):
    model = a_model(checkpoint=str(write_weights(tmp_path / "w.safetensors")))
    views = scene_views()
    model.begin(model.load_network(), Example(views, views), steps=3)
    before = model.means.clone()
    assert model.tuning is not None
    model.tuning.step()
    assert torch.equal(model.means, before)
    model.bake()
    assert not torch.equal(model.means, before)
    assert not any("tokens" in name for name in model.state_dict())


def test_an_empty_name_of_weights_is_not_that_of_the_usual_ones():
    with pytest.raises(CheckpointError, match="the name of the weights is empty"):
        a_model(checkpoint="").load_network()


def test_the_rasterize_mode_is_for_tuning_and_for_showing(tmp_path):
    weights, views = str(write_weights(tmp_path / "w.safetensors")), scene_views()
    model = a_model(checkpoint=weights, rasterize_mode="antialiased")
    model.begin(model.load_network(), Example(views, views), steps=3)
    assert model.tuning is not None
    assert model.tuning.rendering.antialiased
    gaussians = replace(two_gaussians(), scales=torch.full((2, 3), 0.01))  # a fifth of a pixel
    model.show(BakedScene(gaussians, rendering=RenderConfig(antialiased=True)))
    fresh = a_model()  # a run that is looked at says by its state how it was made
    fresh.load_state_dict(deepcopy(model.state_dict()))
    shown = [one.get_outputs_for_camera(front_camera())["accumulation"].sum() for one in (model, fresh)]
    assert shown[0] == shown[1]
    assert shown[0] < 0.3 * a_classic(gaussians).sum()


def a_classic(gaussians: Gaussians) -> torch.Tensor:
    model = a_model()
    model.show(BakedScene(gaussians))
    return model.get_outputs_for_camera(front_camera())["accumulation"]


def test_number_of_tokens_decides_the_number_of_gaussians(tmp_path):
    weights = str(write_weights(tmp_path / "w.safetensors"))
    assert a_model(checkpoint=weights, num_tokens=5).load_network().initial_tokens(1).shape[1] == 5


def test_number_of_latents_is_for_weights_that_have_them(tmp_path):
    latent = str(write_weights(tmp_path / "latent.safetensors", latents=16, latent_depth=1))
    assert a_model(checkpoint=latent, num_latents=5).load_network().config.latents == 5
    plain = str(write_weights(tmp_path / "plain.safetensors"))
    with pytest.raises(ValueError, match="no latent bottleneck, so their number cannot become 5: leave it out"):
        a_model(checkpoint=plain, num_latents=5).load_network()


def test_a_budget_keeps_the_gaussians_that_matter(tmp_path):
    weights, views = str(write_weights(tmp_path / "w.safetensors")), scene_views()
    pictures = []
    for budget in (None, 100):
        model = a_model(checkpoint=weights, tuning=tuning_config(space="tokens", rule="steps", max_gaussians=budget))
        model.begin(model.load_network(), Example(views, views), steps=2)
        assert model.tuning is not None
        while not model.tuning.finished:
            model.tuning.step()
        model.bake()
        assert model.num_points == (budget or 256)
        poses = bridge.nerfstudio_poses(views.c2w)[1:2]
        pictures.append(model.get_outputs_for_camera(Cameras(poses, 40.0, 40.0, 24.0, 16.0, 48, 32))["accumulation"])
    assert pictures[1].mean() > 0.6 * pictures[0].mean()


def test_a_budget_of_none_at_all_is_refused(tmp_path):
    weights, views = str(write_weights(tmp_path / "w.safetensors")), scene_views()
    model = a_model(checkpoint=weights, tuning=tuning_config(max_gaussians=0))
    with pytest.raises(ValueError, match="max_gaussians is 0; a whole number from 1"):
        model.begin(model.load_network(), Example(views, views), steps=1)


def test_unknown_weights_are_named():
    with pytest.raises(CheckpointError, match="no-such-weights"):
        a_model(checkpoint="no-such-weights").load_network()


def test_scene_scale_overrides_the_weights_rule(tmp_path):
    weights, views = str(write_weights(tmp_path / "w.safetensors")), scene_views()
    reach = []
    for scale in (None, 0.15):
        model = a_model(checkpoint=weights, scene_scale=scale)
        model.begin(model.load_network(), Example(views, views), steps=0)
        reach.append(float(model.scales.exp().mean()))
    # The largest baseline is 1.5; Gaussians are as large in the canonical frame whatever it is.
    assert reach[1] / reach[0] == pytest.approx(1 / 1.5 / 0.15, rel=0.3)
    with pytest.raises(ValueError, match=r"scale is 0\.0; a number from"):
        a_model(checkpoint=weights, scene_scale=0.0).begin(model.load_network(), Example(views, views), steps=0)


def test_background_and_planes_are_those_of_the_weights(tmp_path):
    weights = str(write_weights(tmp_path / "w.safetensors", background=0.25, near=0.03, far=30.0))
    model = a_model(checkpoint=weights)
    model.begin(model.load_network(), Example(scene_views(), scene_views()), steps=0)
    # The largest baseline, 1.5 in the world, is 1 to the network.
    assert model.near_far == pytest.approx((0.045, 45.0))
    around = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0]))
    behind = Cameras(bridge.nerfstudio_poses(around[None]), 40.0, 40.0, 20.0, 15.0, 40, 30)
    assert model.get_outputs_for_camera(behind)["background"].unique().tolist() == [0.25]
    fresh = a_model()
    fresh.load_state_dict(deepcopy(model.state_dict()))
    assert fresh.near_far == model.near_far


def test_a_run_remembers_the_colour_of_its_photos(tmp_path):
    weights, views = str(write_weights(tmp_path / "w.safetensors", backdrop="photos")), scene_views()
    model, fresh = a_model(checkpoint=weights), a_model()
    model.begin(model.load_network(), Example(views, views), steps=0)
    fresh.load_state_dict(deepcopy(model.state_dict()))
    for shown in (model, fresh):
        torch.testing.assert_close(shown.background_color, views.images.mean((0, 2, 3)), atol=2e-3, rtol=0)
        with shown.as_it_is():
            torch.testing.assert_close(shown.background_color, views.images.mean((0, 2, 3)), atol=2e-3, rtol=0)
