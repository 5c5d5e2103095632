"""Files that are whole or absent, whenever the process is killed, and folders that one process alone writes to."""

import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tokengs_nerfstudio.core.errors import UserError

# As `replacing` names them, and version 0.1 did.
_SCRATCH = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.\w+|unfinished-\d+\.ckpt")

_PROBE = 2**24


@contextmanager
def replacing(path: Path, scratch_folder: Path | None = None) -> Iterator[Path]:
    """A scratch path to write to; what is there when the block ends without an error takes the place of `path`.

    `scratch_folder`, on the same file system, is for folders whose every name is taken for a finished file. Folders
    are made where they are missing. UserError where the system does not let anything be written there.
    """
    folder = path.parent if scratch_folder is None else scratch_folder
    # The suffix stays last: writers choose their format by it.
    scratch = folder / f".{path.stem}.{os.getpid()}-{uuid.uuid4().hex[:8]}{path.suffix}"
    try:
        for needed in (path.parent, folder):
            needed.mkdir(parents=True, exist_ok=True)
        yield scratch
        with scratch.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(scratch, path)
    except UserError:
        raise
    except Exception as error:
        reason = error if isinstance(error, OSError) else _why_nothing_more_fits(scratch)
        if reason is None or reason.errno is None:
            raise
        raise UserError(f"cannot write {path}: {reason.strerror or os.strerror(reason.errno)}") from error
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


def _why_nothing_more_fits(scratch: Path) -> OSError | None:
    """Why a file cannot grow, if so: torch and safetensors say of a full disk that positions are unexpected."""
    try:
        with scratch.open("ab") as file:
            file.write(bytes(_PROBE))
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None


def can_write(folder: Path) -> bool:
    """Whether a file can be made in a folder, or the folder itself where there is none yet."""
    existing = next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))
    try:
        with tempfile.TemporaryFile(dir=existing):
            return True
    except OSError:
        return False


def write_text(path: Path, text: str) -> None:
    """`text` as the whole content of `path`, in UTF-8; errors as in `replacing`."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def remove_scratch(folder: Path) -> None:
    """Takes away what killed processes left half written in `folder`; for whoever alone writes there."""
    for path in folder.iterdir():
        if _SCRATCH.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


class FolderLock:
    """Says that this process writes to a folder; falls with the process, however that ends.

    UserError, with `otherwise`, where another process says so. On systems and file systems without such locks nothing
    is locked.
    """

    def __init__(self, folder: Path, otherwise: str):
        self._handle: int | None = None
        try:
            import fcntl
        except ImportError:
            return
        self._handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise UserError(f"{folder} is in use: {otherwise}") from error
        except OSError:
            self.close()

    def close(self) -> None:
        """Others may write from now on."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __del__(self) -> None:
        self.close()
