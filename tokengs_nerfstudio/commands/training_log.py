"""What a training did, step by step: lines of JSON always, tensorboard's files where it is installed."""

import json
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.files import write_text


class TrainingLog:
    """`log.jsonl` in a run's folder, a line a step, and tensorboard's events beside it.

    Opened at step `steps` of the run, it forgets what was written after that: a run that was killed goes on from its
    last saved state and takes the steps behind it again. The next entry says where a run was that has been taken back.
    """

    def __init__(self, folder: Path, steps: int, taken_back_at: int | None = None) -> None:
        self._path = folder / "log.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        _keep(self._path, steps)
        self._board = _board(folder, steps)
        self._more = {} if taken_back_at is None else {"taken_back_at": taken_back_at}

    def write(self, step: int, entry: dict[str, float]) -> None:
        """The entry of one step."""
        rounded = {name: round(value, 7) for name, value in {**self._more, **entry}.items()}
        self._more = {}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **rounded}) + "\n")
        if self._board is not None:
            for name, value in entry.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """All of it on disk."""
        if self._board is not None:
            self._board.close()


class NoLog:
    """For processes that work beside the one that writes."""

    def write(self, step: int, entry: dict[str, float]) -> None:
        """As `TrainingLog.write`."""

    def close(self) -> None:
        """As `TrainingLog.close`."""


def _keep(path: Path, steps: int) -> None:
    """Whole lines of the first `steps` steps."""
    if not path.is_file():
        return
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if 0 < _step(line) <= steps]
    write_text(path, "".join(line + "\n" for line in kept))


def _step(line: str) -> int:
    """The step that a line is of; 0 for one that a kill cut short."""
    try:
        return json.loads(line)["step"]
    except ValueError:
        return 0


def _board(folder: Path, steps: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "events"), purge_step=steps + 1)
