"""Several processes that train one network together: what `torchrun` starts, one a GPU or one a share of the cores."""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from tokengs_nerfstudio.core.device import usable_device
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.parallel import Workers
from tokengs_nerfstudio.core.types import Example

T = TypeVar("T")

PATIENCE = timedelta(minutes=30)
"""Longest that ranks wait for one another: the first one evaluates and writes in the meantime."""


class Ranks:
    """The ranks of this run, and which of them this process is; a single process is rank 0 of 1.

    They talk through gloo on CPUs and nccl on GPUs. Every question is asked of all ranks at the same point of the run.
    UserError for a device that is not there.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0")) if self.count > 1 else 0
        self.device = usable_device(device)
        if self.count == 1:
            return
        if self.device.type == "cuda":
            self.device = usable_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
            torch.cuda.set_device(self.device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo", timeout=PATIENCE)

    @property
    def first(self) -> bool:
        """Whether this is the rank that evaluates, speaks and writes."""
        return self.rank == 0

    def gathered(self, value: T) -> list[T]:
        """Every rank's value, the first rank's first."""
        values: list[Any] = [value] * self.count
        if self.count > 1:
            dist.all_gather_object(values, value)
        return values

    def close(self) -> None:
        """Part from the others."""
        if self.count > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def add(self, values: Tensor) -> None:
        """The sum over all ranks in the tensor's own place."""
        if self.count > 1:
            dist.all_reduce(values)


class RankWorkers:
    """The `Workers` of each rank, together: each takes a step's scenes of its own, gradients are means over all scenes.

    Ranks begin with equal weights and take equal steps; nothing but gradients and losses is exchanged.
    """

    def __init__(self, network: TokenGSNetwork, workers: Workers, ranks: Ranks) -> None:
        self.network, self.ranks, self._own = network, ranks, workers

    def gradients(self, example: Example, config: TrainingConfig) -> dict[str, float]:
        """As `Workers.gradients`; ranks may have different numbers of scenes."""
        found = self.ranks.gathered((example.num_scenes, self._own.gradients(example, config)))
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        slopes = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([slope.flatten() for slope in slopes])
        flat.mul_(example.num_scenes / sum(scenes for scenes, _ in found))
        self.ranks.add(flat)
        for parameter, slope in zip(parameters, flat.split([p.numel() for p in parameters])):
            parameter.grad = slope.view_as(parameter)
        return _means(found)

    def update(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """As `Workers.update`."""
        self._own.update(optimizers)


def _means(found: Sequence[tuple[int, dict[str, float]]]) -> dict[str, float]:
    """Of each loss over the scenes that have it, from (scenes, losses) of each rank."""
    names = dict.fromkeys(name for _, losses in found for name in losses)
    means = {}
    for name in names:
        having = [(scenes, losses[name]) for scenes, losses in found if name in losses]
        means[name] = sum(scenes * value for scenes, value in having) / sum(scenes for scenes, _ in having)
    return means
