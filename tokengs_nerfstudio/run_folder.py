"""The folder that a run writes to: its own, locked while it writes, gone again after a start that failed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.errors import MarkupError
from rich.text import Text

from tokengs_nerfstudio.core.errors import ExistingFileError, UserError
from tokengs_nerfstudio.core.files import FolderLock, remove_scratch
from tokengs_nerfstudio.data.finished_run import steps_in

_ELSEWHERE = "give this run another --timestamp, --experiment-name or --output-dir"


class RunFolder:
    """`folder` with its `checkpoints`, to be written by a run that goes on from `origin` (None: it begins anew)."""

    def __init__(self, folder: Path, checkpoints: Path, origin: Path | None):
        self.folder, self._checkpoints, self._origin = folder, checkpoints, origin
        self._lock: FolderLock | None = None

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Makes and locks the folder; where the block fails nothing of a folder that is new stays.

        UserError for what is in the way: a file, another run's checkpoints, or a run that writes at this moment.
        """
        try:
            self._refuse_other_runs()
            made = _made(self.folder)
        except UserError:
            raise
        except OSError as error:
            raise UserError(f"cannot make the folder {self.folder}: {error.strerror}; {_ELSEWHERE}") from error
        try:
            self._lock = FolderLock(self.folder, f"another run is writing to it: wait for its end, or {_ELSEWHERE}")
            remove_scratch(self.folder)
            yield
        except BaseException:
            self.close()
            _unmade(self.folder, made)
            raise

    def close(self) -> None:
        """Another run may write from now on."""
        if self._lock is not None:
            self._lock.close()

    def _refuse_other_runs(self) -> None:
        there = steps_in(self._checkpoints)
        if not there:
            return
        origin = None if self._origin is None else self._origin.resolve()
        if origin is None or origin.parent != self._checkpoints.resolve():
            raise ExistingFileError(
                f"{self.folder} holds the checkpoints of another run: go on with it by --load-dir {self.folder}, or "
                f"{_ELSEWHERE}"
            )
        if origin.name != there[max(there)]:
            raise ExistingFileError(
                f"{self.folder} has later checkpoints than {origin.name}, up to step {max(there)}: {_ELSEWHERE}"
            )


def _made(folder: Path) -> list[Path]:
    """Makes a folder; those that had to be made, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    in_the_way = next((path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()), None)
    if in_the_way is not None:
        raise ExistingFileError(f"{in_the_way} is a file where a folder is to be: {_ELSEWHERE}")
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _unmade(folder: Path, made: list[Path]) -> None:
    """Takes a folder away if it was made, and those around it that were and hold nothing else."""
    if folder in made:
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        for around in made[1:]:
            around.rmdir()


def check_name(folder: Path) -> None:
    """UserError for a path that nerfstudio, which takes [/x] for markup, cannot print."""
    try:
        Text.from_markup(str(folder))
    except MarkupError as error:
        raise UserError(f"the output folder {folder} cannot be printed by nerfstudio: {error}; {_ELSEWHERE}") from error
