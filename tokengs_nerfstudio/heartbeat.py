"""What a run without a terminal says of itself every few seconds: a file has no use for a progress bar."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.tuning import SceneTuning

SECONDS = 10.0


@dataclass
class Heartbeat:
    """Calls `say` with one line, at most every `seconds`."""

    say: Callable[[str], None]
    seconds: float = SECONDS
    clock: Callable[[], float] = time.monotonic
    _started: float = field(init=False)
    _last: float = field(init=False)
    _steps: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._started = self._last = self.clock()

    def step(self, left: int, line: Callable[[], str]) -> None:
        """A step was taken and at most `left` are to come; `line` is made only where it is due."""
        self._steps += 1
        now = self.clock()
        if now - self._last < self.seconds:
            return
        self._last = now
        to_come = left * (now - self._started) / self._steps
        self.say(f"{line()}; {duration(now - self._started)} gone, at most {duration(to_come)} left")


def duration(seconds: float) -> str:
    """As people write it: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@torch.no_grad()
def quality(tuning: SceneTuning) -> str:
    """PSNR as it is now of the view that the tuning leaves out, else of the first that supervises."""
    supervision = tuning.supervision
    place = next(iter(supervision.held_out), 0)
    views = supervision.views.select([place])
    gaussians = tuning.gaussians(None if views.times is None else float(views.times[0]))
    shown = render_cameras(gaussians, views.cameras, tuning.rendering, depth=False).rgb.clamp(0, 1)
    error = (shown - views.images).square()
    mean = float(error.mean() if views.masks is None else (error * views.masks).mean() / views.masks.mean())
    whose = "the photo left out of the tuning" if supervision.held_out else "the first photo"
    return f"{-10 * math.log10(max(mean, 1e-10)):.1f} dB on {whose}"
