"""Photos or a video without poses become a capture, once: found again the next time, made anew when photos change."""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tokengs_nerfstudio.core.checkpoint.registry import cache_folder
from tokengs_nerfstudio.core.errors import ExistingFileError
from tokengs_nerfstudio.core.files import FolderLock, can_write
from tokengs_nerfstudio.data.capture.writer import check_target, replaced
from tokengs_nerfstudio.data.posing.config import PosingConfig
from tokengs_nerfstudio.data.posing.finding import Found, find
from tokengs_nerfstudio.data.posing.photos import has_photos, photo_files
from tokengs_nerfstudio.data.posing.reasons import told
from tokengs_nerfstudio.data.posing.result import FILE, Record, read_record, sources, write_result
from tokengs_nerfstudio.data.posing.sfm import Progress, library
from tokengs_nerfstudio.data.posing.video import choose, is_video, survey, write_frames

Say = Callable[[str], object]

_OF_A_VIDEO = "_capture"


@dataclass(frozen=True)
class Posed:
    """A capture whose poses were found: its folder, why photos that have none have none, whether it was there
    before, and why the poses may be wrong."""

    folder: Path
    left_out: dict[str, str]
    reused: bool
    doubt: str | None


def is_unposed(path: Path) -> bool:
    """Whether a path is a video, or a folder of photos that has no transforms.json but ours."""
    if is_video(path):
        return True
    return path.is_dir() and (read_record(path) is not None or (not (path / FILE).exists() and has_photos(path)))


def posed(
    path: Path,
    config: PosingConfig | None = None,
    output: Path | None = None,
    say: Say = lambda text: None,
    progress: Progress = lambda share, text: None,
) -> Posed:
    """The capture of a video, or of a folder of photos: found where it was written before, else posed now.

    Photos stay where they are and get a transforms.json and a sparse_pc.ply beside them; a video WALK.mp4 gets a
    folder WALK_capture with its frames. Where that cannot be written they go to the cache folder; with `output` there,
    photos copied. What was posed before is used as long as none of the photos is new or has changed, and if a `config`
    is given, its settings are those of before. UserError, in one line, for photos that cannot be posed: which, why,
    and what to photograph instead.
    """
    source = _Video(path) if is_video(path) else _Folder(path)
    places = [output] if output is not None else [source.home, source.cached]
    records = [(place, read_record(place)) for place in places]
    for place, record in records:
        if record is not None and (config is None or record.made_with(config)) and source.fits(record):
            _warn(record, say)
            return Posed(place, record.left_out, True, record.doubt)
    library()
    if output is None and not can_write(source.home):
        say(f"{source.home} cannot be written to: the poses go to {source.cached}")
        places = [source.cached]
    before = next((record for _, record in records if record is not None), None)
    anew = "or the settings have changed: finding its poses anew"
    say(f"{path} {'has no poses yet: finding them' if before is None else anew}")
    settings = config or (PosingConfig() if before is None else before.config)
    found, record = source.pose(places[0], settings, say, progress)
    solution = found.solution
    say(f"{len(solution.c2w)} of {len(found.names)} photos posed, {len(solution.points)} points: {places[0]}")
    if record.left_out:
        say(f"not posed: {told(found.names, found.why)}")
    _warn(record, say)
    return Posed(places[0], record.left_out, False, record.doubt)


def _warn(record: Record, say: Say) -> None:
    if record.doubt is not None:
        say(record.doubt)


@dataclass(frozen=True)
class _Folder:
    """A folder of photos."""

    path: Path

    @property
    def home(self) -> Path:
        return self.path

    @property
    def cached(self) -> Path:
        return _in_the_cache(self.path)

    def fits(self, record: Record) -> bool:
        return not self.path.is_dir() or not has_photos(self.path) or record.fits(photo_files(self.path), self.path)

    def pose(self, place: Path, config: PosingConfig, say: Say, progress: Progress) -> tuple[Found, Record]:
        files = photo_files(self.path)
        if place == self.home:
            _refuse_what_is_not_ours(place)
            with closing(FolderLock(place, "another process poses its photos, wait for it")):
                found, record = self._find(files, config, progress)
                write_result(place, found.photos, found.names, found.solution, record)
            return found, record
        check_target(place, overwrite=True)
        found, record = self._find(files, config, progress)
        place.parent.mkdir(parents=True, exist_ok=True)
        with replaced(place) as fresh:
            kept = place == self.cached
            names = [os.fspath(file.absolute()) for file in files] if kept else _copied(files, self.path, fresh)
            write_result(fresh, found.photos, names, found.solution, record, ours=True)
        return found, record

    def _find(self, files: Sequence[Path], config: PosingConfig, progress: Progress) -> tuple[Found, Record]:
        before = sources(files, self.path)
        found = find(files, self.path, config, progress)
        return found, Record.of(config, before, found.left_out, found.doubt)


@dataclass(frozen=True)
class _Video:
    """A video file."""

    path: Path

    @property
    def home(self) -> Path:
        return self.path.with_name(self.path.stem + _OF_A_VIDEO)

    @property
    def cached(self) -> Path:
        return _in_the_cache(self.path)

    def fits(self, record: Record) -> bool:
        return not self.path.is_file() or record.fits([self.path], self.path.parent)

    def pose(self, place: Path, config: PosingConfig, say: Say, progress: Progress) -> tuple[Found, Record]:
        check_target(place, overwrite=True)
        before = sources([self.path], self.path.parent)
        say(f"looking through {self.path}")
        frames = choose(survey(self.path), config.frames)
        say(f"{len(frames)} frames chosen by sharpness and motion")
        place.parent.mkdir(parents=True, exist_ok=True)
        with replaced(place) as fresh:
            files = write_frames(self.path, frames, fresh / "images")
            found = find(files, fresh, config, progress)
            record = Record.of(config, before, found.left_out, found.doubt)
            write_result(fresh, found.photos, found.names, found.solution, record, ours=True)
        return found, record


def _refuse_what_is_not_ours(folder: Path) -> None:
    """ExistingFileError where photos have poses from elsewhere beside them."""
    if (folder / FILE).exists() and read_record(folder) is None:
        raise ExistingFileError(
            f"{folder / FILE} was not made by posing these photos: take it away, or name another folder (--output)"
        )


def _in_the_cache(path: Path) -> Path:
    stamp = hashlib.sha256(os.fspath(path.absolute()).encode()).hexdigest()[:12]
    return cache_folder() / "posed" / f"{path.absolute().name[:64]}-{stamp}"


def _copied(files: Sequence[Path], folder: Path, target: Path) -> list[str]:
    """Copies photos to the folder images of `target`, and what their names are there."""
    names = []
    for file in files:
        inner = file.relative_to(folder).as_posix()
        names.append(inner if inner.startswith("images/") else f"images/{inner}")
        (target / names[-1]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / names[-1])
    return names
