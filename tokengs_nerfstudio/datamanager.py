"""The images of one scene: what the encoder sees, what the tuning is supervised by, what is kept for evaluation."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import tyro
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.configs.dataparser_configs import AnnotatedDataParserUnion
from nerfstudio.data.datamanagers.base_datamanager import DataManager, VanillaDataManager
from nerfstudio.data.datamanagers.full_images_datamanager import FullImageDatamanager, FullImageDatamanagerConfig
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.datasets.base_dataset import InputDataset
from nerfstudio.data.utils.dataloaders import FixedIndicesEvalDataloader
from nerfstudio.utils.rich_utils import CONSOLE
from PIL import Image, ImageOps
from rich.progress import track

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.geometry.resize import wholly_valid
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.capture.images import check_mask, stored_size
from tokengs_nerfstudio.data.capture.lens import Lens
from tokengs_nerfstudio.data.view_sampler import spread_views
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig


@dataclass
class SceneDataManagerConfig(FullImageDatamanagerConfig):
    """Which images are looked at, and how large."""

    _target: type = field(default_factory=lambda: SceneDataManager)
    dataparser: AnnotatedDataParserUnion = field(default_factory=TokenGSDataParserConfig)
    num_context: int | None = None
    """How many images the encoder sees. If not set: as many as the network was trained with, or all there are."""
    context_indices: tuple[int, ...] | None = None
    """The images the encoder sees, numbered from 0 in order of file name over the whole capture (held-out ones count,
    but cannot be chosen). If not set, images well spread in position and viewing direction are chosen."""
    max_image_size: int = 512
    """Longer side of the images that the tuning is supervised by, in pixels; larger ones are reduced.
    Evaluation and rendering always use the capture's own size."""

    # What nerfstudio's own data manager needs and has no meaning here.
    cache_images: tyro.conf.Suppress[Literal["cpu", "gpu"]] = "cpu"
    cache_images_type: tyro.conf.Suppress[Literal["uint8", "float32"]] = "uint8"
    eval_num_images_to_sample_from: tyro.conf.Suppress[int] = -1
    eval_num_times_to_repeat_images: tyro.conf.Suppress[int] = -1
    eval_image_indices: tyro.conf.Suppress[tuple[int, ...] | None] = (0,)
    max_thread_workers: tyro.conf.Suppress[int | None] = None
    train_cameras_sampling_strategy: tyro.conf.Suppress[Literal["random", "fps"]] = "random"
    train_cameras_sampling_seed: tyro.conf.Suppress[int] = 42
    fps_reset_every: tyro.conf.Suppress[int] = 100
    masks_on_gpu: tyro.conf.Suppress[bool] = False
    images_on_gpu: tyro.conf.Suppress[bool] = False


class SceneDataset(InputDataset):
    """Images and cameras without lens distortion, in step with each other from the start.

    nerfstudio undistorts when a cache is first filled, so what is rendered and what it is compared with depend on who
    asks first. Here `cameras` are the undistorted ones at once, and every image that is read fits them.
    """

    def __init__(self, outputs: DataparserOutputs, scale_factor: float = 1.0, images_needed: bool = True):
        # Only the tuning looks at masks; mask_color is the wish of another dataparser to paint over what they hide.
        if not images_needed and not outputs.metadata.get("mask_color"):
            outputs = replace(outputs, mask_filenames=None)
        super().__init__(outputs, scale_factor)
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
    pixels = torch.from_numpy(lens.undistort(image.float().numpy()))
    data["image"] = pixels if image.is_floating_point() else (pixels + 0.5).to(image.dtype)
    if "mask" in data:
        data["mask"] = wholly_valid(torch.from_numpy(lens.undistort(data["mask"].float().numpy()))).bool()
    return data


class _KnownToSpiral(VanillaDataManager):
    """`ns-render spiral` only accepts a VanillaDataManager; nothing of it is used."""

    def __init__(self) -> None:
        DataManager.__init__(self)


class _EvalImages:
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


class SceneDataManager(FullImageDatamanager, _KnownToSpiral):  # pyright: ignore[reportIncompatibleMethodOverride]
    """One scene: its context views, its supervised views, its held-out views."""

    config: SceneDataManagerConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    train_dataset: SceneDataset  # pyright: ignore[reportIncompatibleVariableOverride]
    eval_dataset: SceneDataset  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, config: SceneDataManagerConfig, *args: Any, **kwargs: Any):
        super().__init__(config, *args, **kwargs)
        self.train_cameras = self.train_dataset.cameras

    def create_train_dataset(self) -> SceneDataset:
        return self._dataset(self.train_dataparser_outputs)

    def create_eval_dataset(self) -> SceneDataset:
        return self._dataset(self.dataparser.get_dataparser_outputs(split=self.test_split))

    def _dataset(self, outputs: DataparserOutputs) -> SceneDataset:
        return SceneDataset(outputs, self.config.camera_res_scale_factor, images_needed=self.test_mode == "val")

    def _load_images(
        self, split: Literal["train", "eval"], cache_images_device: Literal["cpu", "gpu"]
    ) -> list[dict[str, Any]]:
        """All images of a split in main memory, 8 bits a channel."""
        dataset = self.train_dataset if split == "train" else self.eval_dataset
        with ThreadPoolExecutor(max_workers=2) as pool:
            images = pool.map(lambda index: dataset.get_data(index, image_type="uint8"), range(len(dataset)))
            return list(track(images, f"Reading {split} images", total=len(dataset), transient=True, console=CONSOLE))

    @property
    def fixed_indices_eval_dataloader(self) -> _EvalImages:  # type: ignore[override]
        return _EvalImages(self.eval_dataset, self.device)

    @property
    def eval_dataloader(self) -> FixedIndicesEvalDataloader:  # type: ignore[override]
        """What `ns-render spiral` takes its first camera from."""
        return FixedIndicesEvalDataloader(input_dataset=self.eval_dataset, device=self.device)

    def get_train_rays_per_batch(self) -> int:
        """Pixels of an image, from its camera: the trainer asks before images are needed."""
        return int(self.train_dataset.cameras.width[0] * self.train_dataset.cameras.height[0])

    @property
    def num_held_out(self) -> int:
        """How many evaluation images are not training images too."""
        return len(set(self.eval_dataset.image_filenames) - set(self.train_dataset.image_filenames))

    def choose_context(self, trained_with: int) -> list[int]:
        """Which train images the encoder sees, as positions in the train split.

        `trained_with` is the network's own number of views. Raises ValueError for indices that are not in the
        capture, held out for evaluation or repeated, and for more views than there are.
        """
        available = len(self.train_dataset)
        if self.config.context_indices is not None:
            return self._positions(self.config.context_indices)
        wanted = self.config.num_context
        if wanted is not None and not 1 <= wanted <= available:
            raise ValueError(
                f"--pipeline.datamanager.num-context {wanted}: this capture has {available} images to choose from "
                f"({self.num_held_out} more are held out for evaluation)"
            )
        count = min(trained_with, available) if wanted is None else wanted
        return [int(index) for index in spread_views(bridge.camera_matrices(self.train_dataset.cameras)[0], count)]

    def _positions(self, numbers: Sequence[int]) -> list[int]:
        train = {path: position for position, path in enumerate(self.train_dataset.image_filenames)}
        names = sorted({*train, *self.eval_dataset.image_filenames})
        flag = f"--pipeline.datamanager.context-indices {' '.join(map(str, numbers))}"
        if not numbers or len(set(numbers)) != len(numbers):
            raise ValueError(f"{flag}: expected at least one index, each of them once")
        for number in numbers:
            if not 0 <= number < len(names):
                raise ValueError(f"{flag}: there is no image {number}, the capture has images 0 to {len(names) - 1}")
            if names[number] not in train:
                raise ValueError(
                    f"{flag}: image {number} ({names[number].name}) is held out for evaluation; choose among "
                    f"{' '.join(str(i) for i, name in enumerate(names) if name in train)}"
                )
        return [train[names[number]] for number in numbers]

    def names(self, positions: Sequence[int]) -> list[str]:
        """The train images at `positions` by their files' paths."""
        return [self.train_dataset.image_filenames[position].as_posix() for position in positions]

    def supervised_size(self) -> tuple[int, int]:
        """(height, width) that all train images are brought to: the commonest camera's, reduced to max_image_size."""
        cameras = self.train_dataset.cameras
        sizes = list(zip(cameras.height.flatten().tolist(), cameras.width.flatten().tolist()))
        height, width = max(set(sizes), key=sizes.count)
        factor = min(1.0, self.config.max_image_size / max(height, width))
        return max(1, round(height * factor)), max(1, round(width * factor))

    def views(self, positions: Sequence[int], height: int, width: int, background: float = 0.5) -> Views:
        """Train images and their masks at `positions` as Views of one size, in nerfstudio's world frame."""
        cached = [self.cached_train[position] for position in positions]
        images = [item["image"] for item in cached]
        masks = [item["mask"] for item in cached] if self.train_dataset.masks is not None else None
        cameras = self.train_dataset.cameras[torch.tensor(positions)]
        return bridge.views_from_cameras(cameras, images, height, width, background, masks)
