"""What moves, beside Gaussians that are tuned one by one: the Gaussians of dynamic tokens."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig
from tokengs_nerfstudio.core.tuning.gaussian_variables import GaussianVariables, activated
from tokengs_nerfstudio.core.tuning.tokens import TokenStage
from tokengs_nerfstudio.core.types import Gaussians

# Detours of Gaussians from the ways that tokens have them go: Legendre polynomials of time up to this degree.
_DEGREE = 3
# What detours cost: times half the square of their coefficients, in extents of the scene, in the mean over Gaussians.
_COST = 1.0


class MovingGaussians:
    """The last `count` Gaussians of `tokens` at any time, and what each of them is changed by.

    They go their ways as the tokens have them go, which stay as they are. What is tuned is zero at first: changes of
    their raw parameters (place, turn, size, opacity, colour), the same at all times, and detours of their places, which
    are smooth in time and cost more the longer they are.
    """

    def __init__(self, tokens: TokenStage, count: int, extent: float, config: GaussianStageConfig):
        self._tokens, self.count, self._ways = tokens, count, dict[float | None, Gaussians]()
        self._changes = GaussianVariables(self._decoded(0.0), extent, config)
        with torch.no_grad():
            for change in self._changes.parameters.values():
                change.zero_()
        detours = self._changes.parameters["means"].new_zeros(_DEGREE, count, 3)
        self._changes.add("detours", detours, like="means")
        self._cost = _COST / (extent**2 * count)

    def splats(self, time: float | None) -> Gaussians:
        """Those of now at `time`, with gradient."""
        as_decoded = self._changes.raw(self._decoded(time))
        values = {name: value + self._changes.parameters[name] for name, value in as_decoded.items()}
        shapes = _polynomials(0.0 if time is None else time).to(self._detours)
        values["means"] = values["means"] + (shapes[:, None, None] * self._detours).sum(0)
        return activated(values)

    def step(self, progress: float) -> None:
        """As `GaussianVariables.step`."""
        if self._detours.grad is not None:
            self._detours.grad += self._cost * self._detours.detach()
        self._changes.step(progress)

    def settle(self) -> None:
        """As `GaussianVariables.settle`."""
        self._changes.settle()

    def snapshot(self) -> Any:
        return self._changes.snapshot()

    def restore(self, snapshot: Any) -> None:
        self._changes.restore(snapshot)

    def state_dict(self) -> dict[str, Any]:
        return {"tokens": self._tokens.state_dict(), "changes": self._changes.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._tokens.load_state_dict(state["tokens"])
        self._ways.clear()
        self._changes.load_state_dict(state["changes"])

    @property
    def _detours(self) -> Float[Tensor, "degree gaussian 3"]:
        return self._changes.parameters["detours"]

    @torch.no_grad()
    def _decoded(self, time: float | None) -> Gaussians:
        if time not in self._ways:
            moving = self._tokens.decoded(time).select(slice(-self.count, None))
            self._ways[time] = moving.map(torch.clone)  # a view would keep what stands still in memory, too
        return self._ways[time]


def _polynomials(time: float) -> Float[Tensor, " degree"]:
    """Legendre polynomials of the first degrees at a time in [0, 1], by Bonnet's recursion; all between -1 and 1."""
    x = 2 * time - 1
    values = [1.0, x]
    for n in range(1, _DEGREE):
        values.append(((2 * n + 1) * x * values[n] - n * values[n - 1]) / (n + 1))
    return torch.tensor(values[1:])
