"""SplatsModel as nerfstudio's viewer, renderer, exporter and evaluation see it."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from made.models import a_model, baked_model, front_camera, two_gaussians
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.data.scene_box import OrientedBox
from nerfstudio.engine.callbacks import TrainingCallbackAttributes
from nerfstudio.model_components.renderers import background_color_override_context
from nerfstudio.models.splatfacto import SplatfactoModel

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.rendering import render


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


def test_exporters_are_told_of_harmonics_and_views_show_them():
    model = baked_model()
    assert model.config.sh_degree == 0
    plain = model.get_outputs(front_camera())
    harmonics = torch.zeros(2, 3, 3)
    harmonics[:, 1] = 1.0  # darker where one looks down the z axis
    model.show(BakedScene(replace(two_gaussians(), harmonics=harmonics)))
    assert model.config.sh_degree == 1
    shown = model.get_outputs(front_camera())
    assert shown["rgb"][15, 20, 0] < plain["rgb"][15, 20, 0] - 0.3
    assert torch.equal(shown["opacity"], plain["opacity"])
    torch.testing.assert_close(model.colors, two_gaussians().colors)


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
