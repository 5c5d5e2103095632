"""From photo files to their poses, or to one message why there are none."""

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.capture.frames import THREADS
from tokengs_nerfstudio.data.posing.config import PosingConfig
from tokengs_nerfstudio.data.posing.doubts import doubt
from tokengs_nerfstudio.data.posing.photos import Photo, read_photo
from tokengs_nerfstudio.data.posing.pictures import Picture, prepare
from tokengs_nerfstudio.data.posing.reasons import WORDS, Reason, advice, mostly_turns, reasons, told
from tokengs_nerfstudio.data.posing.sfm import LEAST_PHOTOS, Progress, solve
from tokengs_nerfstudio.data.posing.solution import Solution

Solver = Callable[[Path, dict[int, Picture], PosingConfig, Progress], Solution]

# Of fewer of the photos nothing is made: most of what was photographed would be missing.
_LEAST_SHARE = 0.25
# Fewer than these are chance.
_POINTS_A_PHOTO = 10


@dataclass(frozen=True)
class Found:
    """The photos of a capture, None for those that cannot be read; where they were taken from; why not; what speaks
    against the poses."""

    names: list[str]
    photos: list[Photo | None]
    solution: Solution
    why: dict[int, Reason]

    @property
    def left_out(self) -> dict[str, str]:
        """The names of the photos without a pose, and the reasons in words."""
        return {self.names[index]: WORDS[reason][0] for index, reason in self.why.items()}

    @property
    def doubt(self) -> str | None:
        """Why the poses may be wrong, in one line; None where nothing says so."""
        found = doubt(self.solution)
        return None if found is None else found.told(self.names)


def find(
    files: Sequence[Path], folder: Path, config: PosingConfig, progress: Progress, solver: Solver = solve
) -> Found:
    """The poses of photos in `folder`; UserError, in one line, where fewer than three or a quarter get one."""
    names = [file.relative_to(folder).as_posix() for file in files]
    if len(files) < LEAST_PHOTOS:
        raise UserError(
            f"{folder} has {len(files)} photo{'s' * (len(files) != 1)} ({', '.join(names)}): poses need at least "
            f"{LEAST_PHOTOS} that overlap; take 15 or more while you walk around the subject"
        )
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        photos = list(pool.map(partial(_read, folder=folder), files))
    with tempfile.TemporaryDirectory(prefix="tokengs-poses-") as scratch:
        pictures = _prepared(photos, Path(scratch), config)
        found = {index: picture for index, picture in enumerate(pictures) if picture is not None}
        solution = solver(Path(scratch), found, config, progress) if len(found) >= LEAST_PHOTOS else _NOTHING
    sizes = {index: picture.size for index, picture in found.items()}
    if mostly_turns(solution, sizes) or len(solution.points) < _POINTS_A_PHOTO * len(solution.c2w):
        solution = replace(solution, c2w={})
    why = reasons(pictures, solution)
    placed = len(solution.c2w)
    if placed < max(LEAST_PHOTOS, _LEAST_SHARE * len(files)):
        raise UserError(
            f"{folder} cannot be posed: {placed} of its {len(files)} photos could be placed. The others: "
            f"{told(names, why)}. Instead: {advice(names, why)}"
        )
    return Found(names, photos, solution, why)


_NOTHING = Solution.empty()


def _read(file: Path, folder: Path) -> Photo | None:
    try:
        return read_photo(file, folder)
    except UserError:
        return None


def _prepared(photos: Sequence[Photo | None], scratch: Path, config: PosingConfig) -> list[Picture | None]:
    """The pictures of the photos, in one folder for each lens."""
    readable = [index for index, photo in enumerate(photos) if photo is not None]
    known = [photo for photo in photos if photo is not None]
    groups = lens_groups(known, config.cameras)
    pictures: list[Picture | None] = [None] * len(photos)
    for index, picture in zip(readable, prepare(known, groups, scratch, config.max_image_size)):
        pictures[index] = picture
    return pictures


def lens_groups(photos: Sequence[Photo], cameras: str) -> list[int]:
    """For each photo the number of the lens it was taken with, as `PosingConfig.cameras` says."""
    if cameras == "each":
        return list(range(len(photos)))
    kinds = [(photo.size, photo.device if cameras == "auto" else ()) for photo in photos]
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    return [numbers[kind] for kind in kinds]
