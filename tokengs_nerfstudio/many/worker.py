"""What runs in a worker: the weights, loaded once, and captures one after another, each with a log of its own."""

import contextlib
import gc
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.errors import TRACEBACK, message
from tokengs_nerfstudio.many.folder import LOG, Job
from tokengs_nerfstudio.many.options import Plan


class Worker:
    """Reconstructs captures in this process. What is heavy is imported and loaded with the first of them."""

    def __init__(self, plan: Plan, threads: int) -> None:
        # torch would wake a pool of compilers, which have nothing to do here.
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
        self._plan, self._threads, self._network = plan, threads, None

    def reconstruct(self, job: Job) -> str | None:
        """Write everything about a capture to the job's folder; what went wrong in one line, None where nothing did."""
        job.folder.mkdir(parents=True, exist_ok=True)
        with logged(job.folder / LOG), _errors_as_they_are():
            try:
                self._reconstruct(job)
                return None
            except Exception as error:
                traceback.print_exc()
                return message(error) or f"{type(error).__name__}: {' '.join(str(error).split())}"
            finally:
                self._tidy()

    def _reconstruct(self, job: Job) -> None:
        import torch

        from tokengs_nerfstudio.many.scene import network_of, reconstruct_capture

        torch.set_num_threads(self._threads)
        started = time.perf_counter()
        if self._network is None:
            self._network = network_of(self._plan)
        reconstruct_capture(job, self._plan, self._network, time.perf_counter() - started)

    def _tidy(self) -> None:
        torch: Any = sys.modules.get("torch")
        gc.collect()
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()


@contextlib.contextmanager
def _errors_as_they_are() -> Iterator[None]:
    """What a user has to put right is an error here, not the end of the process."""
    before = os.environ.get(TRACEBACK)
    os.environ[TRACEBACK] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[TRACEBACK]


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Whatever this process says, its libraries too, goes to a file until the block ends, also when it is killed."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(stream) for stream in (1, 2)]
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    own = open(file, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    try:
        for stream in (1, 2):
            os.dup2(file, stream)
        with contextlib.redirect_stdout(own), contextlib.redirect_stderr(own):
            yield
    finally:
        own.close()
        os.close(file)
        for stream, before in zip((1, 2), kept):
            os.dup2(before, stream)
            os.close(before)
