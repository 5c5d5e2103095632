"""Captures in nerfstudio's and instant-ngp's `transforms.json` form, as they really are on people's disks."""

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from tokengs_nerfstudio.core.geometry.resize import wholly_valid
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.capture.images import check_mask, is_turned, read_image, read_mask, stored_size
from tokengs_nerfstudio.data.capture.lens import Lens, Window, centred_window
from tokengs_nerfstudio.data.capture.split import FrameSplit, split_by_fraction, split_by_interval
from tokengs_nerfstudio.data.capture.transforms_json import (
    FrameRecord,
    Transforms,
    camera_to_world,
    frame_times,
    lens_of,
    mask_paths,
    read_transforms,
    recorded_size,
)

_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".PNG", ".JPG", ".JPEG")
_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class _Photo:
    """One frame's image file and how its pixels become the image that is loaded."""

    path: Path
    upright: bool
    window: Window
    lens: Lens
    mask: Path | None

    def read(self, background: Float[ndarray, "3"]) -> Float[ndarray, "height width 3"]:
        return self.lens.undistort(read_image(self.path, self.window, background, self.upright))

    def read_mask(self) -> Float[ndarray, "height width"]:
        """The share of what is behind a pixel that is valid; for photos that have a mask."""
        assert self.mask is not None
        return self.lens.undistort(read_mask(self.mask, self.window))


class NerfstudioCapture:
    """A `Scene` read from a `transforms.json`; frames keep the order of that file, its world frame and its units.

    * Frames whose image file does not exist are left out, with one warning; where all are missing it is an error.
    * Distorted photos are undistorted: `intrinsics` are those of the pinhole images that `load` gives, which keep the
      size of the photos and show no pixel from outside them.
    * Intrinsics are scaled where the image files are not of the size they were written for. Photos of another size
      than most are cropped about their centre and resized to the common one, with one warning.
    * Stored pixels are taken as they are, as nerfstudio does; a photo is turned by its EXIF entry only where the
      recorded width and height are those of the turned photo.
    * Transparent pixels are composited over `background` (grey 0.5, over which the method renders).
    * `mask_path` files become the views' masks.
    * `times` are the frames' `time`, mapped to [0, 1] over the frames that are there.

    `max_size` caps the longer side of the loaded images in pixels. Building one reads image headers only; images are
    decoded by `load`, in several threads.
    """

    def __init__(
        self,
        path: str | Path,
        background: float | Sequence[float] = 0.5,
        max_size: int | None = None,
    ) -> None:
        """Read the capture whose folder or JSON file is `path`.

        Raises FileNotFoundError where there is no capture or no image at all, ValueError (naming file and frame) for
        malformed JSON, missing or senseless fields, impossible poses, unknown camera models, unreadable images and
        masks that are missing or do not fit their photo.
        """
        transforms = read_transforms(Path(path))
        self.file = transforms.file
        self.name = _scene_name(transforms.file)
        self.background = np.broadcast_to(np.asarray(background, dtype=np.float64), (3,))
        records, self.image_paths = _present_frames(transforms)
        self.file_names = [record.file_path for record in records]
        photos = _photos(records, self.image_paths, max_size)
        self._photos = photos
        self._lists = _split_lists(transforms)
        self.image_size: tuple[int, int] = (photos[0].window.height, photos[0].window.width)
        self.c2w: Float[Tensor, "frame 4 4"] = _stacked([camera_to_world(record) for record in records])
        self.intrinsics: Float[Tensor, "frame 3 3"] = _stacked(_pinhole_matrices(photos, records))
        times = frame_times(records)
        self.times: Float[Tensor, " frame"] | None = None if times is None else torch.from_numpy(times).float()

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
            masks=self._masks(indices) if self._photos[0].mask else None,
        )

    def _images(self, indices: list[int]) -> Float[Tensor, "view 3 height width"]:
        images = torch.empty(len(indices), 3, *self.image_size)

        def read_into(place: int) -> None:
            pixels = self._photos[indices[place]].read(self.background)
            images[place] = torch.from_numpy(pixels).permute(2, 0, 1)

        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            list(pool.map(read_into, range(len(indices))))
        return images

    def _masks(self, indices: list[int]) -> Float[Tensor, "view 1 height width"]:
        masks = torch.empty(len(indices), 1, *self.image_size)

        def read_into(place: int) -> None:
            masks[place, 0] = torch.from_numpy(self._photos[indices[place]].read_mask())

        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            list(pool.map(read_into, range(len(indices))))
        return wholly_valid(masks)

    def split(self, train_fraction: float = 0.9, interval: int | None = None) -> FrameSplit:
        """The frames to learn from and those to evaluate on.

        `train_filenames` and `test_filenames` (or `val_filenames`) of the file decide where it has them; with only
        one of the two lists the other is the rest. Else `interval` keeps every interval-th frame for evaluation,
        else `train_fraction` of the frames is learned from; both count the frames by name, as nerfstudio does.
        ValueError where the lists name frames that the file does not have, or nothing is left to learn from.
        """
        by_name = sorted(range(len(self)), key=lambda index: Path(self.file_names[index]))
        if self._lists:
            chosen = self._listed_split(by_name)
        else:
            counted = (
                split_by_interval(len(self), interval) if interval else split_by_fraction(len(self), train_fraction)
            )
            chosen = FrameSplit([by_name[index] for index in counted.train], [by_name[index] for index in counted.test])
        if not chosen.train:
            raise ValueError(f"the split of {self.file} leaves no frame to learn from")
        return chosen

    def _listed_split(self, by_name: list[int]) -> FrameSplit:
        held_out = self._lists.get("test", self._lists.get("val"))
        test = [index for index in by_name if held_out is not None and _key(self.file_names[index]) in held_out]
        excluded = set().union(*(self._lists.get(part, frozenset()) for part in ("test", "val")))
        if "train" in self._lists:
            train = [index for index in by_name if _key(self.file_names[index]) in self._lists["train"]]
        else:
            train = [index for index in by_name if _key(self.file_names[index]) not in excluded]
        if held_out is None:
            test = [index for index in by_name if index not in set(train)]
        shared = len(set(train) & set(test))
        if shared:
            warnings.warn(f"{self.file} lists {shared} frames both for training and for evaluation", stacklevel=3)
        return FrameSplit(train, test)


def _scene_name(file: Path) -> str:
    folder = file.absolute().resolve().parent.name
    return folder if file.name == "transforms.json" else f"{folder}/{file.stem}"


def _key(file_path: str) -> str:
    """One spelling for the paths of frames and of split lists."""
    return Path(file_path.replace("\\", "/")).as_posix()


def _present_frames(transforms: Transforms) -> tuple[list[FrameRecord], list[Path]]:
    """The frames whose image file exists, with its path; warns of the others once."""
    paths = [_image_path(transforms.file.parent, frame.file_path) for frame in transforms.frames]
    missing = [frame.file_path for frame, path in zip(transforms.frames, paths) if path is None]
    if missing:
        few = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        message = f"{len(missing)} of {len(paths)} images that {transforms.file} lists do not exist ({few})"
        if len(missing) == len(paths):
            raise FileNotFoundError(f"{message}; paths are relative to {transforms.file.parent}: put the images there")
        warnings.warn(f"{message}; going on without them: restore the files or remove their frames", stacklevel=4)
    present = [(frame, path) for frame, path in zip(transforms.frames, paths) if path is not None]
    return [frame for frame, _ in present], [path for _, path in present]


def _image_path(folder: Path, file_path: str) -> Path | None:
    """The image that a frame means, which instant-ngp writes without its extension and Windows with backslashes."""
    plain = folder / _key(file_path)
    candidates = [folder / file_path, plain, *(plain.with_name(plain.name + end) for end in _EXTENSIONS)]
    return next((path for path in candidates if path.is_file()), None)


def _photos(records: list[FrameRecord], paths: list[Path], max_size: int | None) -> list[_Photo]:
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        stored = list(pool.map(stored_size, paths))
    upright = [_is_upright(record, path, size) for record, path, size in zip(records, paths, stored)]
    sizes = [(size[1], size[0]) if turn else size for size, turn in zip(stored, upright)]
    shown = _reduced(_common_size(sizes, records[0].file), max_size)
    masks = mask_paths(records) or [None] * len(records)
    for mask, size in zip(masks, sizes):
        if mask is not None:
            check_mask(mask, size)
    return [
        _Photo(path, turn, window, _lens(record, size).through(window), mask)
        for record, path, turn, size, mask in zip(records, paths, upright, sizes, masks)
        for window in [centred_window(size, shown)]
    ]


def _is_upright(record: FrameRecord, path: Path, stored: tuple[int, int]) -> bool:
    """Whether the intrinsics are written for the photo as its EXIF entry turns it, and not for the stored pixels."""
    size = recorded_size(record)
    if size is None or (size[0] - size[1]) * (stored[0] - stored[1]) >= 0:
        return False
    if not is_turned(path):
        raise ValueError(
            f"{record} is recorded as {size[0]:g}x{size[1]:g}, but its image is {stored[0]}x{stored[1]}; "
            "correct 'w' and 'h', or put back the images that the poses were made from"
        )
    return True


def _common_size(sizes: list[tuple[int, int]], file: Path) -> tuple[int, int]:
    """The most frequent (width, height); warns where there are others."""
    common, count = Counter(sizes).most_common(1)[0]
    if count < len(sizes):
        warnings.warn(
            f"{len(sizes) - count} of {len(sizes)} images of {file} are not {common[0]}x{common[1]} as the others; "
            "they are cropped about their centre and resized to that",
            stacklevel=5,
        )
    return common


def _reduced(size: tuple[int, int], max_size: int | None) -> tuple[int, int]:
    if max_size is None or max(size) <= max_size:
        return size
    if max_size < 1:
        raise ValueError(f"max_size is a number of pixels from 1 on, got {max_size}")
    factor = max_size / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _lens(record: FrameRecord, size: tuple[int, int]) -> Lens:
    """The lens of the photo as it is on disk, whatever size its intrinsics were written for."""
    written_for = recorded_size(record) or size
    return lens_of(record, *written_for).scaled(size[0] / written_for[0], size[1] / written_for[1])


def _pinhole_matrices(photos: list[_Photo], records: list[FrameRecord]) -> list[Float[ndarray, "3 3"]]:
    matrices: dict[tuple[Lens, Window], Float[ndarray, "3 3"]] = {}
    for photo, record in zip(photos, records):
        key = (photo.lens, photo.window)
        if key not in matrices:
            try:
                matrices[key] = photo.lens.pinhole(photo.window.width, photo.window.height).matrix
            except ValueError as error:
                raise ValueError(f"{record}: {error}") from error
    return [matrices[photo.lens, photo.window] for photo in photos]


def _stacked(matrices: list[Float[ndarray, "side side"]]) -> Float[Tensor, "frame side side"]:
    return torch.from_numpy(np.stack(matrices)).float()


def _split_lists(transforms: Transforms) -> dict[str, frozenset[str]]:
    """The `{train,val,test}_filenames` that the file has; ValueError for names that are none of its frames."""
    known = {_key(frame.file_path) for frame in transforms.frames}
    lists: dict[str, frozenset[str]] = {}
    for part in ("train", "val", "test"):
        names = transforms.shared.get(f"{part}_filenames")
        if names is None:
            continue
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"'{part}_filenames' of {transforms.file} must be a list of file paths")
        unknown = sorted({_key(name) for name in names} - known)
        if unknown:
            raise ValueError(f"'{part}_filenames' of {transforms.file} names no frame of it: {', '.join(unknown[:3])}")
        lists[part] = frozenset(_key(name) for name in names)
    return lists
