"""The training of a network over many scenes: one step.

`NetworkTraining` knows nothing of data sets or of the length of a run: each call of `step` gets an example and how far
the run has come.
"""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch
from torch import nn

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.ranges import check
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.optimizers import Highest, continue_from, optimizers, set_rates
from tokengs_nerfstudio.core.training.parallel import Serial, Workers, twin
from tokengs_nerfstudio.core.training.perceptual import perceptual_of
from tokengs_nerfstudio.core.training.schedule import Schedule, schedule_of
from tokengs_nerfstudio.core.training.state import STATE_FORMAT
from tokengs_nerfstudio.core.types import Example


@dataclass(frozen=True)
class StepReport:
    """What one step did: total loss and parts, norm of the gradient before clipping, learning rate, was it skipped."""

    losses: dict[str, float]
    gradient_norm: float
    learning_rate: float
    skipped: bool


class TrainingDiverged(UserError, RuntimeError):
    """Several steps in a row had a loss or a gradient that is not finite."""


class NetworkTraining:
    """A network, its averaged twin and its optimizers; `workers` of that network compute (None: this thread alone).

    The learning rate follows `schedule` (None: the configuration's). ValueError where LPIPS is weighed and missing.
    """

    def __init__(
        self,
        network: TokenGSNetwork,
        config: TrainingConfig,
        workers: Workers | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        check(config, "TrainingConfig.{}".format)
        perceptual_of(config.loss)  # what is missing is said before anything is trained
        self.network, self.config = network, config
        self.schedule = schedule_of(config) if schedule is None else schedule
        self.averaged = twin(network, shared=False).eval().requires_grad_(False)
        self.optimizers = optimizers(network, config)
        self.workers = Serial(network) if workers is None else workers
        self.steps, self.skipped, self._bad_in_row = 0, 0, 0

    def step(self, example: Example, progress: float) -> StepReport:
        """One optimizer step on a batch of scenes in the canonical frame, at `progress` in [0, 1] of the run.

        A step whose loss or gradient is not finite changes nothing but the counters. TrainingDiverged after
        `config.patience` of them in a row.
        """
        config = self.config
        set_rates(self.optimizers, self.schedule.rate(self.steps, progress))
        losses = self.workers.gradients(example, replace(config, dynamic=config.dynamic.at(self.steps)))
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), config.clip))
        sound = math.isfinite(norm) and math.isfinite(losses["loss"])
        if sound:
            self.workers.update(self.optimizers)
            self._average()
        self.network.zero_grad(set_to_none=True)
        self._count(sound, losses["loss"], norm)
        rate = self.optimizers[0].param_groups[0]["lr"]
        return StepReport(losses, gradient_norm=norm, learning_rate=rate, skipped=not sound)

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, its example aside: a plain dictionary for `torch.save`."""
        return {
            "format": STATE_FORMAT,
            "architecture": asdict(self.network.config),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": torch.get_rng_state(),
            "counters": {"steps": self.steps, "skipped": self.skipped, "bad_in_row": self._bad_in_row},
        }

    def load_state_dict(self, state: dict[str, Any], highest: Highest = "configured") -> None:
        """Go on from `state`; ValueError where it belongs to another architecture or to other optimizers.

        What the schedule multiplies is `highest`: see `continue_from`.
        """
        _check_architecture(self.network.config, state["architecture"])
        if len(state["optimizers"]) != len(self.optimizers):
            raise UserError(f"the training state has {len(state['optimizers'])} optimizers, not {len(self.optimizers)}")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            continue_from(optimizer, saved, highest)
        torch.set_rng_state(state["random"])
        counters = state["counters"]
        self.steps, self.skipped, self._bad_in_row = counters["steps"], counters["skipped"], counters["bad_in_row"]

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.ema, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), 1 - decay)

    def _count(self, sound: bool, loss: float, norm: float) -> None:
        self.steps += 1
        if sound:
            self._bad_in_row = 0
            return
        self.skipped += 1
        self._bad_in_row += 1
        if self._bad_in_row >= self.config.patience:
            raise TrainingDiverged(
                f"{self._bad_in_row} steps in a row were not finite (loss {loss}, gradient norm {norm}), the last one "
                f"step {self.steps}; the weights are those of step {self.steps - self._bad_in_row}. Lower the learning "
                "rate or look at the data"
            )


def _check_architecture(ours: NetworkConfig, theirs: dict[str, Any]) -> None:
    """States of earlier versions lack the settings that came later; they were trained with the defaults of these."""
    different = [
        f"{entry.name}: {theirs.get(entry.name, entry.default)} there, {getattr(ours, entry.name)} here"
        for entry in fields(ours)
        if theirs.get(entry.name, entry.default) != getattr(ours, entry.name)
    ]
    if different:
        raise UserError(f"the training state is of another network ({'; '.join(different)}); use another output folder")
