"""A worker that does what its captures' names say, without any network: for tests of those who drive workers."""

import os
import time
from dataclasses import dataclass

from tokengs_nerfstudio.many.folder import Job


@dataclass
class Toy:
    """`bad` captures always fail, `flaky` ones once, `slow` ones take a minute the first time."""

    jobs: int = 0

    def reconstruct(self, job: Job) -> str | None:
        """Writes who did the job, and as which of its jobs."""
        self.jobs += 1
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "log.txt").write_text(f"{os.getpid()} {self.jobs} {os.environ.get('CUDA_VISIBLE_DEVICES')}")
        name = job.capture.name
        if "slow" in name and job.tries == 1:
            time.sleep(60)
        if "bad" in name or ("flaky" in name and job.tries == 1):
            return f"{name} will not do"
        (job.folder / "metrics.json").write_text("{}")
        return None
