"""The images of one scene: what the encoder sees, what the tuning is supervised by, what is kept for evaluation."""

import ctypes
import random
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.configs.dataparser_configs import AnnotatedDataParserUnion
from nerfstudio.data.datamanagers.base_datamanager import DataManager, VanillaDataManager
from nerfstudio.data.datamanagers.full_images_datamanager import FullImageDatamanager, FullImageDatamanagerConfig
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.utils.dataloaders import FixedIndicesEvalDataloader
from nerfstudio.utils.rich_utils import CONSOLE
from rich.progress import track

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.errors import UserError, in_short, one_line
from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.geometry.resize import fitted_size
from tokengs_nerfstudio.core.ranges import Count, Positive, Range, Whole
from tokengs_nerfstudio.core.stored_views import stored
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.capture.same_photo import one_name_each
from tokengs_nerfstudio.data.view_sampler import spread_views
from tokengs_nerfstudio.dataparser import TokenGSDataParser, TokenGSDataParserConfig
from tokengs_nerfstudio.dataset import EvalImages, SceneDataset
from tokengs_nerfstudio.world_frame import WorldFrame

_PHOTOS_TO_TIDY = 16


@dataclass
class SceneDataManagerConfig(FullImageDatamanagerConfig):
    """Which images are looked at, and how large."""

    _target: type = field(default_factory=lambda: SceneDataManager)
    dataparser: AnnotatedDataParserUnion = field(default_factory=TokenGSDataParserConfig)
    num_context: Count | None = None
    """How many images the encoder sees. If not set: as many as the network was trained with, or all there are."""
    context_indices: tuple[Whole, ...] | None = None
    """The images the encoder sees, numbered from 0 in order of file name over the whole capture (held-out ones count,
    but cannot be chosen). If not set, images well spread in position and viewing direction are chosen."""
    max_image_size: Annotated[int, Range(16)] = 512
    """Longer side of the images that the tuning is supervised by, in pixels; larger ones are reduced.
    Evaluation and rendering always use the capture's own size."""
    photo_memory: Positive = 2.0
    """GiB of main memory for the images that the tuning is supervised by: 8 bits a channel where floats would take more
    than a quarter of it; those that do not fit are read from disk whenever they are looked at."""

    camera_res_scale_factor: Annotated[float, Range(0.01, 4)] = 1.0
    """Factor on the size of all images, as they are read."""
    focal_factor: Annotated[float, Range(0.1, 10)] = 1.0
    """Factor on the focal lengths of all cameras, as they are read. `model.tuning.cameras.focal` finds it"""

    run_frame: tyro.conf.Suppress[tuple[float, ...] | None] = None
    """Of a finished run: `WorldFrame.numbers` of the capture as it was then, for the data managers that `ns-render
    dataset` makes."""

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


def _give_back() -> None:
    """glibc keeps what was freed between what is in use, which adds up to several photos for each that is read; asked
    to, it gives it back to the system."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


class _KnownToSpiral(VanillaDataManager):
    """`ns-render spiral` only accepts a VanillaDataManager; nothing of it is used."""

    def __init__(self) -> None:
        DataManager.__init__(self)


@dataclass
class WholePictures:
    """Stands where nerfstudio's exporters of point clouds set how many rays they want at once."""

    num_rays_per_batch: int = 0
    """not looked at: `next_train` hands out the rays of whole pictures"""


class SceneDataManager(FullImageDatamanager, _KnownToSpiral):  # pyright: ignore[reportIncompatibleMethodOverride]
    """One scene: its context views, its supervised views, its held-out views."""

    config: SceneDataManagerConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    train_dataset: SceneDataset  # pyright: ignore[reportIncompatibleVariableOverride]
    eval_dataset: SceneDataset  # pyright: ignore[reportIncompatibleVariableOverride]

    @one_line()
    def __init__(self, config: SceneDataManagerConfig, *args: Any, **kwargs: Any):
        super().__init__(config, *args, **kwargs)
        self.train_cameras = self.train_dataset.cameras
        self._focal_asked = config.focal_factor
        self._check_sides()
        if config.run_frame is not None:
            self.lie_in(WorldFrame.of_numbers(config.run_frame))
        self.train_pixel_sampler = WholePictures()  # type: ignore[assignment]
        self._pictures = 0

    def create_train_dataset(self) -> SceneDataset:
        return self._dataset(self.train_dataparser_outputs)

    def create_eval_dataset(self) -> SceneDataset:
        return self._dataset(self.dataparser.get_dataparser_outputs(split=self.test_split))

    def _dataset(self, outputs: DataparserOutputs) -> SceneDataset:
        if self.test_mode == "val" and not isinstance(self.dataparser, TokenGSDataParser):  # which has looked already
            names = [path.name for path in outputs.image_filenames]
            bridge.check_cameras(outputs.cameras, names, self.get_datapath())
        scale = self.config.camera_res_scale_factor / getattr(self.dataparser, "reduction", 1.0)
        dataset = SceneDataset(outputs, scale, images_needed=self.test_mode == "val")
        dataset.set_focal(self.config.focal_factor)
        return dataset

    def next_eval_image(self, step: int) -> tuple[Cameras, dict[str, Any]]:
        """Any of the evaluation images with its camera, read now."""
        return EvalImages(self.eval_dataset, self.device)[random.randrange(len(self.eval_dataset))]

    def next_train(self, step: int) -> tuple[RayBundle, dict[str, Any]]:  # type: ignore[override]
        """The rays of a train photo's pixels [H, W], photo after photo, for `ns-export pointcloud` and `poisson`.

        From the second round on the rays lie elsewhere in their pixels. The tuning asks for photos by `views`.
        """
        turn, index = divmod(self._pictures, len(self.train_dataset))
        self._pictures += 1
        camera = deepcopy(self.train_dataset.cameras[index : index + 1])
        shift = torch.rand(2, generator=torch.Generator().manual_seed(turn)) - 0.5 if turn else torch.zeros(2)
        camera.cx, camera.cy = camera.cx + shift[0], camera.cy + shift[1]
        return camera.to(self.device).generate_rays(camera_indices=0, keep_shape=True), {}

    @property
    def fixed_indices_eval_dataloader(self) -> EvalImages:  # type: ignore[override]
        return EvalImages(self.eval_dataset, self.device)

    @property
    def eval_dataloader(self) -> FixedIndicesEvalDataloader:  # type: ignore[override]
        """What `ns-render spiral` takes its first camera from."""
        return FixedIndicesEvalDataloader(input_dataset=self.eval_dataset, device=self.device)

    def get_train_rays_per_batch(self) -> int:
        """Pixels of an image, from its camera: the trainer asks before images are needed."""
        return int(self.train_dataset.cameras.width[0] * self.train_dataset.cameras.height[0])

    def lie_in(self, frame: WorldFrame) -> bool:
        """The capture's world lies in nerfstudio's by `frame` from now on, wherever the dataparser put it for the
        photos that there are by now; whether that was elsewhere. In a run that is only looked at this is so for the
        data managers that `ns-render dataset` makes, too.

        UserError for a capture whose world was sheared or mirrored in between.
        """
        if self.test_mode != "val":
            self.config.run_frame = frame.numbers
        change = frame.change_from(WorldFrame.of(self.train_dataparser_outputs))
        if change is None:
            return False
        for dataset in (self.train_dataset, self.eval_dataset):
            dataset.lie_in(frame, change)
        outputs = frame.given_to(self.train_dataparser_outputs)
        poses = self.train_dataset.cameras.camera_to_worlds.reshape(outputs.cameras.camera_to_worlds.shape)
        cameras = deepcopy(outputs.cameras)
        cameras.camera_to_worlds = poses
        self.train_dataparser_outputs = replace(outputs, cameras=cameras)
        return True

    def correct_focal(self, factor: float) -> None:
        """Cameras of all photos have focal lengths so many times as long as asked for, from now on. In a run that is
        only looked at also those of the data managers that `ns-render dataset` makes, by the same configuration."""
        corrected = self._focal_asked * factor
        for dataset in (self.train_dataset, self.eval_dataset):
            dataset.set_focal(corrected)
        if self.test_mode != "val":
            self.config.focal_factor = corrected

    def cut_out_by_masks(self) -> None:
        """Whoever asks for images sees the object that masks leave of them, and nothing around it."""
        for dataset in (self.train_dataset, self.eval_dataset):
            dataset.cut_out_by_masks()

    @property
    def num_held_out(self) -> int:
        """How many evaluation images are not training images too."""
        seen, evaluated = map(set, self.photos)
        return len(evaluated - seen)

    @cached_property
    def photos(self) -> tuple[list[str], list[str]]:
        """The files of the train and of the evaluation split, each by one name, whatever leads to it or copies it."""
        sides = (self.train_dataset, self.eval_dataset)
        names = one_name_each(
            [path for side in sides for path in side.image_filenames], [how for side in sides for how in side.taken()]
        )
        return names[: len(sides[0])], names[len(sides[0]) :]

    def _check_sides(self) -> None:
        """Whether photos are held out from training wholly, or none is: dataparsers split frames, not photos."""
        seen, evaluated = map(set, self.photos)
        both = sorted(evaluated & seen)
        if both and evaluated != seen:
            raise UserError(
                f"{len(both)} photos are in the train split and held out for evaluation ({in_short(both)}); list each "
                "photo once, or read the capture with the dataparser `tokengs-data`"
            )

    @property
    def context_is_asked_for(self) -> bool:
        """Whether the options say which photos the encoder sees, or how many."""
        return self.config.context_indices is not None or self.config.num_context is not None

    def choose_context(self, trained_with: int) -> list[int]:
        """Which train images the encoder sees, as positions in the train split.

        `trained_with` is the network's own number of views. Raises ValueError for indices that are not in the
        capture, held out for evaluation or repeated, and for more views than there are.
        """
        available = len(self.train_dataset)
        numbers, wanted = self.config.context_indices, self.config.num_context
        if numbers is not None:
            if wanted is not None and wanted != len(numbers):
                raise UserError(
                    f"--pipeline.datamanager.num-context {wanted} beside {len(numbers)} --pipeline.datamanager."
                    "context-indices: give one of the two"
                )
            return self._numbered(numbers)
        if wanted is not None and not 1 <= wanted <= available:
            raise UserError(
                f"--pipeline.datamanager.num-context {wanted}: this capture has {available} images to choose from "
                f"({self.num_held_out} more are held out for evaluation)"
            )
        count = min(trained_with, available) if wanted is None else wanted
        cameras = self.train_dataset.cameras
        # Weights that know time are to see as much of it as of the place.
        times = cameras.times.reshape(-1) if self.includes_time and cameras.times is not None else None
        return spread_views(bridge.camera_matrices(cameras)[0], count, times=times)

    def _numbered(self, numbers: Sequence[int]) -> list[int]:
        train = {path: position for position, path in enumerate(self.train_dataset.image_filenames)}
        paths = sorted({*train, *self.eval_dataset.image_filenames})
        flag = f"--pipeline.datamanager.context-indices {' '.join(map(str, numbers))}"
        if not numbers or len(set(numbers)) != len(numbers):
            raise UserError(f"{flag}: expected at least one index, each of them once")
        for number in numbers:
            if not 0 <= number < len(paths):
                raise UserError(f"{flag}: there is no image {number}, the capture has images 0 to {len(paths) - 1}")
            if paths[number] not in train:
                raise UserError(
                    f"{flag}: image {number} ({paths[number].name}) is held out for evaluation; choose among "
                    f"{' '.join(str(i) for i, path in enumerate(paths) if path in train)}"
                )
        return [train[paths[number]] for number in numbers]

    def names(self, positions: Sequence[int]) -> list[str]:
        """The image files at positions in the train split: relative to the capture's folder where they lie in it, else
        absolute, with forward slashes. They mean the same photos after the capture was moved or split otherwise."""
        return [self._name(self.train_dataset.image_filenames[position]) for position in positions]

    def positions(self, names: Sequence[str]) -> list[int]:
        """The positions in the train split of images by `names`; ValueError naming those that are not in it."""
        train = {self._name(path): place for place, path in enumerate(self.train_dataset.image_filenames)}
        gone = [name for name in names if name not in train]
        if gone:
            held_out = {self._name(path) for path in self.eval_dataset.image_filenames}
            said = (f"{name} (held out for evaluation now)" if name in held_out else name for name in gone)
            raise UserError(
                f"{self.get_datapath()} does not have these photos to reconstruct from: {', '.join(said)}; put them "
                "back, or restore the split they were chosen from"
            )
        return [train[name] for name in names]

    def listed(self, dataset: SceneDataset) -> list[str]:
        """The photos of a dataset as the capture lists them, whatever size they are read at: for other dataparsers
        than our own, by their files as if none of them was a smaller copy."""
        listed = dataset.metadata.get("file_paths")
        if listed is not None:
            return list(listed)
        return [re.sub(r"^images_\d+/", "images/", self._name(path)) for path in dataset.image_filenames]

    def _name(self, path: Path) -> str:
        data = self.get_datapath().absolute()
        folder = data.parent if data.suffix == ".json" else data
        path = path.absolute()
        return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()

    def supervised_size(self) -> tuple[int, int]:
        """(height, width) that all train images are brought to: the commonest camera's, reduced to max_image_size."""
        cameras = self.train_dataset.cameras
        sizes = list(zip(cameras.height.flatten().tolist(), cameras.width.flatten().tolist()))
        height, width = max(set(sizes), key=sizes.count)
        return fitted_size(height, width, self.config.max_image_size)

    def views(self, positions: Sequence[int], height: int, width: int, background: float = 0.5) -> Views:
        """Train images and their masks at `positions` as Views of one size, in nerfstudio's world frame.

        Of each photo no more is kept than that size; of many, no more than `photo_memory` allows.
        """

        def read(number: int, depths_too: bool = True) -> Views:
            position = positions[number]
            item = self.train_dataset.get_data(position, image_type="uint8")
            masks = [item["mask"]] if self.train_dataset.masks is not None else None
            cameras = self.train_dataset.cameras[position : position + 1]
            wanted = depths_too and self.train_dataset.has_depths
            depths = [self.train_dataset.depth(position)] if wanted else None
            return bridge.views_from_cameras(cameras, [item["image"]], height, width, background, masks, depths)

        count, memory = len(positions), self.config.photo_memory * 2**30
        return stored(self._read(read, count), lambda number: read(number, depths_too=False), count, memory)

    def points(self) -> PointCloud | None:
        """The scene's points in nerfstudio's world, where the dataparser gives them as nerfstudio's do."""
        known = self.train_dataparser_outputs.metadata
        places, colors = known.get("points3D_xyz"), known.get("points3D_rgb")
        if places is None or colors is None or len(places) == 0:
            return None
        return PointCloud(places.float(), colors.float() / 255)

    def _read(self, read: Callable[[int], Views], count: int) -> Iterator[Views]:
        """Every photo once, in order, read in two threads that never get far ahead."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            ahead = deque(pool.submit(read, number) for number in range(min(4, count)))
            for number in track(range(count), "Reading photos", transient=True, console=CONSOLE):
                if number + 4 < count:
                    ahead.append(pool.submit(read, number + 4))
                yield ahead.popleft().result()
                if number % _PHOTOS_TO_TIDY == 0:
                    _give_back()
        _give_back()
