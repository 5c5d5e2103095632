"""How the number of Gaussians changes while they are tuned: by our own budget, or by gsplat's strategies."""

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from tokengs_nerfstudio.core.rotation import matrix_from_quaternion

Parameters = dict[str, Tensor]
Optimizers = dict[str, torch.optim.Optimizer]

# Less than half of gsplat's visibility threshold of 1/255 per pixel: nothing is lost with such a Gaussian.
_DEAD_OPACITY = 0.005
# Two children of a split: half a standard deviation to each side, each 0.6 times as long, cover their parent's place.
_CHILD_OFFSET, _CHILD_LENGTH = 0.5, 0.6


@runtime_checkable
class Densification(Protocol):
    """Adds Gaussians to a dictionary of raw parameters, each with an optimizer of its own, and takes some away."""

    needs_pictures: bool
    """whether `grow` reads the dictionaries of what was rendered"""

    def observe(self, parameters: Parameters) -> None:
        """Look at the gradients of a step before they are used up."""
        ...

    def grow(self, parameters: Parameters, optimizers: Optimizers, step: int, drawn: Sequence[dict[str, Any]]) -> None:
        """More Gaussians (or fewer) if that is due after `step` steps; `drawn` are the pictures of the last one."""
        ...

    def drop(self, parameters: Parameters, optimizers: Optimizers, dropped: Bool[Tensor, " gaussian"]) -> None:
        """Take Gaussians away."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None: ...


class BudgetDensification:
    """Their number rises by equal factors in equal times from `first` to `budget` at step `until`.

    Every `every` steps faded Gaussians are removed, and those whose centres were pulled most since the last time are
    split in two.
    """

    needs_pictures = False

    def __init__(self, first: int, budget: int, until: float, every: int):
        self._first, self._budget, self._until, self._every = first, budget, until, every
        self._slope: Tensor | None = None

    def observe(self, parameters: Parameters) -> None:
        gradient = parameters["means"].grad
        if gradient is not None:
            slope = gradient.norm(dim=-1)
            self._slope = slope if self._slope is None else self._slope + slope

    def grow(self, parameters: Parameters, optimizers: Optimizers, step: int, drawn: Sequence[dict[str, Any]]) -> None:
        target = self.target(step)
        if target is not None:
            self.densify(parameters, optimizers, target)

    def target(self, step: int) -> int | None:
        """How many there should be after `step` steps; None where nothing is due."""
        if step % self._every or step > self._until:
            return None
        return round(self._first * (max(self._budget, self._first) / self._first) ** (step / self._until))

    @torch.no_grad()
    def densify(self, parameters: Parameters, optimizers: Optimizers, target: int) -> None:
        """Splits the most pulled Gaussians, up to `target`; the places of faded ones go where they are needed."""
        alive = parameters["opacities"].sigmoid() > _DEAD_OPACITY
        if not alive.any():
            return
        missing = min(max(target - int(alive.sum()), 0), int(alive.sum()))
        slope = torch.zeros_like(parameters["opacities"]) if self._slope is None else self._slope
        parents = torch.where(alive, slope, slope.new_full((), -1.0)).topk(missing).indices
        added = children(parameters, parents)
        alive[parents] = False
        exchange(parameters, optimizers, alive, added)
        self._slope = None

    @torch.no_grad()
    def drop(self, parameters: Parameters, optimizers: Optimizers, dropped: Bool[Tensor, " gaussian"]) -> None:
        nothing = {name: value.detach()[:0] for name, value in parameters.items()}
        exchange(parameters, optimizers, ~dropped, nothing)
        self._slope = None

    def state_dict(self) -> dict[str, Any]:
        return {"first": self._first, "slope": None if self._slope is None else self._slope.clone()}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        self._first = state["first"]
        self._slope = None if state["slope"] is None else state["slope"].clone().to(device)


def children(parameters: Parameters, parents: Int[Tensor, " parent"]) -> Parameters:
    """Two Gaussians for each parent, side by side along its longest axis."""
    raw = {name: value.detach()[parents] for name, value in parameters.items()}
    longest = raw["scales"].argmax(dim=-1, keepdim=True)
    length = raw["scales"].gather(1, longest).exp()
    axes = matrix_from_quaternion(F.normalize(raw["quats"], dim=-1))
    offset = axes.gather(2, longest[..., None].expand(-1, 3, 1))[..., 0] * length * _CHILD_OFFSET
    shorter = torch.full_like(length, math.log(_CHILD_LENGTH))
    raw["scales"] = raw["scales"].scatter_add(1, longest, shorter)
    twins = {name: value.repeat(2, *[1] * (value.ndim - 1)) for name, value in raw.items()}
    twins["means"] = torch.cat([raw["means"] + offset, raw["means"] - offset])
    return twins


def exchange(
    parameters: Parameters, optimizers: Optimizers, kept: Bool[Tensor, " gaussian"], added: Parameters
) -> None:
    """Keeps some Gaussians with their optimizer state and appends others, whose state starts at zero; in place."""
    for name, optimizer in optimizers.items():
        old = parameters[name]
        state = optimizer.state.pop(old, {})
        new = torch.cat([old.detach()[kept], added[name]]).requires_grad_()
        for key in ("exp_avg", "exp_avg_sq"):
            if key in state:
                state[key] = torch.cat([state[key][kept], torch.zeros_like(added[name])])
        optimizer.param_groups[0]["params"][0] = parameters[name] = new
        if state:
            optimizer.state[new] = state
