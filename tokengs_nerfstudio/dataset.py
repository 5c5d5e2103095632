"""The photos of one split with their cameras: straightened, checked against each other, read when asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.datasets.base_dataset import InputDataset
from PIL import Image, ImageOps
from torch import Tensor

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.geometry.resize import wholly_valid
from tokengs_nerfstudio.data.capture.images import check_mask, stored_size
from tokengs_nerfstudio.data.capture.lens import Lens


class SceneDataset(InputDataset):
    """Images and cameras without lens distortion, in step with each other from the start.

    nerfstudio undistorts when a cache is first filled, so what is rendered and what it is compared with depend on who
    asks first. Here `cameras` are the undistorted ones at once, and every image that is read fits them.
    """

    def __init__(self, outputs: DataparserOutputs, scale_factor: float = 1.0, images_needed: bool = True):
        # Only the tuning looks at masks; mask_color is the wish of another dataparser to paint over what they hide.
        if not images_needed and not outputs.metadata.get("mask_color"):
            outputs = replace(outputs, mask_filenames=None)
        # What is cut out stays so: alpha_color is the wish of another dataparser to fill it in.
        super().__init__(replace(outputs, alpha_color=None), scale_factor)
        self.masks = outputs.mask_filenames
        self.images_needed = images_needed
        self.captured_cameras = self.cameras
        self.cameras = undistorted_cameras(self.captured_cameras)

    def get_numpy_image(self, image_idx: int) -> npt.NDArray[np.uint8]:
        """The stored pixels [H, W, 3 or 4], turned by the photo's EXIF entry where its camera is for that."""
        pixels = super().get_numpy_image(image_idx)
        camera = self.captured_cameras[image_idx]
        if pixels.shape[:2] == (int(camera.height), int(camera.width)):
            return pixels
        with Image.open(self.image_filenames[image_idx]) as photo:
            turned = np.asarray(ImageOps.exif_transpose(photo))
        return turned if turned.shape[:2] == (int(camera.height), int(camera.width)) else pixels

    def get_data(self, image_idx: int, image_type: Literal["uint8", "float32"] = "float32") -> dict[str, Any]:
        path = self.image_filenames[image_idx]
        camera = self.captured_cameras[image_idx]
        if not path.exists():
            return self._placeholder(image_idx, path, image_type)
        if self.masks is not None:
            size = (int(camera.width), int(camera.height)) if self.scale_factor == 1.0 else stored_size(path)
            check_mask(self.masks[image_idx], size)
        data = super().get_data(image_idx, image_type)
        expected = (int(camera.height.item()), int(camera.width.item()))
        if tuple(data["image"].shape[:2]) != expected:
            raise ValueError(
                f"{path} is {data['image'].shape[1]}x{data['image'].shape[0]} pixels, but its camera is for "
                f"{expected[1]}x{expected[0]}; the dataparser `tokengs-data` adapts cameras to the images"
            )
        return _undistorted(data, bridge.lens_of_camera(camera))

    def _placeholder(self, image_idx: int, path: Path, image_type: str) -> dict[str, Any]:
        """A grey image where the photo is gone: a finished run can be viewed and rendered without its photos."""
        if self.images_needed:
            raise FileNotFoundError(f"the image {path} does not exist any more; put it back or remove its frame")
        height, width = int(self.cameras.height[image_idx]), int(self.cameras.width[image_idx])
        grey = torch.full((height, width, 3), 127, dtype=torch.uint8)
        return {"image_idx": image_idx, "image": grey if image_type == "uint8" else grey.float() / 255}


def undistorted_cameras(cameras: Cameras) -> Cameras:
    """Perspective cameras that see what the undistorted images of `cameras` show, which keep their sizes.

    Raises ValueError for cameras that no perspective camera can stand in for.
    """
    lenses = []
    for index in range(len(cameras)):
        camera = cameras[index]
        lenses.append(bridge.lens_of_camera(camera).pinhole(int(camera.width), int(camera.height)))
    numbers = torch.tensor([[lens.fx, lens.fy, lens.cx, lens.cy] for lens in lenses])
    return Cameras(
        camera_to_worlds=cameras.camera_to_worlds.float(),
        fx=numbers[:, 0:1],
        fy=numbers[:, 1:2],
        cx=numbers[:, 2:3],
        cy=numbers[:, 3:4],
        height=cameras.height,
        width=cameras.width,
        times=cameras.times,
        camera_type=CameraType.PERSPECTIVE,
        metadata={},
    )


def _undistorted(data: dict[str, Any], lens: Lens) -> dict[str, Any]:
    """A dataset's item with lens distortion taken out of its image (any dtype, RGB or RGBA) and of its mask."""
    if lens.is_pinhole:
        return data
    image = data["image"]
    if image.shape[-1] == 4:
        pixels = _undistorted_cut_out(image.float(), 1.0 if image.is_floating_point() else 255.0, lens)
    else:
        pixels = torch.from_numpy(lens.undistort(image.float().numpy()))
    data["image"] = pixels if image.is_floating_point() else (pixels + 0.5).to(image.dtype)
    if "mask" in data:
        data["mask"] = wholly_valid(torch.from_numpy(lens.undistort(data["mask"].float().numpy()))).bool()
    return data


def _undistorted_cut_out(rgba: Tensor, opaque: float, lens: Lens) -> Tensor:
    """RGBA [H W 4] with lens distortion taken out: colours of pixels that show nothing mix with no others."""
    rgb, alpha = rgba.split((3, 1), dim=-1)
    both = torch.from_numpy(lens.undistort(torch.cat([rgb * alpha / opaque, alpha], dim=-1).numpy()))
    rgb, alpha = both.split((3, 1), dim=-1)
    return torch.cat([(rgb * opaque / alpha.clamp(min=1e-6)).clamp(0, opaque), alpha], dim=-1)


class EvalImages:
    """The evaluation images with their cameras, read when asked for: the viewer looks at every property there is."""

    def __init__(self, dataset: SceneDataset, device: torch.device | str):
        self.dataset = dataset
        self.device = device

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Cameras, dict[str, Any]]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        path = self.dataset.image_filenames[index]
        if not path.exists():
            raise FileNotFoundError(f"there is nothing to compare with: the image {path} does not exist")
        data = self.dataset.get_data(index, image_type="uint8")
        return self.dataset.cameras[index : index + 1].to(self.device), data | {"image": data["image"].to(self.device)}
