"""Which captures there are, what they are called, and what of them decides a result."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.unpacking import scene_at
from tokengs_nerfstudio.evaluation.results import file_name

_LIST = ".txt"


@dataclass(frozen=True)
class Capture:
    """One capture, or scene of a data set, by a name that no other has."""

    name: str
    """that of its folder of results"""
    path: Path
    """absolute, as `--data` of ns-train takes it"""

    def content(self) -> str:
        """A hash of what is in its files: of transforms.json, and of the sizes and times of change of its photos.

        Never fails: what cannot be read has a hash as well.
        """
        file = self.path if self.path.suffix == ".json" else self.path / "transforms.json"
        found = hashlib.sha256()
        try:
            found.update(file.read_bytes())
        except OSError:
            return hashlib.sha256(repr(sorted(_states(self.path))).encode()).hexdigest()[:32]
        for folder in sorted(_photo_folders(file)):
            found.update(repr(sorted(_states(folder))).encode())
        return found.hexdigest()[:32]


def captures_of(paths: Sequence[Path]) -> list[Capture]:
    """All captures that `paths` stand for, each once, in that order.

    A path is a capture, a scene of a data set, a folder with captures in its folders, or a .txt file of such paths
    (relative ones from where it lies). Names are the last parts of paths, as many as tell all of them apart.
    MissingFileError for what is none of these.
    """
    found = list(dict.fromkeys(path for given in paths for path in _below(given)))
    return [Capture(name, path) for name, path in zip(_names(found), found)]


def _below(path: Path) -> Iterator[Path]:
    if path.suffix == _LIST and path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip() and not line.startswith("#"):
                yield from _below(path.parent / line.strip())
        return
    path = Path(os.path.abspath(path.parent if path.name == "transforms.json" else path))
    if path.suffix == ".json" or (path / "transforms.json").is_file() or scene_at(path) is not None:
        yield path
        return
    inner = sorted(file.parent for file in path.glob("*/transforms.json"))
    if not inner:
        raise MissingFileError(
            f"{path} is no capture: neither it nor any folder in it has a transforms.json, nor is it a scene of a "
            "data set"
        )
    yield from inner


def _names(paths: Sequence[Path]) -> list[str]:
    names = [_name(path, 1) for path in paths]
    for parts in range(2, 1 + max((len(path.parts) for path in paths), default=0)):
        often = Counter(names)
        if len(often) == len(names):
            break
        names = [_name(path, parts) if often[name] > 1 else name for name, path in zip(names, paths)]
    if len(set(names)) < len(names):
        raise UserError(f"two captures are called {Counter(names).most_common(1)[0][0]}: rename one of them")
    return names


def _name(path: Path, parts: int) -> str:
    whole = path.with_suffix("") if path.suffix in (".json", ".zip") else path
    return file_name("_".join(whole.parts[-parts:]))


def _photo_folders(file: Path) -> set[Path]:
    """The folders that a transforms.json names files in, and reduced ones beside them (images_2, images_4, ...)."""
    try:
        content = json.loads(file.read_bytes())
        records = [content, *content["frames"]]
        named = {str(record[key]) for record in records for key in ("file_path", "mask_path") if record.get(key)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()
    folders = {(file.parent / name.replace("\\", "/")).parent for name in named}
    return folders | {inner for folder in folders for inner in folder.parent.glob(f"{folder.name}_*")}


def _states(path: Path) -> Iterator[tuple[str, int, int]]:
    """Names, sizes and times of change of the files of a folder, or of the one file (of a chunk#key too)."""
    file = Path(str(path).partition("#")[0])
    entries = file.iterdir() if file.is_dir() else [file]
    for entry in entries:
        if entry.is_file():
            state = entry.stat()
            yield entry.name, state.st_size, state.st_mtime_ns
