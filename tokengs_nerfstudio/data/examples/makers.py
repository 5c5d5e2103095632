"""Processes that make scenes beside a training, as many a second as their processors can.

They are processes and not threads: what is Python about a scene would hold up that of the training's steps.
"""

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np
import torch

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.data.examples.batches import MOST_RUNS, SCENES_PER_RUN, Batches
from tokengs_nerfstudio.data.examples.pool import PoolConfig, PooledBatches, PooledScenes
from tokengs_nerfstudio.data.examples.shapes import BatchConfig, drawn_size
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource

AT_ONCE = 4
"""Scenes that travel together."""
AHEAD = 0.05
"""How much of a run's length scenes are made for beforehand: when it comes to its late sizes, some are there."""
_ROOM = 256
"""Parcels that wait to be drawn from; makers pause before more."""
_PATIENCE = 10.0


@dataclass(frozen=True)
class MakerJob:
    """What every maker does; each makes scenes that no other does, of the run's numbers."""

    source: Callable[[], ExampleSource]
    """what the scenes come from; made in the maker itself, for it may hold much"""
    network: NetworkConfig
    batches: BatchConfig
    views: int
    """of each scene"""
    seed: int
    first: int = 0
    """the first parcel: those before it are somebody else's"""


class SceneMakers:
    """`count` processes, at work from now on until `close`; a call brings what they have made since the last one."""

    def __init__(self, job: MakerJob, count: int) -> None:
        context = get_context("spawn")
        self._maturity = context.Value("d", 0.0, lock=False)
        self._waiting: queue.Queue[PooledScenes | UserError] = queue.Queue(_ROOM)
        self._closing = threading.Event()
        ends = [context.Pipe(duplex=False) for _ in range(count)]
        self._processes = [
            context.Process(target=_work, args=(job, rank, count, self._maturity, there), daemon=True)
            for rank, (_, there) in enumerate(ends)
        ]
        for process, (_, there) in zip(self._processes, ends):
            process.start()
            there.close()
        self._receiver = threading.Thread(target=self._receive, args=([here for here, _ in ends],), daemon=True)
        self._receiver.start()

    def __call__(self, maturity: float) -> list[PooledScenes]:
        """Scenes since the last call; from now on they are to be of that maturity.

        UserError where a maker failed, or after `close`.
        """
        if self._closing.is_set():
            raise UserError("the processes that make scenes are closed")
        self._maturity.value = maturity
        found: list[PooledScenes] = []
        while not self._waiting.empty():
            parcel = self._waiting.get()
            if isinstance(parcel, UserError):
                raise parcel
            found.append(parcel)
        return found

    def close(self) -> None:
        """Stop them."""
        self._closing.set()
        for process in self._processes:
            process.terminate()
        self._receiver.join(_PATIENCE)
        for process in self._processes:
            process.join(_PATIENCE)

    def _receive(self, connections: list[Connection]) -> None:
        while connections and not self._closing.is_set():
            for connection in wait(connections, timeout=0.2):
                assert isinstance(connection, Connection)
                try:
                    self._hand_on(connection.recv())
                except (EOFError, OSError):
                    connections.remove(connection)
                    self._hand_on(UserError("a process that makes scenes has ended; what it said stands above"))

    def _hand_on(self, parcel: PooledScenes | UserError) -> None:
        while not self._closing.is_set():
            try:
                return self._waiting.put(parcel, timeout=0.2)
            except queue.Full:
                continue


@contextmanager
def pooled(
    plain: Batches, source: Callable[[], ExampleSource], config: PoolConfig, device: torch.device, first: int
) -> Iterator[PooledBatches]:
    """Batches as the `plain` ones from what makers make of `source`, who stop when the block ends; see `MakerJob`."""
    job = MakerJob(source, plain.network, plain.config, config.views, plain.seed, first)
    with closing(SceneMakers(job, config.makers)) as makers:
        yield PooledBatches(plain, makers, device, config)


def _work(job: MakerJob, rank: int, count: int, maturity: Any, connection: Connection) -> None:
    """What a maker does until somebody stops it."""
    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(15)
    with suppress(BrokenPipeError, KeyboardInterrupt):  # so the end of the training reaches a maker
        try:
            source, parcel = job.source(), job.first + rank
            while True:
                connection.send(made(job, source, parcel, maturity.value))
                parcel += count
        except UserError as error:
            connection.send(error)


def made(job: MakerJob, source: ExampleSource, parcel: int, maturity: float) -> PooledScenes:
    """Parcel `parcel` of a run: scenes of one size, all their views."""
    rng = np.random.default_rng((job.seed, parcel, MOST_RUNS))
    side, drawn = drawn_size(job.batches, job.network, rng, maturity + AHEAD)
    height, width = job.batches.size or drawn
    first = job.seed * SCENES_PER_RUN + parcel * AT_ONCE
    # Of scenes that stand still no view is twice: which is context and which novel is chosen anew for each example.
    novel = min(job.batches.novel, job.views - 2)
    shape = BatchShape(AT_ONCE, job.views - novel, novel, 0, height, width, first)
    return PooledScenes.of(source.draw(shape, rng, maturity), side)
