"""A posing's result on disk: nerfstudio's transforms.json and the points, and what it was made from."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.files import replacing, write_text
from tokengs_nerfstudio.core.ranges import check
from tokengs_nerfstudio.data.capture.writer import WRITTEN_BY
from tokengs_nerfstudio.data.posing.config import PosingConfig
from tokengs_nerfstudio.data.posing.orientation import upright
from tokengs_nerfstudio.data.posing.photos import Photo, digests
from tokengs_nerfstudio.data.posing.solution import Solution, SolvedLens

FILE, POINTS = "transforms.json", "sparse_pc.ply"
_RECORD = "posed_from"


@dataclass(frozen=True)
class Source:
    """A file that poses were made from, as it was then."""

    name: str
    size: int
    modified: int
    """nanoseconds since 1970"""
    sha256: str


def sources(files: Sequence[Path], folder: Path) -> list[Source]:
    """Files in `folder` as they are now."""
    names = [file.relative_to(folder).as_posix() for file in files]
    states = [file.stat() for file in files]
    return [
        Source(name, state.st_size, state.st_mtime_ns, digest)
        for name, state, digest in zip(names, states, digests(files))
    ]


@dataclass(frozen=True)
class Record:
    """What a capture was posed from: the settings and all files, those without a pose too; `left_out` says of these
    why they have none, `doubt` why the poses may be wrong."""

    settings: dict[str, Any]
    files: list[Source]
    left_out: dict[str, str]
    doubt: str | None = None

    @staticmethod
    def of(config: PosingConfig, files: list[Source], left_out: dict[str, str], doubt: str | None = None) -> "Record":
        """With the settings that poses depend on."""
        settings = asdict(config)
        del settings["threads"]
        return Record(settings, files, left_out, doubt)

    @property
    def config(self) -> PosingConfig:
        """The settings as they were; the usual ones where the file was edited to what they cannot be."""
        try:
            config = PosingConfig(**self.settings)
            check(config)
        except (TypeError, UserError):
            return PosingConfig()
        return config

    def made_with(self, config: PosingConfig) -> bool:
        """Whether these are the settings."""
        return self.settings == Record.of(config, [], {}).settings

    def fits(self, files: Sequence[Path], folder: Path) -> bool:
        """Whether the files in `folder` are those of then, as far as they are there: none is new, none has changed."""
        known = {source.name: source for source in self.files}
        doubtful = []
        for file in files:
            source = known.get(file.relative_to(folder).as_posix())
            state = file.stat()
            if source is None or source.size != state.st_size:
                return False
            if source.modified != state.st_mtime_ns:
                doubtful.append((file, source.sha256))
        return digests([file for file, _ in doubtful]) == [digest for _, digest in doubtful]


def read_record(folder: Path) -> Record | None:
    """The record of the capture in `folder`; None where it has none: nothing there, or a capture from elsewhere."""
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))[_RECORD]
        files = [Source(**source) for source in record["files"]]
        return Record(record["settings"], files, record["left_out"], record.get("doubt"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_result(
    folder: Path,
    photos: Sequence[Photo | None],
    names: Sequence[str],
    solution: Solution,
    record: Record,
    ours: bool = False,
) -> None:
    """transforms.json and sparse_pc.ply in `folder`; `names` is what the first calls the photos.

    `ours` says that nothing else is in the folder but what this package put there: what it writes to it later replaces
    all of it. Folders of people's own photos are not.
    The old transforms.json goes before the new points come: whenever the process is killed, the two fit together.
    """
    up = record.settings["up"]
    placed = sorted(solution.c2w)
    turn = upright(np.stack([solution.c2w[index] for index in placed]), up)
    mark = {"written_by": WRITTEN_BY} if ours else {}
    content = {**mark, **_cameras(photos, names, solution, placed, turn), "ply_file_path": POINTS}
    if up != "top":
        content["orientation_override"] = "none"  # or the reader would turn it as most photos stand
    content[_RECORD] = asdict(record)
    try:
        (folder / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {folder / FILE}: {error.strerror}") from error
    write_points(folder / POINTS, solution.points @ turn.T, solution.colors)
    write_text(folder / FILE, json.dumps(content, indent=1))


def _cameras(
    photos: Sequence[Photo | None],
    names: Sequence[str],
    solution: Solution,
    placed: list[int],
    turn: Float[ndarray, "3 3"],
) -> dict[str, Any]:
    lenses = [_lens(photo, solution.lenses[index]) for index in placed if (photo := photos[index]) is not None]
    shared = lenses[0] if all(lens == lenses[0] for lens in lenses) else {}
    frames: list[dict[str, Any]] = []
    for index, lens in zip(placed, lenses):
        c2w = solution.c2w[index].copy()
        c2w[:3] = turn @ c2w[:3]
        c2w[:3, 1:3] *= -1  # OpenGL's axes
        frames.append({"file_path": names[index], **({} if shared else lens), "transform_matrix": c2w.tolist()})
    return {**shared, "frames": frames}


def _lens(photo: Photo, lens: SolvedLens) -> dict[str, Any]:
    """The fields of a photo's lens, in its own pixels."""
    scale = [whole / small for whole, small in zip(photo.size, lens.size)]
    axes = {"fl_x": 0, "fl_y": 1, "cx": 0, "cy": 1}
    numbers = {name: value * scale[axes[name]] if name in axes else value for name, value in lens.numbers.items()}
    model = "OPENCV_FISHEYE" if lens.fisheye else "OPENCV"
    return {"camera_model": model, "w": photo.size[0], "h": photo.size[1], **numbers}


def write_points(path: Path, points: Float[ndarray, "point 3"], colors: UInt8[ndarray, "point 3"]) -> None:
    """Coloured points as a binary PLY file, whole or not at all."""
    rows = np.empty(len(points), [*((name, "<f4") for name in "xyz"), *((name, "u1") for name in _COLORS)])
    for column, name in enumerate("xyz"):
        rows[name] = points[:, column]
    for column, name in enumerate(_COLORS):
        rows[name] = colors[:, column]
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    head += [f"property float {name}" for name in "xyz"] + [f"property uchar {name}" for name in _COLORS]
    with replacing(path) as scratch:
        scratch.write_bytes("\n".join([*head, "end_header\n"]).encode() + rows.tobytes())


_COLORS = ("red", "green", "blue")
