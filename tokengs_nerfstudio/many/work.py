"""All jobs through all workers: tried again where they fail, set aside where that does not help."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tokengs_nerfstudio.commands.progress import Display
from tokengs_nerfstudio.many.folder import Job, ResultFolder
from tokengs_nerfstudio.many.pool import Workers


@dataclass
class Tally:
    """How far the captures are."""

    captures: int
    done: int
    """those that were done before included"""
    failed: dict[str, str] = field(default_factory=dict)
    """what is wrong with each, by name"""

    @property
    def settled(self) -> int:
        """Captures that nothing more is done with."""
        return self.done + len(self.failed)


def work(
    jobs: Sequence[Job], workers: Workers, folder: ResultFolder, tally: Tally, retries: int, shown: Display
) -> None:
    """Until every job is published or set aside; a failed one waits until all others have begun."""
    waiting, running = deque(jobs), 0
    started, before = time.monotonic(), tally.settled
    while waiting or running:
        while waiting and workers.free > 0:
            workers.submit(waiting.popleft())
            running += 1
        for job, problem in workers.finished():
            running -= 1
            name = job.capture.name
            if problem is None:
                folder.publish(job)
                tally.done += 1
            elif job.tries <= retries:
                shown.say(f"{name}: {problem}; it is tried again")
                waiting.append(job.again())
            else:
                folder.set_aside(job, problem)
                tally.failed[name] = problem
        shown.update(tally.settled / tally.captures, _progress(tally, before, time.monotonic() - started))


def _progress(tally: Tally, before: int, seconds: float) -> str:
    settled = tally.settled - before
    said = f"{tally.done} of {tally.captures} captures, {len(tally.failed)} failed"
    if not settled:
        return said
    left = seconds / settled * (tally.captures - tally.settled)
    return f"{said}, {timedelta(seconds=round(left))} left"
