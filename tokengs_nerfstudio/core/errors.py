"""What a user has to put right: one class for it, and one place where it becomes one line and a non-zero exit code."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TRACEBACK = "TOKENGS_TRACEBACK"
"""Environment variable that, set to anything, keeps the traceback of what would be one line."""


class UserError(ValueError):
    """Base of everything that a user got wrong: the message names what it is about and says what to do, in one line."""


class MissingFileError(UserError, FileNotFoundError):
    """A file or folder that a user named, or that a capture or run needs, is not there."""


class ExistingFileError(UserError, FileExistsError):
    """Something is where a file or folder is to be written."""


class CommandEnded(SystemExit, UserError):
    """A user's mistake at the door of a command: left alone it ends the process with its one line and code 1.

    Whoever calls from Python can catch it as the UserError (ValueError) that it is.
    """


@contextmanager
def one_line() -> Iterator[None]:
    """What a user has to put right leaves the block as CommandEnded; defects keep their traceback.

    Also a decorator: `@one_line()`. Other threads than the main one, where nothing can end the process, and calls with
    TOKENGS_TRACEBACK in the environment see the errors as they are.
    """
    try:
        yield
    except Exception as error:
        text = message(error)
        outside = threading.current_thread() is not threading.main_thread() or TRACEBACK in os.environ
        if text is None or outside or isinstance(error, CommandEnded):
            raise
        raise CommandEnded(f"Error: {text}") from error


@contextmanager
def content_of(path: Path, kind: str, otherwise: str) -> Iterator[None]:
    """For a block that takes to pieces what was read from a file: that may be anything, so whatever fails is a
    UserError that names the file, what it should be (`kind`) and what to do (`otherwise`)."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        raise UserError(
            f"{path} cannot be read as {kind} ({type(error).__name__}: {_flat(str(error))[:200]}); {otherwise}"
        ) from error


def message(error: BaseException) -> str | None:
    """One line for what a user can put right: a mistake, a machine that is full or forbids; None for a defect."""
    if isinstance(error, UserError):
        return _flat(str(error))
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        return _flat(f"memory ran out ({error}): fewer Gaussians or tokens, smaller or fewer photos need less")
    if isinstance(error, OSError) and error.errno is not None:
        names = [os.fspath(name) for name in (error.filename, error.filename2) if isinstance(name, str | os.PathLike)]
        return _flat(": ".join([*names, error.strerror or os.strerror(error.errno)]))
    return None


def printable(name: str) -> str:
    """A name that can be shown on any console, on one line of bearable length."""
    text = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)
    return text if len(text) <= 200 else f"{text[:80]} ... {text[-40:]}"


def in_short(names: Sequence[str]) -> str:
    """The first three of many names, for a message."""
    return ", ".join(map(printable, names[:3])) + (", ..." if len(names) > 3 else "")


def _flat(text: str) -> str:
    return " ".join(text.split())


def _is_out_of_memory(error: BaseException) -> bool:
    """torch's: on CUDA a class of its own, on the CPU a RuntimeError that only its text tells."""
    if type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
