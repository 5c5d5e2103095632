"""Smaller copies of a capture's photos and masks, in folders beside them: images_2, masks_2, images_4, ..."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from tokengs_nerfstudio.core.errors import MissingFileError, UserError, in_short
from tokengs_nerfstudio.data.capture.images import stored_size

_log = logging.getLogger(__name__)

_LARGEST_AUTOMATIC_SIDE = 1600


def automatic_factor(folder: Path, photos: Sequence[Path]) -> int:
    """The first of 1, 2, 4, ... by which photos become at most 1600 pixels long, as far as there are such folders."""
    first = next((photo for photo in photos if os.path.isfile(photo)), None)
    if first is None:
        return 1
    longest, factor = max(stored_size(first)), 1
    while longest / factor > _LARGEST_AUTOMATIC_SIDE:
        if not any(os.path.isfile(file) for file in _places(first, folder, "images", 2 * factor)):
            break
        factor *= 2
    if factor > 1:
        _log.info(f"Reading images_{factor} of {folder}: the full photos are {longest} pixels long")
    return factor


def reduced_photos(full: Sequence[Path], folder: Path, factor: int) -> list[Path]:
    """The files that are read for the full-size photos of the capture in `folder`.

    images_N has the folders of images, or all photos beside each other. ValueError for a factor below 1, and where one
    reduced photo would stand for several of one name, FileNotFoundError where there is no such folder.
    """
    if factor < 1:
        raise UserError(f"the factor that photos are reduced by must be 1 or more, got {factor}")
    if factor == 1:
        return list(full)
    if not (folder / f"images_{factor}").is_dir():
        raise MissingFileError(
            f"there is no folder images_{factor} in {folder}; make it (ns-process-data does), or read the full photos "
            "(--downscale-factor 1)"
        )
    return _reduced(full, folder, "images", factor)


def reduced_masks(full: Sequence[Path | None], folder: Path, factor: int) -> list[Path | None]:
    """The files that are read for full-size masks: those of masks_N, or the full ones, which whoever reads reduces."""
    if factor == 1 or not (folder / f"masks_{factor}").is_dir():
        return list(full)
    given = [mask for mask in full if mask is not None]
    found = dict(zip(given, _reduced(given, folder, "masks", factor)))
    return [None if mask is None else found[mask] for mask in full]


def _reduced(full: Sequence[Path], folder: Path, kind: str, factor: int) -> list[Path]:
    places = [_places(file, folder, kind, factor) for file in full]
    found = [next((place for place in tried if os.path.isfile(place)), tried[0]) for tried in places]
    owners: dict[Path, set[str]] = {}
    for whole, file in zip(full, found):
        owners.setdefault(file, set()).add(os.path.realpath(whole))
    shared = [str(file) for file, owned_by in owners.items() if len(owned_by) > 1 and os.path.isfile(file)]
    if shared:
        raise UserError(
            f"{kind}_{factor} of {folder} has one file for several of one name ({in_short(shared)}); give it the "
            f"folders that {kind} has"
        )
    return found


def _places(full: Path, folder: Path, kind: str, factor: int) -> list[Path]:
    """Where the smaller copy of a file may be: in the same folders, then beside all others."""
    reduced = folder / f"{kind}_{factor}"
    beside = reduced / full.name
    try:
        parts = Path(os.path.normpath(full)).relative_to(os.path.normpath(folder)).parts
    except ValueError:
        return [beside]
    return [beside] if len(parts) < 3 else [reduced.joinpath(*parts[1:]), beside]
