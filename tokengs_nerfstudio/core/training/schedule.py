"""The learning rate over a run, as plain numbers, and how grown the run's examples are."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.training.config import TrainingConfig

LAST = 1e-4
"""Where a cooldown ends, as a share of the rate that it begins with."""


@runtime_checkable
class Schedule(Protocol):
    """What depends on how far a run is: `step` steps were taken, and it is at `progress` in [0, 1] of its length."""

    def rate(self, step: int, progress: float) -> float:
        """Multiplier of the highest learning rate."""
        ...

    def maturity(self, step: int, progress: float) -> float:
        """From 0, where examples are those of a run's beginning, to 1, where they are those of its end."""
        ...


@dataclass(frozen=True)
class OneCycle:
    """Up and down once over a run whose length is known beforehand: see `one_cycle`."""

    warmup: float
    start_divisor: float = 25.0
    end_divisor: float = 25_000.0

    def rate(self, step: int, progress: float) -> float:
        """As `Schedule.rate`."""
        return one_cycle(progress, self.warmup, self.start_divisor, self.end_divisor)

    def maturity(self, step: int, progress: float) -> float:
        """As `Schedule.maturity`."""
        return progress


@dataclass(frozen=True)
class Stable:
    """Up in a straight line over `warmup_steps`, then the highest rate for ever; mature after `curriculum_steps`.

    Everything depends on the number of the step alone, so a run may be prolonged and a killed one repeats its steps.
    """

    warmup_steps: int
    curriculum_steps: int
    start_divisor: float = 25.0

    def rate(self, step: int, progress: float) -> float:
        """As `Schedule.rate`."""
        share = min(step / self.warmup_steps, 1.0) if self.warmup_steps else 1.0
        return (1 + (self.start_divisor - 1) * share) / self.start_divisor

    def maturity(self, step: int, progress: float) -> float:
        """As `Schedule.maturity`."""
        return min(step / self.curriculum_steps, 1.0) if self.curriculum_steps else 1.0


class Cooldown:
    """Down to nearly nothing as 1 - sqrt(progress), with the examples of a run's end.

    Hägele et al. 2024 ("Scaling laws and compute-optimal training beyond fixed training durations") find this shape
    better than a straight line or a cosine: most of the way it trains at small rates, where the loss falls.
    """

    def rate(self, step: int, progress: float) -> float:
        """As `Schedule.rate`."""
        return max(1.0 - math.sqrt(min(max(progress, 0.0), 1.0)), LAST)

    def maturity(self, step: int, progress: float) -> float:
        """As `Schedule.maturity`."""
        return 1.0


def schedule_of(config: TrainingConfig) -> Schedule:
    """What `config.schedule` names."""
    if config.schedule == "wsd":
        return Stable(config.warmup_steps, config.curriculum_steps, config.start_divisor)
    return OneCycle(config.warmup, config.start_divisor, config.end_divisor)


def one_cycle(progress: float, warmup: float, start_divisor: float = 25.0, end_divisor: float = 25_000.0) -> float:
    """Multiplier of the highest learning rate at `progress` in [0, 1] of a run: a cosine up, then a cosine down.

    It rises from 1 / start_divisor to 1 at `warmup` and falls to 1 / end_divisor at the end; progress beyond the end
    stays there. Progress may be counted in steps or in time. ValueError where `warmup` is not in [0, 1).
    """
    if not 0.0 <= warmup < 1.0:
        raise UserError(f"the warm-up is a share of the run in [0, 1), got {warmup}")
    progress = min(max(float(progress), 0.0), 1.0)
    if progress < warmup:
        return _cosine(1 / start_divisor, 1.0, progress / warmup)
    return _cosine(1.0, 1 / end_divisor, (progress - warmup) / (1.0 - warmup))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))
