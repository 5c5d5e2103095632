"""When more steps hurt: the best state by a view that is not trained on, and the report about it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


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
