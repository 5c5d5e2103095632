"""The folder of all results: one folder a capture, whole or absent, of a capture that is done or set aside."""

import json
import shutil
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.files import FolderLock, write_text
from tokengs_nerfstudio.evaluation.report.captures import FAILURE, METRICS, PLAN
from tokengs_nerfstudio.many.captures import Capture

LOG = "log.txt"
_UNFINISHED = ".unfinished"
_READERS = 16


@dataclass(frozen=True)
class Job:
    """One capture to be reconstructed."""

    capture: Capture
    identity: Mapping[str, Any]
    """of the result, as it is to stand in its metrics"""
    folder: Path
    """where its files are written before they are published"""
    tries: int = 1

    def again(self) -> "Job":
        """The same, once more."""
        return replace(self, folder=_fresh(self.folder.parent), tries=self.tries + 1)


class ResultFolder:
    """`folder`, which this process alone writes to until `close`.

    UserError where another one does so, and where nothing can be written.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._identity = folder.resolve(), json.loads(json.dumps(identity, default=str))
        self._lock = FolderLock(folder, "another command reconstructs there: wait, or give another --out")
        shutil.rmtree(folder / _UNFINISHED, ignore_errors=True)
        (folder / _UNFINISHED).mkdir()
        write_text(folder / PLAN, json.dumps(self._identity, indent=1) + "\n")

    def job(self, capture: Capture) -> Job:
        """What a worker has to do for a capture."""
        identity = {**self._identity, "capture": str(capture.path), "content": capture.content()}
        return Job(capture, identity, _fresh(self.folder / _UNFINISHED))

    def jobs(self, captures: list[Capture]) -> list[Job]:
        """Those of all captures that are not done, or that have changed since, or were done by another plan."""
        with ThreadPoolExecutor(_READERS) as pool:
            jobs = list(pool.map(self.job, captures))
        return [job for job in jobs if not self._is_done(job)]

    def _is_done(self, job: Job) -> bool:
        try:
            there = json.loads((self.folder / job.capture.name / METRICS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(there, dict) and there.get("identity") == job.identity

    def publish(self, job: Job) -> None:
        """What the worker wrote becomes the result of the capture, in place of an older one."""
        there = self.folder / job.capture.name
        if there.exists():
            there.rename(_fresh(self.folder / _UNFINISHED))
        job.folder.rename(there)

    def set_aside(self, job: Job, problem: str) -> None:
        """The capture has its log, and what is wrong with it, in place of a result."""
        aside = _fresh(self.folder / _UNFINISHED)
        aside.mkdir(parents=True)
        with suppress(OSError):
            shutil.copyfile(job.folder / LOG, aside / LOG)
        failure = {"name": job.capture.name, "identity": job.identity, "tries": job.tries, "problem": problem}
        write_text(aside / FAILURE, json.dumps(failure, indent=1) + "\n")
        self.publish(replace(job, folder=aside))

    def close(self) -> None:
        """Others may write from now on; what is unfinished goes away."""
        shutil.rmtree(self.folder / _UNFINISHED, ignore_errors=True)
        self._lock.close()


def _fresh(unfinished: Path) -> Path:
    return unfinished / uuid.uuid4().hex[:12]
