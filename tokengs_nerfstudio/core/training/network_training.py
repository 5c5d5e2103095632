"""The training of a network over many scenes: one step.

`Trainer` knows nothing of data sets or of the length of a run: each call of `step` gets a batch and how far the run
has come.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import scene_gradients
from tokengs_nerfstudio.core.training.muon import Muon
from tokengs_nerfstudio.core.training.optimizers import optimizers
from tokengs_nerfstudio.core.training.parallel import move_gradients, twin
from tokengs_nerfstudio.core.training.schedule import one_cycle
from tokengs_nerfstudio.core.training.state import STATE_FORMAT
from tokengs_nerfstudio.core.training_batch import TrainingBatch


@dataclass(frozen=True)
class StepReport:
    """What one step did: total loss and parts, norm of the gradient before clipping, learning rate, was it skipped."""

    losses: dict[str, float]
    gradient_norm: float
    learning_rate: float
    skipped: bool


class TrainingDiverged(RuntimeError):
    """Several steps in a row had a loss or a gradient that is not finite."""


class Trainer:
    """A network, its averaged twin and its optimizers.

    With `workers` above 1 that many threads each take a share of the batch's scenes through network, renderer and
    loss, every one with torch's current number of threads. On CPUs set that number to 1: threads that meet once a step
    lose far less to other processes than threads that meet in every matrix product. The gradient is the same sum.
    """

    def __init__(self, network: TokenGSNetwork, config: TrainingConfig, workers: int = 1) -> None:
        self.network, self.config = network, config
        self.averaged = twin(network, shared=False).eval().requires_grad_(False)
        self.optimizers = optimizers(network, config)
        self.steps, self.skipped, self._bad_in_row = 0, 0, 0
        self._replicas = [network, *(twin(network, shared=True) for _ in range(workers - 1))]
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="training") if workers > 1 else None

    def step(self, batch: TrainingBatch, progress: float) -> StepReport:
        """One optimizer step on `batch`, at `progress` in [0, 1] of the run.

        A step whose loss or gradient is not finite changes nothing but the counters. TrainingDiverged after
        `config.patience` of them in a row.
        """
        rate = self._set_learning_rate(progress)
        losses = self._accumulate(batch)
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip))
        sound = math.isfinite(norm) and math.isfinite(losses["loss"])
        if sound:
            self._update()
        self.network.zero_grad(set_to_none=True)
        self._count(sound, losses["loss"], norm)
        return StepReport(losses=losses, gradient_norm=norm, learning_rate=rate, skipped=not sound)

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, batch aside: a plain dictionary for `torch.save`."""
        return {
            "format": STATE_FORMAT,
            "architecture": asdict(self.network.config),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": torch.get_rng_state(),
            "counters": {"steps": self.steps, "skipped": self.skipped, "bad_in_row": self._bad_in_row},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`; ValueError where it belongs to another architecture."""
        ours = asdict(self.network.config)
        theirs = state["architecture"]
        different = [f"{k}: {theirs.get(k)} there, {ours[k]} here" for k in ours if theirs.get(k) != ours[k]]
        if different:
            raise ValueError(
                f"the training state is of another network ({'; '.join(different)}); use another output folder"
            )
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        if len(state["optimizers"]) != len(self.optimizers):
            raise ValueError(
                f"the training state has {len(state['optimizers'])} optimizers, not {len(self.optimizers)}"
            )
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        torch.set_rng_state(state["random"])
        counters = state["counters"]
        self.steps, self.skipped, self._bad_in_row = counters["steps"], counters["skipped"], counters["bad_in_row"]

    def _set_learning_rate(self, progress: float) -> float:
        config = self.config
        share = one_cycle(progress, config.warmup, config.start_divisor, config.end_divisor)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = share * (config.matrix_rate if isinstance(optimizer, Muon) else config.learning_rate)
        return config.learning_rate * share

    def _accumulate(self, batch: TrainingBatch) -> dict[str, float]:
        """Gradients of the mean loss over the batch into the parameters; the losses as numbers."""
        total = batch.num_scenes
        shares = [batch.scenes(slice(i, total, len(self._replicas))) for i in range(min(len(self._replicas), total))]
        jobs = list(zip(self._replicas, shares))
        if self._pool is None:
            results = [scene_gradients(replica, share, self.config, total) for replica, share in jobs]
        else:
            futures = [self._pool.submit(scene_gradients, *job, self.config, total) for job in jobs]
            results = [future.result() for future in futures]
        for replica, _ in jobs[1:]:
            move_gradients(replica, self.network)
        return {name: sum(result[name] for result in results) for name in results[0]}

    def _update(self) -> None:
        if self._pool is None:
            for optimizer in self.optimizers:
                optimizer.step()
        else:
            list(self._pool.map(lambda optimizer: optimizer.step(), self.optimizers))
        self._average()

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
