"""Jobs of captures that need not exist."""

import time
from pathlib import Path

from tokengs_nerfstudio.many.captures import Capture
from tokengs_nerfstudio.many.folder import Job, ResultFolder


def captures(*names: str) -> list[Capture]:
    return [Capture(name, Path("/nowhere") / name) for name in names]


def jobs(folder: ResultFolder, *names: str) -> list[Job]:
    return folder.jobs(captures(*names))


def waited_for(path: Path, seconds: float = 60) -> str:
    """The text of a file that somebody is about to write."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if path.is_file() and path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} does not come")
