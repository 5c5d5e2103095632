"""The only file that knows both conventions: nerfstudio's cameras and splatfacto's parameters, and our own records."""

from collections.abc import Sequence
from copy import copy

import torch
from jaxtyping import Bool, Float, Shaped
from nerfstudio.cameras.cameras import Cameras, CameraType
from torch import Tensor

from tokengs_nerfstudio.core.camera_checks import check_positions, check_view
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.rendering.along_rays import RayGrid
from tokengs_nerfstudio.core.splat_parameters import baked_scene as baked_scene
from tokengs_nerfstudio.core.splat_parameters import splat_parameters as splat_parameters
from tokengs_nerfstudio.core.types import Cameras as PinholeCameras
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.capture.lens import Lens

# By how much axes may miss being orthonormal, by rounding.
_MOST_BENT = 0.05
# The focal length of a camera of 179.999 degrees, in sides of its picture: by rounding one of 180 has more than none.
_FLATTEST = 4e-6


def opencv_poses(camera_to_worlds: Float[Tensor, "*view 3 4"]) -> Float[Tensor, "*view 4 4"]:
    """nerfstudio's camera-to-world (OpenGL axes: y up, looking along -z) as OpenCV camera-to-world.

    The world frame stays nerfstudio's; only the camera's own y and z axes turn over.
    """
    bottom = camera_to_worlds.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*camera_to_worlds.shape[:-2], 1, 4)
    return torch.cat([_turned_over(camera_to_worlds), bottom], dim=-2)


def nerfstudio_poses(c2w: Float[Tensor, "*view 4 4"]) -> Float[Tensor, "*view 3 4"]:
    """OpenCV camera-to-world as nerfstudio's [3, 4]; the world frame stays the same."""
    return _turned_over(c2w[..., :3, :])


def _turned_over(pose: Float[Tensor, "*view 3 4"]) -> Float[Tensor, "*view 3 4"]:
    return pose * pose.new_tensor([1.0, -1.0, -1.0, 1.0])


def check_cameras(cameras: Cameras, names: Sequence[str], source: object) -> None:
    """Whether cameras that any dataparser gave can be those of photos of one scene.

    ValueError naming the first whose axes are no rotation or whose lens no camera has, and where all are in one place.
    """
    poses = cameras.camera_to_worlds.reshape(-1, 3, 4).double().cpu()
    rigid = _are_rigid(poses[:, :, :3])
    for index, name in enumerate(names):
        if not rigid[index]:
            raise UserError(
                f"the axes of the camera of {name} are no rotation: they shear, scale or mirror; correct its pose "
                f"in {source}, or read it with the dataparser `tokengs-data`"
            )
        camera = cameras[index]
        check_view(lens_of_camera(camera).matrix, int(camera.width), int(camera.height), name)
    check_positions(poses[:, :, 3].numpy(), names, source)


def _are_rigid(axes: Float[Tensor, "view 3 3"]) -> Bool[Tensor, " view"]:
    """Whether axes are rotations, up to rounding; not where they are nan."""
    bent = (axes.mT @ axes - torch.eye(3).to(axes)).abs().amax(dim=(1, 2))
    return (bent < _MOST_BENT) & (torch.linalg.det(axes) > 0)


def looked_through(camera: Cameras) -> Cameras:
    """A camera of any kind, of a path or of the viewer, with a pose in floats, whatever numbers a path was written in;
    UserError where it can show no picture."""
    camera = copy(camera)  # the caller's own keeps its pose
    camera.camera_to_worlds = camera.camera_to_worlds.float()
    pose = camera.camera_to_worlds.reshape(-1, 3, 4)
    if not pose.isfinite().all():
        raise UserError("a camera's pose has values that are not finite (nan): correct the camera path")
    if not _are_rigid(pose[:, :, :3]).all():
        raise UserError("a camera's axes are no rotation: they shear, scale or mirror; correct the camera path")
    focal = torch.stack([camera.fx / camera.width, camera.fy / camera.height])
    if not (focal.isfinite() & (focal > _FLATTEST)).all():
        raise UserError("a camera's field of view is not between 0 and 180 degrees ('fov'): correct the camera path")
    return camera


def lens_of_camera(camera: Cameras) -> Lens:
    """The lens of a single nerfstudio camera; ValueError for kinds that no pinhole camera can stand in for."""
    kind = CameraType(int(camera.camera_type))
    if kind not in (CameraType.PERSPECTIVE, CameraType.FISHEYE):
        raise UserError(f"{kind.name} images cannot be reconstructed from; PERSPECTIVE and FISHEYE images can")
    given = camera.distortion_params
    k1, k2, k3, k4, p1, p2 = [0.0] * 6 if given is None else given.reshape(-1).tolist()
    fisheye = kind is CameraType.FISHEYE
    if k4 != 0 and not fisheye:
        raise UserError(f"distortion k4 = {k4:g} of a PERSPECTIVE camera: only k1, k2, k3, p1, p2 are known there")
    numbers = (float(value) for value in (camera.fx, camera.fy, camera.cx, camera.cy))
    return Lens(*numbers, coefficients=(k1, k2, k3, k4) if fisheye else (k1, k2, p1, p2, k3), fisheye=fisheye)


def distortion_of_lens(lens: Lens) -> Float[Tensor, " 6"]:
    """nerfstudio's distortion_params (k1, k2, k3, k4, p1, p2) of a lens."""
    coefficients = lens.coefficients or (0.0,) * 5
    if lens.fisheye:
        return torch.tensor([*coefficients, 0.0, 0.0])
    k1, k2, p1, p2, k3 = coefficients
    return torch.tensor([k1, k2, k3, 0.0, p1, p2])


def camera_matrices(cameras: Cameras) -> tuple[Float[Tensor, "view 4 4"], Float[Tensor, "view 3 3"]]:
    """OpenCV camera-to-world and pinhole intrinsics (pixels) of nerfstudio cameras of any batch shape, flattened.

    Lens distortion is not represented: the data manager hands out undistorted cameras.
    """
    c2w = opencv_poses(cameras.camera_to_worlds.reshape(-1, 3, 4).float())
    numbers = (value.reshape(-1).float() for value in (cameras.fx, cameras.fy, cameras.cx, cameras.cy))
    return c2w, intrinsics_matrix(*numbers)


def cameras_of(cameras: Cameras) -> PinholeCameras:
    """nerfstudio cameras of one size as our record; that of the first where they differ."""
    c2w, intrinsics = camera_matrices(cameras)
    return PinholeCameras(c2w, intrinsics, int(cameras.width.reshape(-1)[0]), int(cameras.height.reshape(-1)[0]))


def is_pinhole(camera: Cameras) -> bool:
    """Whether a single camera is what our renderers draw at once: perspective, without distortion."""
    given = camera.distortion_params
    straight = given is None or not given.any()
    return int(camera.camera_type.reshape(-1)[0]) == CameraType.PERSPECTIVE.value and straight


def rays_of(camera: Cameras) -> RayGrid:
    """The rays of a single camera's pixels, of whatever kind nerfstudio knows it to be."""
    one = camera.reshape((1,))
    bundle = one.generate_rays(camera_indices=0, keep_shape=True)
    # nerfstudio divides by zero where a fisheye's pixel lies exactly on the optical axis.
    forward = -one.camera_to_worlds[0, :, 2]
    directions = torch.where(bundle.directions.isfinite(), bundle.directions, forward)
    return RayGrid(bundle.origins.float(), torch.nn.functional.normalize(directions.float(), dim=-1))


def image_on_background(
    image: Shaped[Tensor, "height width channel"], background: float | Float[Tensor, " 3"]
) -> Float[Tensor, "3 height width"]:
    """A nerfstudio image (H W C; uint8 or [0, 1]; RGB or RGBA) as RGB in [0, 1], transparent parts on `background`."""
    values = image.float() / 255.0 if image.dtype == torch.uint8 else image.float()
    rgb, alpha = values[..., :3], values[..., 3:4]
    if alpha.shape[-1] == 1:
        rgb = rgb * alpha + (1 - alpha) * background
    return rgb.movedim(-1, 0)


def opacity_of_image(image: Shaped[Tensor, "height width channel"]) -> Float[Tensor, "1 height width"]:
    """The opacities in [0, 1] of an image (uint8 or [0, 1]; RGB, which is opaque, or RGBA)."""
    if image.shape[-1] < 4:
        return torch.ones(1, *image.shape[:2])
    alpha = image[..., 3:4].float().movedim(-1, 0)
    return alpha / 255.0 if image.dtype == torch.uint8 else alpha


def views_from_cameras(
    cameras: Cameras,
    images: Sequence[Shaped[Tensor, "_ _ _"]],
    height: int,
    width: int,
    background: float | Float[Tensor, " 3"] = 0.5,
    masks: Sequence[Shaped[Tensor, "_ _ 1"]] | None = None,
    depths: Sequence[Float[Tensor, "_ _ 1"]] | None = None,
) -> Views:
    """nerfstudio cameras and their images (H W C) as Views of one size: centre crop to the aspect, then resize.

    The images may differ in size from each other, but each must be of its own camera's size, as must its mask (H W 1,
    0 where a pixel is to be ignored) and its z-depths (H W 1, 0 where nothing is known). Where one of them has a fourth
    channel, all have opacities.
    """
    c2w, intrinsics = camera_matrices(cameras)
    times = None if cameras.times is None else cameras.times.reshape(-1).float()
    cut_out = any(image.shape[-1] == 4 for image in images)
    resized = []
    for index, image in enumerate(images):
        at = slice(index, index + 1)
        one = Views(
            image_on_background(image, background)[None],
            c2w[at],
            intrinsics[at],
            masks=None if masks is None else masks[index].float().movedim(-1, 0)[None],
            depths=None if depths is None else depths[index].movedim(-1, 0)[None],
            alphas=opacity_of_image(image)[None] if cut_out else None,
        )
        resized.append(crop_and_resize(one, height, width))
    return Views(
        images=torch.cat([view.images for view in resized]).clamp(0, 1),
        c2w=c2w,
        intrinsics=torch.cat([view.intrinsics for view in resized]),
        times=times,
        masks=None if masks is None else torch.cat([view.masks for view in resized if view.masks is not None]),
        depths=None if depths is None else torch.cat([view.depths for view in resized if view.depths is not None]),
        alphas=torch.cat([view.alphas.clamp(0, 1) for view in resized if view.alphas is not None]) if cut_out else None,
    )
