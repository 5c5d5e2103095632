"""When more steps hurt: the best state by a view that is not trained on, and the report about it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from tokengs_nerfstudio.core.tuning.config import StoppingConfig
from tokengs_nerfstudio.core.tuning.course import Course
from tokengs_nerfstudio.core.tuning.photometry import Photometry
from tokengs_nerfstudio.core.tuning.stages import Stage
from tokengs_nerfstudio.core.tuning.supervision import Supervision


@dataclass
class BestState:
    """The state that showed the left-out view with the least squared error, and the step of its stage."""

    snapshot: Any = None
    error: float = math.inf
    step: int = 0

    def offer(self, error: float, step: int, snapshot: Callable[[], Any]) -> None:
        """Takes the state at hand if it is better than the one kept."""
        if error < self.error:
            self.snapshot, self.error, self.step = snapshot(), error, step

    @property
    def psnr(self) -> float | None:
        """PSNR of the left-out view in dB; None where none was looked at."""
        return -10 * math.log10(max(self.error, 1e-12)) if math.isfinite(self.error) else None

    def state_dict(self) -> dict[str, Any]:
        return {"snapshot": self.snapshot, "error": self.error, "step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.snapshot, self.error, self.step = state["snapshot"], state["error"], state["step"]


class Stopping:
    """When a stage is over, and the state that it leaves behind; by the view that is left out, where one is."""

    def __init__(self, config: StoppingConfig, supervision: Supervision, photometry: Photometry):
        self._config, self._supervision, self._photometry = config, supervision, photometry
        self.best = BestState()

    def begin(self, stage: Stage) -> None:
        """The state that a stage starts from is the first to beat."""
        self.best = BestState()
        self._look(stage, 0)

    def due(self, course: Course) -> bool:
        """Whether it is time for a look."""
        step = course.steps_in_stage
        return step >= course.steps_of_stage or step % self._config.check_every == 0

    def look(self, stage: Stage, course: Course) -> None:
        """Remembers the state, where a look is due, if the left-out view has never looked better."""
        if self.due(course):
            self._look(stage, course.steps_in_stage)

    def over(self, stage: Stage, course: Course) -> bool:
        """Whether the steps of a stage are done, or help no more once images are as fine as the stage has them: until
        then the next ones may help where these do not."""
        step = course.steps_in_stage
        if step >= course.steps_of_stage:
            return True
        finest = stage.level(course.progress) <= stage.level(1.0)
        looked = bool(self._supervision.held_out) and step % self._config.check_every == 0 and finest
        return looked and step - self.best.step > self._config.patience * course.steps_of_stage

    def restore(self, stage: Stage, course: Course) -> None:
        """The best state, where a view tells which that is: what the stage has settled on is looked at as well."""
        self._look(stage, course.steps_in_stage)
        if self._supervision.held_out:
            stage.restore(self.best.snapshot)

    @torch.no_grad()
    def _look(self, stage: Stage, step: int) -> None:
        """One host synchronisation."""
        if not self._supervision.held_out:
            return
        views = self._supervision.held_out_views()
        time = None if views.times is None else float(views.times[0])
        self.best.offer(self._photometry.error(stage.splats(time), views), step, stage.snapshot)


@dataclass(frozen=True)
class TuningReport:
    """What tuning did, in numbers a person can read."""

    space: str
    steps: int
    best_step: int
    """step of the last stage whose state was kept"""
    gaussians: int
    contributing: int
    """Gaussians that the supervised views show at all"""
    held_out_psnr: float | None
    start_psnr: float | None
    """PSNR of the left-out view before tuning; None where no view is left out"""
    poses: str = ""
    """what was found of the cameras, where they were to be adjusted"""

    @property
    def text(self) -> str:
        """One sentence, and what was found of the cameras."""
        text = (
            f"{self.steps} tuning steps ({self.space}); {self.contributing:,} of {self.gaussians:,} Gaussians are "
            "seen in the supervised photos"
        )
        if self.held_out_psnr is not None and self.start_psnr is not None:
            gain = f"from {self.start_psnr:.1f} to {self.held_out_psnr:.1f} dB"
            text = f"{text}; the photo left out to stop by went {gain}"
        return f"{text}; {self.poses}" if self.poses else text
