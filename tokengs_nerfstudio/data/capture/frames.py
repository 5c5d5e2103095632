"""The frames of a capture on disk: which photo each one means, through which lens it was taken, from where and when."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.core.camera_checks import check_positions
from tokengs_nerfstudio.core.errors import MissingFileError, UserError, in_short, printable
from tokengs_nerfstudio.data.capture.images import is_turned, stored_size
from tokengs_nerfstudio.data.capture.intrinsics import is_of_the_turned, lens_of, recorded_size
from tokengs_nerfstudio.data.capture.lens import Lens
from tokengs_nerfstudio.data.capture.poses import camera_to_world, check_axes
from tokengs_nerfstudio.data.capture.reduced import automatic_factor, reduced_masks, reduced_photos
from tokengs_nerfstudio.data.capture.same_photo import one_name_each
from tokengs_nerfstudio.data.capture.split import (
    DEFAULT_SPLIT,
    FrameSplit,
    SplitLists,
    SplitRule,
    split_frames,
    split_lists,
)
from tokengs_nerfstudio.data.capture.transforms_json import FrameRecord, Transforms, frame_times, mask_paths, slashed

_log = logging.getLogger(__name__)

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".PNG", ".JPG", ".JPEG", ".WEBP")
_SMALLEST_SIDE = 4
# By how much a photo may differ in shape from what is recorded: rounding, or this share of a side.
_ROUNDING, _SAME_SHAPE = 2.0, 0.005
# What to do about a principal point of a photo turned by a quarter.
_TURN, _OWN_CENTRE = "give 'w' and 'h' of the turned photo", "correct them, or give the frame 'cx' and 'cy' of its own"
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
        return split_frames(self.lists, [frame.file_path for frame in self.frames], rule, self.files)

    @cached_property
    def files(self) -> list[str]:
        """One name for each photo, whatever links, spellings and copies there are of it."""
        taken = [(frame.c2w.tobytes(), frame.time) for frame in self.frames]
        return one_name_each([frame.image for frame in self.frames], taken)


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
    full = [_photo(folder, record.file_path) for record in transforms.frames]
    factor = automatic_factor(folder, full) if downscale_factor is None else downscale_factor
    photos = reduced_photos(full, folder, factor)
    there = _present(transforms, photos, cameras_suffice)
    records = list(compress(transforms.frames, there))
    full, photos = list(compress(full, there)), list(compress(photos, there))
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        sizes = list(pool.map(_size, records, photos))
    masks = reduced_masks(mask_paths(records), folder, factor)
    times = frame_times(records)
    moments = [None] * len(records) if times is None else times.tolist()
    frames = [
        CaptureFrame(record, photo, size, turned, _lens(record, size, whole, factor), camera_to_world(record), mask, at)
        for record, whole, photo, (size, turned), mask, at in zip(records, full, photos, sizes, masks, moments)
    ]
    found = CaptureFrames(transforms, frames, lists)
    _check_together(found)
    _check_masks(found)
    _say_what_is_not_held_out(found)
    return found


def _check_masks(found: CaptureFrames) -> None:
    """Whether all frames have masks or none; those that are held out may do without."""
    with_mask = [frame for frame in found.frames if frame.mask is not None]
    for frame in found.frames:
        if with_mask and frame.mask is None and not found.lists.holds_out(frame.file_path):
            raise UserError(f"{frame.record} has no 'mask_path' though other frames have; give it to all or to none")


def _check_together(found: CaptureFrames) -> None:
    """What frames say of each other: their positions, and photos that several of them mean."""
    frames, file = found.frames, found.transforms.file
    check_axes([frame.record for frame in frames])
    positions = np.stack([frame.c2w[:3, 3] for frame in frames])
    check_positions(positions, [frame.file_path for frame in frames], file)
    first: dict[str, CaptureFrame] = {}
    again: list[str] = []
    moved: list[str] = []
    for frame, photo in zip(frames, found.files):
        before = first.setdefault(photo, frame)
        if before is not frame:
            again.append(frame.file_path)
            if not np.allclose(before.c2w, frame.c2w):
                moved.append(frame.file_path)
    if again:
        poses = f"; {len(moved)} of them with different poses ({in_short(moved)})" if moved else ""
        _log.warning(
            f"{file} lists {len(again)} photos more than once ({in_short(again)}){poses}: all frames of a "
            "photo are learned from, or all held out; remove those that are not meant"
        )


def _say_what_is_not_held_out(found: CaptureFrames) -> None:
    named = found.lists.held_out
    if named and not any(found.lists.holds_out(frame.file_path) for frame in found.frames):
        _log.warning(
            f"none of the {len(named)} photos that {found.transforms.file} keeps for evaluation exists: "
            "nothing is held out"
        )


def _photo(folder: Path, file_path: str) -> Path:
    """The photo that a frame means, which instant-ngp writes without its suffix and Windows with backslashes and with
    suffixes in small or capital letters."""
    plain = folder / slashed(file_path)
    candidates = [folder / file_path, plain, *(Path(f"{plain}{suffix}") for suffix in _SUFFIXES)]
    if plain.suffix:
        candidates += [plain.with_suffix(plain.suffix.upper()), plain.with_suffix(plain.suffix.lower())]
    return next((path for path in candidates if os.path.isfile(path)), plain)


def _present(transforms: Transforms, photos: list[Path], cameras_suffice: bool) -> list[bool]:
    """Which frames' photo exists; says how many do not. All count where none exists and their cameras suffice."""
    there = [os.path.isfile(photo) for photo in photos]
    if all(there):
        return there
    missing = [record.file_path for record, is_there in zip(transforms.frames, there) if not is_there]
    message = f"{len(missing)} of {len(photos)} images that {transforms.file} lists do not exist ({in_short(missing)})"
    if any(there):
        _log.warning(f"{message}; going on without them: restore the files or remove their frames")
        return there
    if cameras_suffice and all(recorded_size(record) is not None for record in transforms.frames):
        _log.warning(f"{message}: only its cameras can be used")
        return [True] * len(there)
    raise MissingFileError(
        f"{message}; the first was looked for at {photos[0]}: put the images there, or correct the file_path entries"
    )


def _size(record: FrameRecord, photo: Path) -> tuple[tuple[int, int], bool]:
    """(width, height) of a photo as its intrinsics mean it, and whether that is the photo as EXIF turns it.

    Stored pixels are taken as they are where the file does not say otherwise.
    """
    recorded = recorded_size(record)
    if recorded is not None and not os.path.isfile(photo):
        return (round(recorded[0]), round(recorded[1])), False
    stored = stored_size(photo)
    if min(stored) < _SMALLEST_SIDE:
        raise UserError(f"the photo {photo} is too small: {stored[0]}x{stored[1]} pixels; remove its frame")
    if recorded is None:
        return stored, False
    turned = (recorded[0] - recorded[1]) * (stored[0] - stored[1]) < 0
    size = (stored[1], stored[0]) if turned else stored
    if not _same_shape(recorded, size) or (turned and not is_turned(photo)):
        raise UserError(
            f"{record} is recorded as {recorded[0]:g}x{recorded[1]:g}, but {photo} is {stored[0]}x{stored[1]}; "
            "correct 'w' and 'h', or put back the images that the poses were made from"
        )
    return size, turned


def _same_shape(recorded: tuple[float, float], size: tuple[int, int]) -> bool:
    """Whether a photo of `size` is one of the recorded size, made smaller or larger."""
    scale = (size[0] / recorded[0] + size[1] / recorded[1]) / 2
    return all(abs(scale * a - b) <= max(_ROUNDING, _SAME_SHAPE * b) for a, b in zip(recorded, size))


def _lens(record: FrameRecord, size: tuple[int, int], full: Path, factor: int) -> Lens:
    """The lens of the photo as it is on disk, whatever size its intrinsics were written for."""
    recorded = recorded_size(record, size)
    known = factor != 1 and os.path.isfile(full)
    written_for = recorded or (stored_size(full) if known else (factor * size[0], factor * size[1]))
    lens = lens_of(record, *written_for)
    if is_of_the_turned(lens, written_for):
        raise UserError(
            f"'cx' and 'cy' of {record} are the middle of a photo turned by a quarter, {printable(full.name)} has "
            f"{written_for[0]:g}x{written_for[1]:g} pixels as it is {'stored' if recorded is None else 'recorded'}; "
            f"{_TURN if recorded is None else _OWN_CENTRE}"
        )
    return lens.scaled(size[0] / written_for[0], size[1] / written_for[1])
