"""Workers as actors of a Ray cluster, on whatever machines it has; all of them see the folders under the same path."""

import re
import socket
from dataclasses import dataclass
from typing import Any

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.many.folder import Job
from tokengs_nerfstudio.many.own_cluster import OwnCluster, keep_others_out
from tokengs_nerfstudio.many.pool import Make

LOCAL = "local"
"""instead of an address: a cluster of this machine alone, that ends with the workers"""

_START = 600.0
"""seconds in which a cluster of one's own is tried to be started, on whatever a busy machine has left"""

_ANSWER = 30.0
"""seconds that a cluster has to answer"""


@dataclass(frozen=True)
class Share:
    """What each worker takes of the cluster."""

    cpus: int = 1
    gpus: float = 0.0

    def fits(self, resources: dict[str, float]) -> int:
        """How often it is there."""
        room = int(resources.get("CPU", 0) // self.cpus)
        return min(room, int(resources.get("GPU", 0) / self.gpus + 1e-6)) if self.gpus else room


class RayWorkers:
    """At most `count` actors of the cluster at `address`, and no more than it has room for.

    UserError where Ray is not installed, where no cluster answers, and where it has no room for a single worker.
    """

    def __init__(self, make: Make, address: str, count: int, share: Share) -> None:
        if address == LOCAL:
            keep_others_out()
        self._ray, self._make, self._share = _imported(), make, share
        self._own: OwnCluster | None = None
        self._idle: list[Any] = []
        self._running: dict[Any, tuple[Any, Job]] = {}
        self._connect(address)
        self.count = min(count, self._that_fit())

    @property
    def free(self) -> int:
        """As `Workers.free`."""
        return self.count - len(self._running)

    def submit(self, job: Job) -> None:
        """As `Workers.submit`."""
        actor = self._idle.pop() if self._idle else self._actor()
        self._running[actor.reconstruct.remote(job)] = actor, job

    def finished(self) -> list[tuple[Job, str | None]]:
        """As `Workers.finished`."""
        done, _ = self._ray.wait(list(self._running), num_returns=1)
        return [self._outcome(reference) for reference in done]

    def close(self) -> None:
        """As `Workers.close`; a cluster that was there before stays."""
        for actor in [*self._idle, *(actor for actor, _ in self._running.values())]:
            self._ray.kill(actor)
        self._ray.shutdown()
        if self._own is not None:
            self._own.close()

    def _outcome(self, reference: Any) -> tuple[Job, str | None]:
        actor, job = self._running.pop(reference)
        try:
            problem = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(actor)
            return job, f"its worker died ({_brief(error)})"
        self._idle.append(actor)
        return job, problem

    def _actor(self) -> Any:
        made = self._ray.remote(num_cpus=self._share.cpus, num_gpus=self._share.gpus, max_restarts=0)(_Actor)
        return made.remote(self._make)

    def _connect(self, address: str) -> None:
        try:
            if address == LOCAL:
                self._own = OwnCluster(_START)
            place = address if self._own is None else self._own.address
            _check_answers(place)
            self._ray.init(address=place, log_to_driver=False, configure_logging=False)
        except Exception as error:  # Ray has no class of its own for what goes wrong here
            self.close()
            raise UserError(f"--ray {address}: no Ray cluster answers there ({_brief(error)})") from error

    def _that_fit(self) -> int:
        has = self._ray.cluster_resources()
        room = self._share.fits(has)
        if room < 1:
            self.close()
            raise UserError(
                f"the Ray cluster has {has.get('CPU', 0):g} CPUs and {has.get('GPU', 0):g} GPUs, a worker takes "
                f"{self._share.cpus} and {self._share.gpus:g}: --threads and --gpus say how many"
            )
        return room


class _Actor:
    """A worker in a process of the cluster."""

    def __init__(self, make: Make) -> None:
        self._worker = make()

    def reconstruct(self, job: Job) -> str | None:
        return self._worker.reconstruct(job)


def _check_answers(address: str) -> None:
    """OSError or OverflowError where nobody listens at HOST:PORT: Ray itself would end the process, after a while."""
    place = re.fullmatch(r"(?:ray://)?(.+):(\d+)", address)
    if place is None:
        return
    socket.create_connection((place[1], int(place[2])), timeout=_ANSWER).close()


def _imported() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise UserError("--ray needs Ray: pip install 'tokengs_nerfstudio[ray]'") from None
    return ray


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
