"""Workers as processes of this machine. One that dies takes its capture's try with it, and nothing else."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Protocol, runtime_checkable

from tokengs_nerfstudio.many.folder import Job

_VISIBLE = "CUDA_VISIBLE_DEVICES"


@runtime_checkable
class Reconstructs(Protocol):
    """What a worker consists of."""

    def reconstruct(self, job: Job) -> str | None:
        """Do a job; what went wrong in one line, None where nothing did."""
        ...


Make = Callable[[], Reconstructs]
"""Makes what a worker consists of, in the worker; can be pickled."""


@runtime_checkable
class Workers(Protocol):
    """Whatever reconstructs several captures at once."""

    @property
    def free(self) -> int:
        """How many more jobs may be submitted now."""
        ...

    def submit(self, job: Job) -> None:
        """Have a job done by a free worker."""
        ...

    def finished(self) -> list[tuple[Job, str | None]]:
        """Waits until some of the submitted jobs are done: these, and what is wrong with each."""
        ...

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        ...


class LocalWorkers:
    """`count` processes; with `gpus` each of them sees one GPU alone, in turn."""

    def __init__(self, make: Make, count: int, gpus: bool = False) -> None:
        self._slots = [_Slot(make, visible_gpu(os.environ, number) if gpus else None) for number in range(count)]

    @property
    def free(self) -> int:
        """As `Workers.free`."""
        return sum(slot.job is None for slot in self._slots)

    def submit(self, job: Job) -> None:
        """As `Workers.submit`."""
        next(slot for slot in self._slots if slot.job is None).start(job)

    def finished(self) -> list[tuple[Job, str | None]]:
        """As `Workers.finished`."""
        busy = [slot for slot in self._slots if slot.job is not None]
        connection.wait([slot.connection for slot in busy if slot.connection is not None])
        return [done for slot in busy if (done := slot.outcome()) is not None]

    def close(self) -> None:
        """As `Workers.close`."""
        for slot in self._slots:
            slot.close()


class _Slot:
    """The place of one worker: a process that is started with the first job, and again after its death."""

    def __init__(self, make: Make, gpu: str | None) -> None:
        self._make, self._gpu = make, gpu
        self._process: SpawnProcess | None = None
        self.connection: Connection | None = None
        self.job: Job | None = None

    def start(self, job: Job) -> None:
        self.job = job
        try:
            self._connected().send(job)
        except OSError:  # died between two jobs
            self.close()
            self._connected().send(job)

    def outcome(self) -> tuple[Job, str | None] | None:
        """The job and what is wrong with it, once the worker is done with it or dead."""
        job, there = self.job, self.connection
        if job is None or there is None or not there.poll():
            return None
        try:
            problem = there.recv()
        except (EOFError, OSError):
            problem = f"its worker died ({self._end()})"
            self.close()
        self.job = None
        return job, problem

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self.connection is not None:
            self.connection.close()
        self._process = self.connection = None

    def _end(self) -> str:
        assert self._process is not None
        self._process.join(timeout=10)
        code = self._process.exitcode
        return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"

    def _connected(self) -> Connection:
        if self.connection is None:
            context = get_context("spawn")
            self.connection, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self._make), daemon=True)
            with _seeing(self._gpu):
                self._process.start()
            theirs.close()
        return self.connection


def _serve(jobs: Connection, make: Make) -> None:
    """Until the other end closes, or the process there ends in whatever way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us hears it too, and ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = make()
    while True:
        try:
            job = jobs.recv()
        except EOFError:
            return
        jobs.send(worker.reconstruct(job))


@contextmanager
def _seeing(gpu: str | None) -> Iterator[None]:
    """Processes that are started meanwhile see that GPU alone: their very first import may look for it."""
    before = os.environ.get(_VISIBLE)
    if gpu is not None:
        os.environ[_VISIBLE] = gpu
    try:
        yield
    finally:
        if gpu is not None:
            os.environ.pop(_VISIBLE)
        if before is not None:
            os.environ[_VISIBLE] = before


def visible_gpu(environment: Mapping[str, str], number: int) -> str:
    """The one GPU that worker `number` sees: the GPUs in turn that this process may see."""
    given = [name for name in environment.get(_VISIBLE, "").split(",") if name]
    if not given:
        import torch

        given = [str(index) for index in range(max(1, torch.cuda.device_count()))]
    return given[number % len(given)]


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
