"""The frames of a capture on disk: which photo each one means, through which lens it was taken, from where and when."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.data.capture.images import is_turned, stored_size
from tokengs_nerfstudio.data.capture.lens import Lens
from tokengs_nerfstudio.data.capture.split import (
    DEFAULT_SPLIT,
    FrameSplit,
    SplitLists,
    SplitRule,
    split_frames,
    split_lists,
)
from tokengs_nerfstudio.data.capture.transforms_json import (
    FrameRecord,
    Transforms,
    camera_to_world,
    frame_times,
    in_short,
    lens_of,
    mask_paths,
    recorded_size,
    slashed,
)

_log = logging.getLogger(__name__)

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".PNG", ".JPG", ".JPEG", ".WEBP")
_LARGEST_AUTOMATIC_SIDE = 1600
THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class CaptureFrame:
    """One photo and its camera, as they are on disk: neither cropped nor undistorted.

    `size` is the photo's (width, height) as its lens means it: of the stored pixels, or where `turned` of the photo
    as its EXIF entry turns it. `c2w` is the OpenCV camera-to-world in the file's world and units. `mask` is 0 where a
    pixel is to be ignored. `time` lies in [0, 1] over the frames of the capture.
    """

    record: FrameRecord
    image: Path
    size: tuple[int, int]
    turned: bool
    lens: Lens
    c2w: Float[ndarray, "4 4"]
    mask: Path | None
    time: float | None

    @property
    def file_path(self) -> str:
        return self.record.file_path


@dataclass(frozen=True)
class CaptureFrames:
    """What is there of a capture: its frames in the order of the file, and the splits that the file names."""

    transforms: Transforms
    frames: list[CaptureFrame]
    lists: SplitLists

    def split(self, rule: SplitRule = DEFAULT_SPLIT) -> FrameSplit:
        """`split_frames` of these frames: positions in `frames`, in order of file name."""
        return split_frames(self.lists, [frame.file_path for frame in self.frames], rule)


def read_frames(
    transforms: Transforms, downscale_factor: int | None = 1, cameras_suffice: bool = False
) -> CaptureFrames:
    """The frames of a file whose photo exists; says once which do not. Reads the photos' headers, none of the masks.

    With a `downscale_factor` of N the photos are those of the folder images_N and their masks those of masks_N; None
    stands for the first of 1, 2, 4, ... whose photos are at most 1600 pixels long, as far as there are such folders.
    With `cameras_suffice` a file without any photo has all its frames, if it says how large the photos were.

    FileNotFoundError where there is no photo at all, ValueError (naming file and frame) for missing or senseless
    fields, impossible poses, unknown camera models, unreadable photos and split lists that fit no frame.
    """
    lists = split_lists(transforms)
    folder = transforms.file.parent
    photos = [_photo(folder, record.file_path) for record in transforms.frames]
    factor = _automatic_factor(folder, photos) if downscale_factor is None else downscale_factor
    photos = [_reduced(photo, folder, "images", factor) for photo in photos]
    records, photos = _present(transforms, photos, cameras_suffice)
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        sizes = list(pool.map(_size, records, photos))
    masks = mask_paths(records) or []
    masks = [_reduced(mask, folder, "masks", factor) for mask in masks] or [None] * len(records)
    times = frame_times(records)
    moments = [None] * len(records) if times is None else times.tolist()
    frames = [
        CaptureFrame(record, photo, size, turned, _lens(record, size, factor), camera_to_world(record), mask, time)
        for record, photo, (size, turned), mask, time in zip(records, photos, sizes, masks, moments)
    ]
    return CaptureFrames(transforms, frames, lists)


def _photo(folder: Path, file_path: str) -> Path:
    """The photo that a frame means, which instant-ngp writes without its suffix and Windows with backslashes."""
    plain = folder / slashed(file_path)
    candidates = [folder / file_path, plain, *(Path(f"{plain}{suffix}") for suffix in _SUFFIXES)]
    return next((path for path in candidates if path.is_file()), plain)


def _reduced(full: Path, folder: Path, kind: str, factor: int) -> Path:
    """The file that is read for a full-size photo (or mask) of the capture in `folder`."""
    return full if factor == 1 else folder / f"{kind}_{factor}" / full.name


def _automatic_factor(folder: Path, photos: list[Path]) -> int:
    first = next((photo for photo in photos if photo.is_file()), None)
    if first is None:
        return 1
    longest, factor = max(stored_size(first)), 1
    while longest / factor > _LARGEST_AUTOMATIC_SIDE and (folder / f"images_{2 * factor}" / first.name).is_file():
        factor *= 2
    if factor > 1:
        _log.info(f"Reading images_{factor} of {folder}: the full photos are {longest} pixels long")
    return factor


def _present(transforms: Transforms, photos: list[Path], cameras_suffice: bool) -> tuple[list[FrameRecord], list[Path]]:
    """The frames whose photo exists, and their photos; says how many others there are."""
    there = [photo.is_file() for photo in photos]
    if all(there):
        return transforms.frames, photos
    missing = [record.file_path for record, is_there in zip(transforms.frames, there) if not is_there]
    message = f"{len(missing)} of {len(photos)} images that {transforms.file} lists do not exist ({in_short(missing)})"
    if any(there):
        _log.warning(f"{message}; going on without them: restore the files or remove their frames")
        return list(compress(transforms.frames, there)), list(compress(photos, there))
    if cameras_suffice and all(recorded_size(record) is not None for record in transforms.frames):
        _log.warning(f"{message}: only its cameras can be used")
        return transforms.frames, photos
    raise FileNotFoundError(
        f"{message}; the first was looked for at {photos[0]}: put the images there, or correct the file_path entries"
    )


def _size(record: FrameRecord, photo: Path) -> tuple[tuple[int, int], bool]:
    """(width, height) of a photo as its intrinsics mean it, and whether that is the photo as EXIF turns it.

    Stored pixels are taken as they are where the file does not say otherwise.
    """
    recorded = recorded_size(record)
    if recorded is not None and not photo.is_file():
        return (round(recorded[0]), round(recorded[1])), False
    stored = stored_size(photo)
    if recorded is None or (recorded[0] - recorded[1]) * (stored[0] - stored[1]) >= 0:
        return stored, False
    if not is_turned(photo):
        raise ValueError(
            f"{record} is recorded as {recorded[0]:g}x{recorded[1]:g}, but {photo} is {stored[0]}x{stored[1]}; "
            "correct 'w' and 'h', or put back the images that the poses were made from"
        )
    return (stored[1], stored[0]), True


def _lens(record: FrameRecord, size: tuple[int, int], factor: int) -> Lens:
    """The lens of the photo as it is on disk, whatever size its intrinsics were written for."""
    written_for = recorded_size(record) or (factor * size[0], factor * size[1])
    return lens_of(record, *written_for).scaled(size[0] / written_for[0], size[1] / written_for[1])
