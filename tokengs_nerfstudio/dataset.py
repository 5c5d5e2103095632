"""The photos of one split with their cameras: straightened, checked against each other, read when asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.datasets.base_dataset import InputDataset
from torch import Tensor

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.errors import MissingFileError, UserError, in_short
from tokengs_nerfstudio.core.geometry.resize import wholly_valid
from tokengs_nerfstudio.core.types import Similarity
from tokengs_nerfstudio.data.capture.depths import read_depth
from tokengs_nerfstudio.data.capture.images import check_mask, is_turned, read_mask, read_pixels, stored_size
from tokengs_nerfstudio.data.capture.lens import Lens, Window
from tokengs_nerfstudio.world_frame import WorldFrame, changed_poses


class SceneDataset(InputDataset):
    """Images and cameras without lens distortion, in step with each other from the start.

    nerfstudio undistorts when a cache is first filled, so what is rendered and what it is compared with depend on who
    asks first. Here `cameras` are the undistorted ones at once, and every image that is read fits them.
    """

    def __init__(self, outputs: DataparserOutputs, scale_factor: float = 1.0, images_needed: bool = True):
        # Only the tuning looks at masks; mask_color is the wish of another dataparser to paint over what they hide.
        masks_needed = images_needed or outputs.metadata.get("mask_color")
        outputs = replace(outputs, image_filenames=_named(outputs.image_filenames))
        if outputs.cameras.ndim == 0:  # nerfstudio's instant-ngp-data drops the axis of a single one
            outputs = replace(outputs, cameras=outputs.cameras.reshape((1,)))
        _check_sizes(outputs, scale_factor)
        # What is cut out stays so: alpha_color is the wish of another dataparser to fill it in.
        super().__init__(replace(outputs, mask_filenames=None, alpha_color=None), scale_factor)
        self.masks = outputs.mask_filenames if masks_needed else None
        self._every_mask, self._cut = outputs.mask_filenames, False
        self._painted, self.mask_color = self.mask_color, None
        self._depths = outputs.metadata.get("depth_filenames") or []
        unit = outputs.metadata.get("depth_unit_scale_factor", 1.0)
        self._depth_unit = float(unit) * float(outputs.dataparser_scale)
        self.images_needed = images_needed
        self.given_cameras = outputs.cameras
        self.captured_cameras = self.cameras
        self.cameras = undistorted_cameras(self.captured_cameras)
        self._given_focal = self.cameras.fx, self.cameras.fy
        # `ns-export tsdf` looks through the cameras of the dataparser's outputs, without any distortion.
        self._dataparser_outputs = replace(self._dataparser_outputs, cameras=self.cameras)
        if images_needed:
            self._check_photos()

    def taken(self) -> list[tuple[bytes, float | None]]:
        """From where each photo was taken, and when: equal where these are, to the bit."""
        times = [None] * len(self) if self.cameras.times is None else self.cameras.times.flatten().tolist()
        return [(pose.numpy().tobytes(), time) for pose, time in zip(self.cameras.camera_to_worlds, times)]

    def lie_in(self, frame: WorldFrame, change: Similarity) -> None:
        """From now on the capture's world lies in nerfstudio's by `frame`; the `change` brings its cameras there."""
        self.cameras.camera_to_worlds = changed_poses(self.cameras.camera_to_worlds, change)
        self._depth_unit *= float(change.scale)
        self._dataparser_outputs = frame.given_to(self._dataparser_outputs)

    def set_focal(self, factor: float) -> None:
        """From now on cameras have focal lengths so many times as long as given; their images stay what they are."""
        self.cameras.fx, self.cameras.fy = (given * factor for given in self._given_focal)

    def cut_out_by_masks(self) -> None:
        """From now on what masks hide is cut away from the images, for whoever reads them, and there are no masks."""
        self._cut = self._every_mask is not None
        self.masks = None

    def _check_photos(self) -> None:
        missing = [path for path in self.image_filenames if not path.exists()]
        if missing:
            raise MissingFileError(
                f"{len(missing)} of {len(self)} images do not exist ({in_short([str(path) for path in missing])}); put "
                "them there, correct the paths in the capture, or remove their frames"
            )

    def get_numpy_image(self, image_idx: int) -> npt.NDArray[np.uint8]:
        """The stored pixels as RGB(A) [H, W, C], turned by the photo's EXIF entry where its camera is for that."""
        path = self.image_filenames[image_idx]
        wanted, stored = self._size(image_idx), stored_size(path)
        turned = (stored[1], stored[0])
        upright = self._scaled(stored) != wanted and self._scaled(turned) == wanted and is_turned(path)
        return read_pixels(path, self._scaled(turned if upright else stored), upright)

    def _size(self, image_idx: int) -> tuple[int, int]:
        """(width, height) that a photo's camera is for."""
        camera = self.captured_cameras[image_idx]
        return int(camera.width), int(camera.height)

    def _scaled(self, size: tuple[int, int]) -> tuple[int, int]:
        """As nerfstudio scales the sizes of its cameras."""
        return int(size[0] * self.scale_factor), int(size[1] * self.scale_factor)

    def get_data(self, image_idx: int, image_type: Literal["uint8", "float32"] = "float32") -> dict[str, Any]:
        path, size = self.image_filenames[image_idx], self._size(image_idx)
        if not path.exists():
            return self._placeholder(image_idx, path, image_type)
        data = super().get_data(image_idx, image_type)
        found = (data["image"].shape[1], data["image"].shape[0])
        if found != size:
            raise UserError(
                f"{path} is {found[0]}x{found[1]} pixels, but its camera is for {size[0]}x{size[1]}; the dataparser "
                "`tokengs-data` adapts cameras to the images"
            )
        masks = self._every_mask if self._cut else self.masks
        if masks is not None:
            data["mask"] = self._mask(masks[image_idx], size)
        if self._painted:
            colour = torch.ones_like(data["image"]) * torch.tensor(self._painted)
            data["image"] = torch.where(data["mask"], data["image"], colour)
        data = _undistorted(data, bridge.lens_of_camera(self.captured_cameras[image_idx]))
        return _cut_out(data) if self._cut else data

    def _mask(self, path: Path, size: tuple[int, int]) -> Bool[Tensor, "height width 1"]:
        full = (round(size[0] / self.scale_factor), round(size[1] / self.scale_factor))
        check_mask(path, full if self.scale_factor < 1 else size)
        shown = read_mask(path, size, Window(0.0, 0.0, float(size[0]), float(size[1]), *size))
        return wholly_valid(torch.from_numpy(shown))[..., None].bool()

    @property
    def has_depths(self) -> bool:
        """Whether depths were given for any photo."""
        return any(path is not None for path in self._depths)

    def depth(self, image_idx: int) -> Float[Tensor, "height width 1"]:
        """z-depths of a photo as `get_data` gives it, in nerfstudio's world; 0 where nothing is known."""
        path, (width, height) = self._depths[image_idx], self._size(image_idx)
        if path is None:
            return torch.zeros(height, width, 1)
        window = Window(0.0, 0.0, float(width), float(height), width, height)
        lens = bridge.lens_of_camera(self.captured_cameras[image_idx])
        levels = read_depth(Path(path), (width, height), window, lens)
        return self._depth_unit * torch.from_numpy(levels)[..., None]

    def _placeholder(self, image_idx: int, path: Path, image_type: str) -> dict[str, Any]:
        """A grey image where the photo is gone: a finished run can be viewed and rendered without its photos."""
        if self.images_needed:
            raise MissingFileError(f"the image {path} does not exist any more; put it back or remove its frame")
        height, width = int(self.cameras.height[image_idx]), int(self.cameras.width[image_idx])
        grey = torch.full((height, width, 3), 127, dtype=torch.uint8)
        return {"image_idx": image_idx, "image": grey if image_type == "uint8" else grey.float() / 255}


def _check_sizes(outputs: DataparserOutputs, scale_factor: float) -> None:
    """UserError where a photo scaled by a factor has no pixels left."""
    for path, width, height in zip(outputs.image_filenames, outputs.cameras.width, outputs.cameras.height):
        if scale_factor * min(int(width), int(height)) < 1:
            raise UserError(
                f"{path} has {int(width)}x{int(height)} pixels, of which none are left where it is seen "
                f"{1 / scale_factor:g} times as small; make --downscale-factor smaller, or "
                "--pipeline.datamanager.camera-res-scale-factor larger"
            )


class _OnlyPhoto(type(Path())):
    """A split's only photo: `ns-render dataset` names pictures by where photos lie below the folder of all of them.

    That folder is, for a single photo, the photo itself, and the picture would have no name.
    """

    def relative_to(self, *other: Any) -> Path:  # pyright: ignore[reportIncompatibleMethodOverride]
        below = super().relative_to(*other)
        return below if below.parts else Path(self.name)


def _named(photos: list[Path]) -> list[Path]:
    return [_OnlyPhoto(photos[0])] if len(photos) == 1 else photos


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


def _cut_out(data: dict[str, Any]) -> dict[str, Any]:
    """A dataset's item whose image (any dtype, RGB or RGBA) shows nothing where its mask hid something."""
    image, shown = data.pop("image"), data.pop("mask")
    opaque = torch.full_like(image[..., :1], 1 if image.is_floating_point() else 255)
    alpha = image[..., 3:] if image.shape[-1] == 4 else opaque
    return data | {"image": torch.cat([image[..., :3], alpha * shown.to(alpha)], dim=-1)}


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
            raise MissingFileError(f"there is nothing to compare with: the image {path} does not exist")
        data = self.dataset.get_data(index, image_type="uint8")
        return self.dataset.cameras[index : index + 1].to(self.device), data | {"image": data["image"].to(self.device)}
