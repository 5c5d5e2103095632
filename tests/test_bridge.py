"""Both conventions meet: nerfstudio's rays are ours, parameters survive the way there and back."""

import math
from dataclasses import replace

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras, CameraType

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.rays import pixel_rays
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig
from tokengs_nerfstudio.data.capture.lens import Lens


def random_pose(count: int) -> torch.Tensor:
    rotation = torch.linalg.qr(torch.randn(count, 3, 3)).Q
    rotation = rotation * torch.det(rotation)[:, None, None]
    return torch.cat([rotation, torch.randn(count, 3, 1)], dim=-1)


def some_cameras(count: int = 3, **changes) -> Cameras:
    options = {"fx": 50.0, "fy": 60.0, "cx": 15.5, "cy": 11.0, "width": 30, "height": 24}
    return Cameras(camera_to_worlds=random_pose(count), **{**options, **changes})


def some_gaussians(count: int = 50) -> Gaussians:
    return Gaussians(
        means=torch.randn(count, 3),
        quats=torch.nn.functional.normalize(torch.randn(count, 4), dim=-1),
        scales=torch.rand(count, 3) * 0.2 + 1e-3,
        opacities=torch.rand(count),
        colors=torch.rand(count, 3),
    )


def test_pixel_rays_are_nerfstudios_rays():
    cameras = some_cameras()
    c2w, intrinsics = bridge.camera_matrices(cameras)
    origins, directions = pixel_rays(c2w, intrinsics, 24, 30)
    for index in range(len(cameras)):
        theirs = cameras.generate_rays(camera_indices=index)
        torch.testing.assert_close(directions[index].permute(1, 2, 0), theirs.directions, atol=1e-6, rtol=0)
        torch.testing.assert_close(origins[index].permute(1, 2, 0), theirs.origins)


def test_poses_come_back():
    pose = random_pose(4)
    torch.testing.assert_close(bridge.nerfstudio_poses(bridge.opencv_poses(pose)), pose)


def test_a_single_camera_without_batch_axis_is_one_view():
    camera = some_cameras(2)[1]
    c2w, intrinsics = bridge.camera_matrices(camera)
    assert c2w.shape == (1, 4, 4)
    assert intrinsics.shape == (1, 3, 3)


@pytest.mark.parametrize("fisheye", [False, True])
def test_lens_comes_back(fisheye):
    coefficients = (0.1, -0.02, 0.003, 0.004) if fisheye else (0.1, -0.02, 0.001, 0.002, 0.003)
    lens = Lens(50.0, 60.0, 15.0, 11.0, coefficients, fisheye)
    kind = CameraType.FISHEYE if fisheye else CameraType.PERSPECTIVE
    camera = some_cameras(1, cx=15.0, distortion_params=bridge.distortion_of_lens(lens)[None], camera_type=kind)[0]
    back = bridge.lens_of_camera(camera)
    assert back.coefficients == pytest.approx(coefficients)
    assert (back.fx, back.fy, back.cx, back.cy, back.fisheye) == (50.0, 60.0, 15.0, 11.0, fisheye)


def test_panoramas_are_refused():
    camera = some_cameras(1, camera_type=CameraType.EQUIRECTANGULAR)[0]
    with pytest.raises(ValueError, match="EQUIRECTANGULAR"):
        bridge.lens_of_camera(camera)


def test_transparent_pixels_show_the_background():
    image = torch.zeros(2, 2, 4, dtype=torch.uint8)
    image[0, 0] = torch.tensor([255, 0, 0, 255])
    rgb = bridge.image_on_background(image, 0.5)
    assert rgb[:, 0, 0].tolist() == [1, 0, 0]
    assert rgb[:, 1, 1].tolist() == [0.5, 0.5, 0.5]


def test_images_of_several_sizes_become_one_with_exact_intrinsics():
    cameras = some_cameras(2, width=torch.tensor([[30], [60]]), height=torch.tensor([[24], [48]]))
    cameras.cx, cameras.cy = torch.tensor([[15.0], [30.0]]), torch.tensor([[12.0], [24.0]])
    cameras.fx, cameras.fy = torch.tensor([[50.0], [100.0]]), torch.tensor([[60.0], [120.0]])
    images = [torch.full((24, 30, 3), 51, dtype=torch.uint8), torch.full((48, 60, 3), 0.2)]
    views = bridge.views_from_cameras(cameras, images, 12, 15)
    assert views.images.shape == (2, 3, 12, 15)
    torch.testing.assert_close(views.images, torch.full_like(views.images, 0.2), atol=1e-5, rtol=0)
    torch.testing.assert_close(views.intrinsics[0], views.intrinsics[1])
    assert views.intrinsics[0, 0, 0] == 25
    assert views.times is None


def test_times_travel():
    cameras = some_cameras(3, times=torch.tensor([0.0, 0.5, 1.0]))
    views = bridge.views_from_cameras(cameras, [torch.zeros(24, 30, 3)] * 3, 24, 30)
    assert views.times is not None
    assert views.times.tolist() == [0.0, 0.5, 1.0]


def test_gaussians_survive_splatfactos_parameters():
    gaussians = some_gaussians()
    back = bridge.baked_scene(bridge.splat_parameters(BakedScene(gaussians)), RenderConfig()).at()
    for name in ("means", "quats", "scales", "opacities", "colors"):
        torch.testing.assert_close(getattr(back, name), getattr(gaussians, name), atol=2e-6, rtol=1e-5)


def test_harmonics_stand_where_splatfacto_has_them_and_come_back():
    gaussians = replace(some_gaussians(5), harmonics=torch.randn(5, 15, 3))
    parameters = bridge.splat_parameters(BakedScene(gaussians))
    assert torch.equal(parameters["features_rest"], gaussians.harmonics)
    torch.testing.assert_close(0.5 + 0.28209479 * parameters["features_dc"], gaussians.colors)
    back = bridge.baked_scene(parameters, RenderConfig()).at()
    for name, value in gaussians.tensors():
        torch.testing.assert_close(getattr(back, name), value, atol=2e-6, rtol=1e-5)


def test_parameters_have_splatfactos_shapes():
    shapes = {
        name: tuple(value.shape) for name, value in bridge.splat_parameters(BakedScene(some_gaussians(7))).items()
    }
    assert shapes == {
        "means": (7, 3),
        "scales": (7, 3),
        "quats": (7, 4),
        "features_dc": (7, 3),
        "features_rest": (7, 0, 3),
        "opacities": (7, 1),
    }


def test_saturated_values_stay_finite():
    gaussians = some_gaussians(4)
    gaussians.opacities[0], gaussians.opacities[1] = 0.0, 1.0
    gaussians.colors[2] = torch.tensor([0.0, 1.0, 0.5])
    gaussians.scales[3] = 0.0
    parameters = bridge.splat_parameters(BakedScene(gaussians))
    assert all(value.isfinite().all() for value in parameters.values())
    assert torch.sigmoid(parameters["opacities"][1]) > 0.99999


def whole(count: int = 3, **changes) -> Cameras:
    return some_cameras(count, **{"cx": 15.0, "cy": 12.0, **changes})


def test_cameras_of_one_scene_are_fine():
    bridge.check_cameras(whole(), ["a", "b", "c"], "there")


@pytest.mark.parametrize(
    "axes", [torch.diag(torch.tensor([-1.0, 1, 1])), 2 * torch.eye(3), torch.full((3, 3), torch.nan)]
)
def test_axes_that_are_no_rotation_are_named(axes):
    cameras = whole()
    cameras.camera_to_worlds[1, :, :3] = cameras.camera_to_worlds[1, :, :3] @ axes
    with pytest.raises(ValueError, match=r"camera of b are no rotation.* in there"):
        bridge.check_cameras(cameras, ["a", "b", "c"], "there")


def test_lenses_and_places_of_cameras_are_checked():
    with pytest.raises(ValueError, match="principal point of a lies outside"):
        bridge.check_cameras(whole(cx=500.0), ["a", "b", "c"], "there")
    cameras = whole()
    cameras.camera_to_worlds[:, :, 3] = 1.0
    with pytest.raises(ValueError, match="all 3 cameras of there are in one place"):
        bridge.check_cameras(cameras, ["a", "b", "c"], "there")


def path_camera(pose: torch.Tensor, focal: float) -> Cameras:
    return Cameras(pose, focal, focal, 32.0, 24.0, 64, 48)


def test_a_pose_of_whole_numbers_is_one():
    """As a camera path has it that was written without a point."""
    camera = path_camera(torch.eye(4, dtype=torch.long)[:3], 50.0)
    assert torch.equal(bridge.looked_through(camera).camera_to_worlds, torch.eye(4)[:3])
    assert camera.camera_to_worlds.dtype == torch.long


@pytest.mark.parametrize("degrees", [0.0, 180.0, 200.0, math.nan])
def test_cameras_that_see_nothing_are_refused(degrees):
    focal = math.inf if degrees == 0 else 24 / math.tan(math.radians(degrees) / 2)
    with pytest.raises(UserError, match="between 0 and 180"):
        bridge.looked_through(path_camera(torch.eye(4)[:3], focal))
