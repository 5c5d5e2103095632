"""Photos on disk before they are posed: which files are photos, what their EXIF entries say, whether they changed."""

import hashlib
import math
import os
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.capture.frames import THREADS
from tokengs_nerfstudio.data.capture.images import asks_to_be_turned, opened

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm")
_UNREAD_SUFFIXES = (".heic", ".heif", ".avif", ".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2")
# Folders of a capture that hold no photos of their own.
_NO_PHOTOS = ("masks", "depth", "depths", "sparse", "colmap")
_MAKE, _MODEL, _EXIF, _FOCAL, _FOCAL_OF_35MM = 0x010F, 0x0110, 0x8769, 0x920A, 0xA405
_DIAGONAL_OF_35MM = math.hypot(36, 24)


@dataclass(frozen=True)
class Photo:
    """A photo file: its path, its name in its folder, and (width, height) as it is looked at: turned by a quarter
    where `turned`, as its EXIF entry asks.

    `device` is what EXIF says of make, model and focal length; `focal` the focal length in pixels, None where EXIF
    has none.
    """

    path: Path
    name: str
    size: tuple[int, int]
    turned: bool
    device: tuple[str, ...]
    focal: float | None


def photo_files(folder: Path) -> list[Path]:
    """The photos of a folder in order of name: those in it, else those of its folder images, else of all its folders.

    UserError where there are none that can be read.
    """
    directly = _photos_in(folder)
    found = directly or _photos_in(folder / "images") or _photos_below(folder)
    if found:
        return found
    other = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _UNREAD_SUFFIXES]
    if other:
        raise UserError(
            f"the {len(other)} photos of {folder} are {other[0].suffix} files, which cannot be read here; save them as "
            "JPEG or PNG in full size"
        )
    raise UserError(f"there are no photos in {folder} (looked for {', '.join(_SUFFIXES)}); name the folder of yours")


def has_photos(folder: Path) -> bool:
    """Whether `photo_files` finds any."""
    return bool(folder.is_dir() and (_photos_in(folder) or _photos_in(folder / "images") or _photos_below(folder)))


def read_photo(path: Path, folder: Path) -> Photo:
    """What the header of a photo in `folder` says; UserError where it cannot be read."""
    with opened(path) as image:
        exif, own = image.getexif(), {}
        with suppress(OSError, SyntaxError, ValueError, EOFError, struct.error):
            own = exif.get_ifd(_EXIF)
        turned = asks_to_be_turned(exif)
        width, height = image.size
    size = (height, width) if turned else (width, height)
    device, focal = _lens(exif, own, size)
    return Photo(path, path.relative_to(folder).as_posix(), size, turned, device, focal)


def digests(files: Sequence[Path]) -> list[str]:
    """A hash of each file's content."""
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return list(pool.map(_digest, files))


def _digest(file: Path) -> str:
    found = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(2**20):
            found.update(block)
    return found.hexdigest()[:32]


def _photos_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _is_photo(path))


def _photos_below(folder: Path) -> list[Path]:
    """The photos of all folders in one that does not hold captures or scenes of data sets, whose photos have poses."""
    if not folder.is_dir() or any(folder.glob("*/transforms.json")):
        return []
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and _may_hold_photos(name))
        found += sorted(path for path in (Path(place, name) for name in names) if _is_photo(path))
    return found


def _may_hold_photos(folder: str) -> bool:
    return folder not in _NO_PHOTOS and not folder.startswith(("images_", "masks_"))


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()


def _lens(exif: Image.Exif, own: Mapping[int, Any], size: tuple[int, int]) -> tuple[tuple[str, ...], float | None]:
    """Make, model and focal length of a photo's EXIF entries, of which `own` are the camera's, and the focal length in
    pixels of its `size`."""
    device = tuple(str(value).strip("\0 ") for value in (exif.get(_MAKE, ""), exif.get(_MODEL, "")))
    millimetres, of_35mm = _number(own.get(_FOCAL)), _number(own.get(_FOCAL_OF_35MM))
    focal = None if of_35mm is None else of_35mm / _DIAGONAL_OF_35MM * math.hypot(*size)
    return (*device, f"{millimetres or 0:.2f}", f"{of_35mm or 0:.1f}"), focal


def _number(value: Any) -> float | None:
    """A positive number of an EXIF entry; None for what is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None
