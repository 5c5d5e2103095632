"""Who computes the gradient of a step: one thread, or several that share its scenes."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import scene_gradients
from tokengs_nerfstudio.core.training.recorded import Recorded
from tokengs_nerfstudio.core.types import Example


@runtime_checkable
class Workers(Protocol):
    """They hold the network that is trained, or replicas of it. Processes that each bring scenes of their own to a
    step return the means over all of them."""

    def gradients(self, example: Example, config: TrainingConfig) -> dict[str, float]:
        """The gradient of the step's mean loss into the network's parameters, which had none; the mean losses."""
        ...

    def update(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """One step of each optimizer; they share no parameters."""
        ...


class Serial:
    """Everything in the calling thread; `recorded` is the network as it is called, if not plainly."""

    def __init__(self, network: TokenGSNetwork, recorded: Recorded | None = None) -> None:
        self.network, self._called = network, network if recorded is None else recorded

    def gradients(self, example: Example, config: TrainingConfig) -> dict[str, float]:
        """As `Workers.gradients`."""
        return scene_gradients(self._called, example, self.network.config.rendering, config, example.num_scenes)

    def update(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """As `Workers.update`."""
        for optimizer in optimizers:
            optimizer.step()


class Threads:
    """`count` threads that each take a share of the scenes through network, renderer and loss.

    Every one of them computes with torch's current number of threads. On CPUs set that number to 1: threads that meet
    once a step lose far less to other processes than threads that meet in every matrix product. The gradient is the
    same sum.
    """

    def __init__(self, network: TokenGSNetwork, count: int) -> None:
        if count < 1:
            raise UserError(f"a step needs at least one thread, got {count}")
        self.network = network
        self._replicas = [network, *(twin(network, shared=True) for _ in range(count - 1))]
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="training")

    def gradients(self, example: Example, config: TrainingConfig) -> dict[str, float]:
        """As `Workers.gradients`."""
        total, rendering = example.num_scenes, self.network.config.rendering
        replicas = self._replicas[:total]
        futures = [
            self._pool.submit(
                scene_gradients, replica, example[slice(i, total, len(self._replicas))], rendering, config, total
            )
            for i, replica in enumerate(replicas)
        ]
        results = [future.result() for future in futures]
        for replica in replicas[1:]:
            move_gradients(replica, self.network)
        return {name: sum(result[name] for result in results) for name in results[0]}

    def update(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """As `Workers.update`."""
        list(self._pool.map(lambda optimizer: optimizer.step(), optimizers))


def twin(network: TokenGSNetwork, shared: bool) -> TokenGSNetwork:
    """The same network with gradients of its own; with `shared`, over the same memory of weights."""
    with torch.device("meta"):
        twin = TokenGSNetwork(network.config)
    twin.precision = network.precision
    weights = network.state_dict()
    twin.load_state_dict(weights if shared else {name: w.clone() for name, w in weights.items()}, assign=True)
    return twin.train(network.training)


def move_gradients(source: nn.Module, destination: nn.Module) -> None:
    """Add the gradients of one network to those of its twin, and leave none behind."""
    for taken, kept in zip(source.parameters(), destination.parameters()):
        if taken.grad is None:
            continue
        kept.grad = taken.grad if kept.grad is None else kept.grad.add_(taken.grad)
        taken.grad = None
