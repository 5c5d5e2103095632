"""Captures in nerfstudio's and instant-ngp's `transforms.json` form, as they really are on people's disks."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.geometry.resize import fitted_size, wholly_valid
from tokengs_nerfstudio.core.ranges import Count, check_value
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.capture.depths import depth_paths, depth_unit, read_depth
from tokengs_nerfstudio.data.capture.frames import THREADS, CaptureFrame, read_frames
from tokengs_nerfstudio.data.capture.images import check_mask, has_alpha, read_alpha, read_image, read_mask
from tokengs_nerfstudio.data.capture.lens import Lens, Window, centred_window
from tokengs_nerfstudio.data.capture.points import capture_points
from tokengs_nerfstudio.data.capture.poses import needs_64_bits
from tokengs_nerfstudio.data.capture.split import DEFAULT_SPLIT, FrameSplit, SplitRule
from tokengs_nerfstudio.data.capture.transforms_json import Transforms, read_transforms

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Photo:
    """One frame and how its pixels become the image that is loaded."""

    frame: CaptureFrame
    window: Window
    lens: Lens

    def read(self, background: Float[ndarray, "3"]) -> Float[ndarray, "height width 3"]:
        return self.lens.undistort(read_image(self.frame.image, self.window, background, self.frame.turned))

    def read_alpha(self) -> Float[ndarray, "height width"]:
        """The opacities, as the photo is read."""
        return self.lens.undistort(read_alpha(self.frame.image, self.window, self.frame.turned))

    def read_depth(self, path: Path | None) -> Float[ndarray, "height width"]:
        """Levels of the depths in a file; 0 without one."""
        if path is None:
            return np.zeros((self.window.height, self.window.width), np.float32)
        return read_depth(path, self.frame.size, self.window, self.lens)

    def read_mask(self) -> Float[ndarray, "height width"]:
        """The share of what is behind a pixel that is valid: all of it for photos without a mask."""
        if self.frame.mask is None:
            return np.ones((self.window.height, self.window.width), np.float32)
        return self.lens.undistort(read_mask(self.frame.mask, self.frame.size, self.window))


class NerfstudioCapture:
    """A `Scene` read from a `transforms.json`; frames keep the order of that file, its world frame and its units.

    * Frames whose image file does not exist are left out, which is said once; where all are missing it is an error.
    * Distorted photos are undistorted: `intrinsics` are those of the pinhole images that `load` gives, which keep the
      size of the photos and show no pixel from outside them.
    * Intrinsics are scaled where the image files are not of the size they were written for. Photos of another size
      than most are cropped about their centre and resized to the common one, which is said once.
    * Stored pixels are taken as they are, as nerfstudio does; a photo is turned by its EXIF entry only where the
      recorded width and height are those of the turned photo.
    * Transparent pixels are composited over `background` (grey 0.5, over which the method renders); where a photo has
      an alpha channel, the views have opacities.
    * `mask_path` files become the views' masks, `depth_file_path` files (millimetres, or what `depth_unit_scale_factor`
      says, in units of the world) their depths; 0 where a photo or a pixel has none.
    * `c2w` has 32 bits; 64 where those would blur the positions (georeferenced coordinates, extreme units).
    * `times` are the frames' `time`, mapped to [0, 1] over the frames that are there.

    `max_size` caps the longer side of the loaded images in pixels. A `downscale_factor` of N reads the photos of the
    folder images_N and the masks of masks_N. Building one reads image headers only; images are decoded by `load`, in
    several threads.
    """

    def __init__(
        self,
        path: str | Path | Transforms,
        background: float | Sequence[float] = 0.5,
        max_size: int | None = None,
        downscale_factor: int = 1,
    ) -> None:
        """Read the capture whose folder or JSON file is `path`, or whose file was read before.

        Raises FileNotFoundError where there is no capture or no image at all, ValueError (naming file and frame) for
        malformed JSON, missing or senseless fields, impossible poses, unknown camera models, unreadable images and
        masks that are missing or do not fit their photo.
        """
        check_value(max_size, Count | None, "max_size")
        self.background = _colour(background)
        transforms = path if isinstance(path, Transforms) else read_transforms(Path(path))
        self._frames = read_frames(transforms, downscale_factor)
        frames = self._frames.frames
        self.file = self._frames.transforms.file
        self.name = _scene_name(self.file)
        self.file_names = [frame.file_path for frame in frames]
        self.image_paths = [frame.image for frame in frames]
        width, height = _common_size(frames)
        self.stored_size = height, width
        """of most photos on disk"""
        self._photos = _photos(frames, _reduced((width, height), max_size))
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            self._cut_out = any(pool.map(has_alpha, self.image_paths))
        self.image_size: tuple[int, int] = (self._photos[0].window.height, self._photos[0].window.width)
        self.c2w: Float[Tensor, "frame 4 4"] = _poses([frame.c2w for frame in frames])
        self.intrinsics: Float[Tensor, "frame 3 3"] = _stacked(_pinhole_matrices(self._photos))
        self._depths = depth_paths([frame.record for frame in frames])
        self._unit = depth_unit(self._frames.transforms)
        times = [frame.time for frame in frames if frame.time is not None]
        self.times: Float[Tensor, " frame"] | None = torch.tensor(times) if times else None

    def __len__(self) -> int:
        return len(self._photos)

    def load(self, indices: Sequence[int]) -> Views:
        """The frames at `indices`, in that order, decoded now; IndexError for an index the capture does not have."""
        indices = [int(index) for index in indices]
        outside = [index for index in indices if not 0 <= index < len(self)]
        if outside:
            raise IndexError(f"capture '{self.name}' has frames 0 to {len(self) - 1}, asked for {outside}")
        return Views(
            images=self._images(indices),
            c2w=self.c2w[indices],
            intrinsics=self.intrinsics[indices],
            times=None if self.times is None else self.times[indices],
            masks=self._masks(indices) if any(self._photos[index].frame.mask for index in indices) else None,
            depths=self._depths_of(indices) if any(self._depths[index] for index in indices) else None,
            alphas=self._alphas(indices) if self._cut_out else None,
        )

    def _images(self, indices: list[int]) -> Float[Tensor, "view 3 height width"]:
        images = torch.empty(len(indices), 3, *self.image_size)

        def read_into(place: int) -> None:
            pixels = self._photos[indices[place]].read(self.background)
            images[place] = torch.from_numpy(pixels).permute(2, 0, 1)

        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            list(pool.map(read_into, range(len(indices))))
        return images

    def _masks(self, indices: list[int]) -> Float[Tensor, "view 1 height width"]:
        return wholly_valid(self._maps([self._photos[index].read_mask for index in indices]))

    def _alphas(self, indices: list[int]) -> Float[Tensor, "view 1 height width"]:
        return self._maps([self._photos[index].read_alpha for index in indices])

    def _depths_of(self, indices: list[int]) -> Float[Tensor, "view 1 height width"]:
        return self._unit * self._maps(
            [partial(self._photos[index].read_depth, self._depths[index]) for index in indices]
        )

    def _maps(
        self, readers: list[Callable[[], Float[ndarray, "height width"]]]
    ) -> Float[Tensor, "view 1 height width"]:
        maps = torch.empty(len(readers), 1, *self.image_size)

        def read_into(place: int) -> None:
            maps[place, 0] = torch.from_numpy(readers[place]())

        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            list(pool.map(read_into, range(len(readers))))
        return maps

    def points(self) -> PointCloud | None:
        """The points that the file names, in its world; errors and what is none as in `capture_points`."""
        return capture_points(self._frames.transforms)

    def split(self, rule: SplitRule = DEFAULT_SPLIT) -> FrameSplit:
        """The frames to learn from and those to evaluate on, the same that `ns-train` has.

        The file's own lists decide where it has them, else `rule`; see `split_frames`. ValueError where nothing is
        left to learn from.
        """
        return self._frames.split(rule)


def _colour(background: float | Sequence[float]) -> Float[ndarray, "3"]:
    colour = np.asarray(background, dtype=np.float64)
    if colour.shape not in ((), (3,)) or not ((colour >= 0) & (colour <= 1)).all():
        raise UserError(f"background must be a grey or RGB in [0, 1], got {background}; divide 8-bit values by 255")
    return np.broadcast_to(colour, (3,))


def _scene_name(file: Path) -> str:
    folder = file.absolute().resolve().parent.name
    return folder if file.name == "transforms.json" else f"{folder}/{file.stem}"


def _photos(frames: list[CaptureFrame], shown: tuple[int, int]) -> list[_Photo]:
    for frame in frames:
        if frame.mask is not None:
            check_mask(frame.mask, frame.size)
    windows = [centred_window(frame.size, shown) for frame in frames]
    return [_Photo(frame, window, frame.lens.through(window)) for frame, window in zip(frames, windows)]


def _common_size(frames: list[CaptureFrame]) -> tuple[int, int]:
    """The most frequent (width, height); says where there are others."""
    common, count = Counter(frame.size for frame in frames).most_common(1)[0]
    if count < len(frames):
        _log.warning(
            f"{len(frames) - count} of {len(frames)} images of {frames[0].record.file} are not {common[0]}x{common[1]} "
            "as the others; they are cropped about their centre and resized to that"
        )
    return common


def _reduced(size: tuple[int, int], max_size: int | None) -> tuple[int, int]:
    if max_size is None or max(size) <= max_size:
        return size
    height, width = fitted_size(size[1], size[0], max_size)
    return width, height


def _pinhole_matrices(photos: list[_Photo]) -> list[Float[ndarray, "3 3"]]:
    matrices: dict[tuple[Lens, Window], Float[ndarray, "3 3"]] = {}
    for photo in photos:
        key = (photo.lens, photo.window)
        if key not in matrices:
            try:
                matrices[key] = photo.lens.pinhole(photo.window.width, photo.window.height).matrix
            except ValueError as error:
                raise UserError(f"{photo.frame.record}: {error}") from error
    return [matrices[photo.lens, photo.window] for photo in photos]


def _poses(matrices: list[Float[ndarray, "4 4"]]) -> Float[Tensor, "frame 4 4"]:
    poses = np.stack(matrices)
    kept = torch.from_numpy(poses)
    return kept if needs_64_bits(poses[:, :3, 3]) else kept.float()


def _stacked(matrices: list[Float[ndarray, "side side"]]) -> Float[Tensor, "frame side side"]:
    return torch.from_numpy(np.stack(matrices)).float()
