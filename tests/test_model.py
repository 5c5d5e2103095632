"""TokenGSModel as nerfstudio's viewer, renderer, exporter and evaluation see it."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from made.captures import write_weights
from made.tuning import ready, tuning_config
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.data.scene_box import OrientedBox, SceneBox
from nerfstudio.engine.callbacks import TrainingCallbackAttributes
from nerfstudio.model_components.renderers import background_color_override_context
from nerfstudio.models.splatfacto import SplatfactoModel

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.baking import BakedScene, bake
from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.types import Example, Gaussians, RenderConfig, Views
from tokengs_nerfstudio.model import TokenGSModel, TokenGSModelConfig


def a_model(**options) -> TokenGSModel:
    box = SceneBox(aabb=torch.tensor([[-1.0] * 3, [1.0] * 3]))
    model = TokenGSModelConfig(**options).setup(
        scene_box=box, num_train_data=3, metadata={}, device="cpu", grad_scaler=None, seed_points=None
    )
    return model.eval()


def two_gaussians() -> Gaussians:
    """A red one 2 in front of the camera at the origin that looks along -z, a blue one far to its side."""
    return Gaussians(
        means=torch.tensor([[0.0, 0.0, -2.0], [0.6, 0.0, -2.0]]),
        quats=torch.tensor([[1.0, 0, 0, 0]] * 2),
        scales=torch.full((2, 3), 0.1),
        opacities=torch.tensor([0.9, 0.9]),
        colors=torch.tensor([[1.0, 0, 0], [0, 0, 1.0]]),
    )


def baked_model() -> TokenGSModel:
    model = a_model()
    model.show(BakedScene(two_gaussians()))
    return model


def front_camera(times=None) -> Cameras:
    return Cameras(torch.eye(4)[None, :3], 40.0, 40.0, 20.0, 15.0, 40, 30, times=times)


def scene_views(count: int = 4) -> Views:
    c2w = torch.eye(4).repeat(count, 1, 1)
    c2w[:, 0, 3] = torch.arange(count) * 0.5
    intrinsics = torch.tensor([[40.0, 0, 24], [0, 40, 16], [0, 0, 1]]).repeat(count, 1, 1)
    return Views(torch.rand(count, 3, 32, 48), c2w, intrinsics)


def test_it_is_a_splatfacto_model_to_the_exporter():
    model = baked_model()
    assert isinstance(model, SplatfactoModel)
    assert model.num_points == 2
    torch.testing.assert_close(model.colors, two_gaussians().colors, atol=1e-5, rtol=0)
    assert model.features_rest.shape == (2, 0, 3)
    assert model.config.sh_degree == 0
    torch.testing.assert_close(model.shs_0, (two_gaussians().colors - 0.5) / 0.28209479, atol=1e-4, rtol=0)


def test_outputs_are_what_render_makes_of_the_baked_gaussians():
    outputs = baked_model().get_outputs_for_camera(front_camera())
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "rgb": (30, 40, 3),
        "depth": (30, 40, 1),
        "accumulation": (30, 40, 1),
        "background": (30, 40, 3),
        "opacity": (30, 40, 1),
    }
    c2w, intrinsics = bridge.camera_matrices(front_camera())
    expected = render(two_gaussians(), c2w, intrinsics, 40, 30, background=0.5)
    torch.testing.assert_close(outputs["rgb"], expected.rgb[0].movedim(0, -1), atol=1e-5, rtol=0)
    assert outputs["rgb"][15, 20].argmax() == 0
    assert float(outputs["depth"][15, 20]) == pytest.approx(2.0, abs=1e-3)
    # The blue one is on the right: nerfstudio's x axis points there as ours does.
    assert outputs["rgb"][15, 32].argmax() == 2


def test_depth_is_finite_where_nothing_is_seen():
    outputs = baked_model().get_outputs_for_camera(front_camera())
    assert float(outputs["accumulation"][0, 0]) == 0
    assert outputs["depth"].isfinite().all()


def test_a_model_without_gaussians_shows_the_background():
    outputs = a_model().get_outputs_for_camera(front_camera())
    assert (outputs["rgb"] == 0.5).all()
    assert (outputs["accumulation"] == 0).all()


def test_the_viewer_can_change_the_background():
    model = baked_model()
    model.set_background(torch.tensor([0.0, 1.0, 0.0]))
    assert model.get_outputs_for_camera(front_camera())["rgb"][0, 0].tolist() == [0, 1, 0]


def test_crop_boxes_leave_out_what_is_outside():
    box = OrientedBox.from_params((0.6, 0.0, -2.0), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5))
    model = baked_model()
    outputs = model.get_outputs_for_camera(front_camera(), obb_box=box)
    assert float(outputs["accumulation"][15, 20]) < 0.01
    assert float(outputs["accumulation"][15, 32]) > 0.8
    nowhere = OrientedBox.from_params((9.0, 9.0, 9.0), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5))
    assert (model.get_outputs_for_camera(front_camera(), obb_box=nowhere)["accumulation"] == 0).all()


def test_a_crops_own_background_counts():
    """`ns-render camera-path` and the viewer set it round the call."""
    model = baked_model()
    with background_color_override_context(torch.tensor([1.0, 0.0, 0.0])):
        assert model.get_outputs_for_camera(front_camera())["rgb"][0, 0].tolist() == [1, 0, 0]
    assert model.get_outputs_for_camera(front_camera())["rgb"][0, 0].tolist() == [0.5, 0.5, 0.5]


def test_lines_of_sight_are_free():
    zero = torch.zeros(1, 3)
    bundle = RayBundle(origins=zero, directions=zero, pixel_area=zero[:, :1])
    assert baked_model().get_outputs(bundle)["depth"].tolist() == [[float("inf")]]


def test_rgba_is_free_of_the_background():
    model = baked_model()
    grey = model.get_rgba_image(model.get_outputs_for_camera(front_camera()))
    model.set_background(torch.tensor([0.0, 1.0, 0.0]))
    green = model.get_rgba_image(model.get_outputs_for_camera(front_camera()))
    assert grey.shape == (30, 40, 4)
    seen = grey[..., 3] > 0.2
    torch.testing.assert_close(grey[seen], green[seen], atol=1e-4, rtol=0)


def test_state_holds_the_gaussians_alone_and_comes_back():
    model = baked_model()
    state = deepcopy(model.state_dict())
    names = {f"gauss_params.{name}" for name in bridge.splat_parameters(BakedScene(two_gaussians()))}
    assert set(state) == names | {"device_indicator_param", "_extra_state"}
    fresh = a_model()
    fresh.load_state_dict(state)
    expected = model.get_outputs_for_camera(front_camera())["rgb"]
    torch.testing.assert_close(fresh.get_outputs_for_camera(front_camera())["rgb"], expected)
    assert not any(value.requires_grad for value in fresh.gauss_params.values())


def test_nothing_is_left_to_nerfstudios_optimizers():
    model = baked_model()
    assert model.get_param_groups() == {}
    nobody = TrainingCallbackAttributes(None, None, None, None)
    assert model.get_training_callbacks(nobody) == []


def test_metrics_of_a_perfect_and_of_a_wrong_picture():
    model = baked_model()
    outputs = model.get_outputs_for_camera(front_camera())
    metrics, images = model.get_image_metrics_and_images(outputs, {"image": outputs["rgb"] + 0.1})
    assert metrics["psnr"] == pytest.approx(20.0, abs=0.3)
    assert 0.5 < metrics["ssim"] < 1
    assert images["img"].shape == (30, 80, 3)
    assert float(model.get_loss_dict(outputs, {"image": outputs["rgb"]})["l1"]) == 0
    assert int(model.get_metrics_dict(outputs, {"image": outputs["rgb"] * 0.5})["gaussian_count"]) == 2


def test_masks_are_for_the_loss_and_not_for_the_metrics():
    model = baked_model()
    outputs = model.get_outputs_for_camera(front_camera())
    wrong, mask = outputs["rgb"].clone(), torch.ones(30, 40, 1, dtype=torch.bool)
    wrong[:, :10] = 1
    mask[:, :10] = False
    batch = {"image": wrong, "mask": mask}
    assert float(model.get_loss_dict(outputs, batch)["l1"]) == 0
    metrics, _ = model.get_image_metrics_and_images(outputs, batch)
    assert metrics["psnr"] == pytest.approx(model.get_image_metrics_and_images(outputs, {"image": wrong})[0]["psnr"])


def test_transparent_truth_is_compared_over_the_background():
    model = baked_model()
    outputs = model.get_outputs_for_camera(front_camera())
    clear = torch.zeros(30, 40, 4, dtype=torch.uint8)
    rendered, truth = model._compared(outputs, {"image": clear})
    assert (truth == 0.5).all()
    assert rendered.shape == truth.shape


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
    assert pictures[0].std() > 0.01
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


class Moving:
    """Two of which the red one goes to the right, one unit in one unit of time; one Gaussian is broken late."""

    def gaussians(self, time: float | None = None) -> Gaussians:
        moving = two_gaussians()
        extra = two_gaussians().select(slice(0, 1))
        means = torch.cat([moving.means, extra.means + torch.tensor([0.0, 9.0, 0.0])])
        means[0, 0] += time or 0.0
        means[2, 1] = float("inf") if time == 1.0 else 9.0
        return replace(Gaussians.cat([moving, extra]), means=means)


def moving_model() -> TokenGSModel:
    model = a_model()
    model.show(bake(Moving().gaussians, ready(scene_views(), times=(0.25, 0.75, 1.0)), RenderConfig()))
    return model


@pytest.mark.parametrize(("time", "column"), [(0.25, 25), (0.5, 30), (0.6, 32), (1.0, 40)])
def test_cameras_see_a_moving_scene_at_their_own_time(time, column):
    model = moving_model()
    camera = Cameras(torch.eye(4)[None, :3], 40.0, 40.0, 20.0, 15.0, 60, 30, times=torch.tensor([time]))
    red = model.get_outputs_for_camera(camera)["rgb"][15, :, 0]
    assert abs(int(red.argmax()) + 0.5 - column) < 1


def test_without_a_time_a_moving_scene_is_seen_and_exported_as_at_first():
    model = moving_model()
    assert model.baked_times == [0.25, 0.75, 1.0]
    # What is broken at one time is left out at all.
    assert model.num_points == 2
    torch.testing.assert_close(model.means, two_gaussians().means + torch.tensor([[0.25, 0, 0], [0, 0, 0]]))
    at_first = model.get_outputs_for_camera(front_camera(times=torch.tensor([0.0])))["rgb"]
    torch.testing.assert_close(model.get_outputs_for_camera(front_camera())["rgb"], at_first)


def test_motion_is_saved_with_the_gaussians_and_only_for_those_that_move():
    model = moving_model()
    state = deepcopy(model.state_dict())
    assert state["gauss_params.moving_means"].shape == (3, 1, 3)
    fresh = a_model()
    fresh.load_state_dict(state)
    for time in (0.3, 0.9):
        camera = front_camera(times=torch.tensor([time]))
        pictures = [one.get_outputs_for_camera(camera)["rgb"] for one in (model, fresh)]
        torch.testing.assert_close(*pictures)
    fresh.load_state_dict(deepcopy(baked_model().state_dict()))
    assert fresh.baked_times == []


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
    behind = Cameras(bridge.nerfstudio_poses(torch.eye(4)[None]) * -1, 40.0, 40.0, 20.0, 15.0, 40, 30)
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


def test_a_state_of_version_0_1_is_shown_as_it_was():
    state = deepcopy(baked_model().state_dict())
    del state["_extra_state"]
    model = a_model()
    model.load_state_dict(state)
    expected = baked_model().get_outputs_for_camera(front_camera())["rgb"]
    torch.testing.assert_close(model.get_outputs_for_camera(front_camera())["rgb"], expected)


def test_several_cameras_are_all_rendered():
    cameras = Cameras(torch.eye(4)[None, :3].repeat(2, 1, 1), 40.0, 40.0, 20.0, 15.0, 40, 30)
    cameras.camera_to_worlds[1, 0, 3] = 0.6
    both = baked_model().get_outputs_for_camera(cameras)["rgb"]
    assert both.shape == (2, 30, 40, 3)
    assert both[0, 15, 20].argmax() == 0
    assert both[1, 15, 20].argmax() == 2


def test_a_state_from_before_there_were_two_modes_is_classic():
    state = deepcopy(baked_model().state_dict())
    del state["_extra_state"]["antialiased"]
    model = a_model(rasterize_mode="antialiased")
    model.load_state_dict(state)
    expected = baked_model().get_outputs_for_camera(front_camera())["rgb"]
    torch.testing.assert_close(model.get_outputs_for_camera(front_camera())["rgb"], expected)
