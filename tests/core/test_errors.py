"""What a user has to put right is one line; what is our own defect keeps its traceback."""

import errno
import subprocess
import sys
import threading

import pytest
import torch

from tokengs_nerfstudio.core.checkpoint import CheckpointError
from tokengs_nerfstudio.core.errors import (
    TRACEBACK,
    CommandEnded,
    ExistingFileError,
    MissingFileError,
    UserError,
    message,
    one_line,
)
from tokengs_nerfstudio.core.training.guard import TrainingCollapsed
from tokengs_nerfstudio.core.training.network_training import TrainingDiverged


def raised_in_a_block(error: BaseException) -> BaseException:
    with pytest.raises(BaseException) as caught, one_line():  # noqa: PT011
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("no such\n  option"), "no such option"),
        (MissingFileError("no file"), "no file"),
        (ExistingFileError("in the way"), "in the way"),
        (CheckpointError("broken"), "broken"),
        (TrainingDiverged("not finite"), "not finite"),
        (TrainingCollapsed("again"), "again"),
        (OSError(errno.ENOSPC, "No space left on device", "/full/x"), "/full/x: No space left on device"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
    ],
)
def test_what_a_user_can_put_right_ends_with_one_line(error, line):
    ended = raised_in_a_block(error)
    assert isinstance(ended, CommandEnded)
    assert ended.code == f"Error: {line}"
    assert ended.__cause__ is error


def test_memory_that_ran_out_is_one_line():
    for error in (MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: no")):
        assert "memory ran out" in raised_in_a_block(error).args[0]


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("x"), KeyError("x"), OSError("x"), AssertionError()])
def test_defects_keep_their_traceback(error):
    assert raised_in_a_block(error) is error
    assert message(error) is None


def test_an_ended_command_passes_other_doors_as_it_is_and_python_can_catch_it():
    ended = raised_in_a_block(UserError("no"))
    assert raised_in_a_block(ended) is ended
    assert isinstance(ended, ValueError)


def test_nothing_ends_in_another_thread_or_where_tracebacks_are_asked_for(monkeypatch):
    caught = []
    thread = threading.Thread(target=lambda: caught.append(raised_in_a_block(UserError("no"))))
    thread.start()
    thread.join()
    assert type(caught[0]) is UserError
    monkeypatch.setenv(TRACEBACK, "1")
    assert type(raised_in_a_block(UserError("no"))) is UserError


def test_a_process_ends_with_the_line_as_it_is_and_code_1():
    """Markup of rich and characters that no terminal has neither vanish nor fail."""
    program = "from tokengs_nerfstudio.core.errors import *\nwith one_line(): raise UserError('a [/b] [red]c \\udcff')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: a [/b] [red]c \\udcff\n")
