"""Which files are one and the same photo: by what leads to them, and by what is in them."""

import filecmp
import os
from collections.abc import Hashable, Sequence
from pathlib import Path


def one_name_each(photos: Sequence[Path], taken: Sequence[Hashable]) -> list[str]:
    """The file of each photo by one name, whatever spellings, symbolic and hard links lead to it.

    Copies have one name too, where they are of a photo `taken` alike (from where, and when): pictures that show
    nothing are alike wherever they were taken. Files that do not exist have names of their own.
    """
    first: dict[Hashable, str] = {}
    names = [first.setdefault(_identity(photo), os.path.realpath(photo)) for photo in photos]
    kept: dict[Hashable, list[str]] = {}
    return [_of_the_alike(name, kept.setdefault((how, _size(name)), [])) for name, how in zip(names, taken)]


def _of_the_alike(name: str, others: list[str]) -> str:
    """The one of `others`, all as large as the file, that it is or is a copy of; itself, from now on one of them."""
    for other in others:
        if other == name or (os.path.isfile(name) and filecmp.cmp(other, name, shallow=False)):
            return other
    others.append(name)
    return name


def _identity(photo: Path) -> Hashable:
    """What the system knows a file by; its name where there is none, or on a disk that keeps no such numbers."""
    try:
        about = photo.stat()
    except OSError:
        return os.path.realpath(photo)
    return (about.st_dev, about.st_ino) if about.st_ino else os.path.realpath(photo)


def _size(name: str) -> int | None:
    return os.path.getsize(name) if os.path.isfile(name) else None
