"""Whether a training still makes pictures: what is watched, and when it counts as collapsed."""

import math
from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering.piecewise import slices
from tokengs_nerfstudio.core.training.config import GuardConfig
from tokengs_nerfstudio.core.training.gradients import predict, render_targets
from tokengs_nerfstudio.core.training.schedule import Schedule
from tokengs_nerfstudio.core.types import Example, Gaussians

RECENT, WINDOW = 20, 500
"""Steps whose median gradient is that of now, and those whose median is the running one."""


class TrainingCollapsed(UserError, RuntimeError):
    """A training collapsed again after it had been taken back."""


@dataclass(frozen=True)
class Health:
    """What a network makes of scenes, means over all of them."""

    dead: float
    """share of Gaussians whose opacity is below the floor"""
    coverage: float
    """accumulated opacity of the target views"""
    away: float
    """share of Gaussians farther from the origin than the far plane"""
    reach: float
    """distance from the origin of the farthest Gaussian, in canonical units"""


@torch.no_grad()
def health(network: TokenGSNetwork, example: Example, opacity_floor: float, chunk: int) -> Health:
    """Look at scenes in the canonical frame, `chunk` of them at a time."""
    far = network.config.far
    shares: list[Tensor] = []
    for selection in slices(example.num_scenes, chunk):
        part = example[selection]
        splats = predict(network, part)
        alpha = render_targets(splats, part, network.config.rendering(part)).alpha
        shares.append(torch.stack([*_shares(splats, far, opacity_floor), alpha.flatten(1).mean(1)], dim=1))
    dead, away, reach, coverage = torch.cat(shares).unbind(1)
    return Health(float(dead.mean()), float(coverage.mean()), float(away.mean()), float(reach.max()))


def _shares(splats: Gaussians, far: float, floor: float) -> tuple[Tensor, Tensor, Tensor]:
    distance = splats.means.norm(dim=-1)
    dead, away = (~(splats.opacities >= floor)).float(), (~(distance <= far)).float()  # what is NaN is both
    return dead.mean(-1), away.mean(-1), distance.amax(-1)


class Guard:
    """Remembers how a run was when it was well; collapsed is what the fields of `GuardConfig` say."""

    def __init__(self, config: GuardConfig) -> None:
        self.config = config
        self.best_coverage, self.setbacks, self.slow_until = 0.0, 0, 0
        self._norms: deque[float] = deque(maxlen=WINDOW)
        self._usual_norm: float | None = None

    def felt(self, norm: float) -> float:
        """The gradient norm of a step; returns it as a multiple of the running median."""
        usual = median(self._norms) if self._norms else norm
        if math.isfinite(norm):
            self._norms.append(norm)
        return norm / usual if usual > 0 else 1.0

    def complaint(self, found: Health) -> str | None:
        """Why a network in this state has collapsed, or None: then it is what later ones are compared with."""
        config = self.config
        if found.dead > config.dead:
            return f"{found.dead:.2%} of the Gaussians are transparent"
        if found.away > config.away:
            return f"{found.away:.0%} of the Gaussians are beyond the far plane"
        if not found.coverage >= config.coverage * self.best_coverage:
            return f"pictures are covered to {found.coverage:.1%}, they were to {self.best_coverage:.1%}"
        ratio = self._drift()
        if not 1 / config.gradient <= ratio <= config.gradient:
            return f"gradients are {ratio:.2g} times as large as they were"
        self.best_coverage = max(self.best_coverage, found.coverage)
        self._usual_norm = median(self._norms) if len(self._norms) >= RECENT else None
        return None

    def set_back(self, seen: int, good: int, complaint: str) -> None:
        """The run goes back from step `seen` to step `good`, slower until well beyond; TrainingCollapsed when it had
        been before."""
        if self.setbacks:
            raise TrainingCollapsed(
                f"the training collapsed again at step {seen} ({complaint}) after it had gone back once, to step "
                f"{good}; lower the learning rate or look at the data"
            )
        self.setbacks, self.slow_until = 1, seen + self.config.slow_steps
        self._norms.clear()
        self._usual_norm = None

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "best_coverage": self.best_coverage,
            "setbacks": self.setbacks,
            "slow_until": self.slow_until,
            "norms": list(self._norms),
            "usual_norm": self._usual_norm,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.best_coverage, self.setbacks = state["best_coverage"], state["setbacks"]
        self.slow_until, self._usual_norm = state["slow_until"], state["usual_norm"]
        self._norms = deque(state["norms"], maxlen=WINDOW)

    def _drift(self) -> float:
        """The last gradients' median as a multiple of what was usual when all was well; 1 where that is not known."""
        if not self._usual_norm or len(self._norms) < RECENT:
            return 1.0
        return median(list(self._norms)[-RECENT:]) / self._usual_norm


@dataclass(frozen=True)
class Guarded:
    """A schedule whose rates are lower for as long as the guard wants."""

    schedule: Schedule
    guard: Guard

    def rate(self, step: int, progress: float) -> float:
        """As `Schedule.rate`."""
        slow = self.guard.config.slow if step < self.guard.slow_until else 1.0
        return slow * self.schedule.rate(step, progress)

    def maturity(self, step: int, progress: float) -> float:
        """As `Schedule.maturity`."""
        return self.schedule.maturity(step, progress)
