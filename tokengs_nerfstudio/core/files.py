"""Files that are whole or absent, whenever the process is killed."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, scratch_folder: Path | None = None) -> Iterator[Path]:
    """A scratch path to write to; what is there when the block ends without an error takes the place of `path`.

    `scratch_folder`, on the same file system, is for folders whose every name is taken for a finished file. Folders
    are made where they are missing.
    """
    folder = path.parent if scratch_folder is None else scratch_folder
    for needed in (path.parent, folder):
        needed.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: writers choose their format by it.
    scratch = folder / f".{path.stem}.{os.getpid()}-{uuid.uuid4().hex[:8]}{path.suffix}"
    try:
        yield scratch
        with scratch.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`text` as the whole content of `path`, in UTF-8."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
