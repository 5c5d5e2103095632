"""Gaussians as the variables of an optimisation: raw parameters, their rates, splitting and relocation."""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from tokengs_nerfstudio.core.rendering.gsplat_strategies import GsplatDensification
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion
from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig
from tokengs_nerfstudio.core.types import Gaussians

FIELDS = ("means", "scales", "quats", "opacities", "colors")
# A colour or opacity of exactly 0 or 1 has no logit.
_MARGIN = 0.01
# Less than half of gsplat's visibility threshold of 1/255 per pixel: nothing is lost with such a Gaussian.
_DEAD_OPACITY = 0.005
# Two children of a split: half a standard deviation to each side, each 0.6 times as long, cover their parent's place.
_CHILD_OFFSET, _CHILD_LENGTH = 0.5, 0.6


@dataclass(frozen=True)
class Growth:
    """How the number of Gaussians rises, by equal factors in equal times."""

    budget: int
    until: float
    """step at which the budget is reached; nothing is split later"""
    every: int
    """steps from one round of splitting to the next"""

    def target(self, first: int, step: int) -> int | None:
        """How many there should be after `step` steps that began with `first`; None where nothing is due."""
        if step % self.every or step > self.until:
            return None
        return round(first * (max(self.budget, first) / first) ** (step / self.until))


class GaussianVariables:
    """Log scales, logit opacities, logit colours, means and quaternions, each with an Adam of its own."""

    name = "gaussians"

    def __init__(
        self, start: Gaussians, extent: float, config: GaussianStageConfig, growth: Growth | GsplatDensification
    ):
        self._rates = {
            "means": config.means_rate * extent,
            "scales": config.scales_rate,
            "quats": config.quats_rate,
            "opacities": config.opacities_rate,
            "colors": config.colors_rate,
        }
        self._config = config
        self._growth, self._first_count = growth, start.count
        self._parameters = {name: value.requires_grad_() for name, value in _raw(start).items()}
        self._optimizers = self._new_optimizers()
        self._slope = torch.zeros_like(self._parameters["opacities"], requires_grad=False)

    @property
    def count(self) -> int:
        return self._parameters["means"].shape[0]

    @property
    def asks_for_pictures(self) -> bool:
        """Whether `grow` needs the dictionaries of what was rendered."""
        return not isinstance(self._growth, Growth)

    def splats(self, time: float | None = None) -> Gaussians:
        """The Gaussians of now, with gradient; they stand still, so `time` is not looked at."""
        raw = self._parameters
        return Gaussians(
            means=raw["means"],
            quats=F.normalize(raw["quats"], dim=-1),
            scales=raw["scales"].exp(),
            opacities=raw["opacities"].sigmoid(),
            colors=raw["colors"].sigmoid(),
        )

    def step(self, progress: float) -> None:
        """One Adam step on the gradients at hand; `progress` from 0 to 1 sets the rates."""
        gradient = self._parameters["means"].grad
        if gradient is not None:
            self._slope += gradient.norm(dim=-1)
        for name, optimizer in self._optimizers.items():
            decay = self._config.means_decay if name == "means" else self._config.rates_decay
            optimizer.param_groups[0]["lr"] = self._rates[name] * decay**progress
            optimizer.step()
            optimizer.zero_grad()

    def grow(self, step: int, drawn: Sequence[dict[str, Any]] = ()) -> None:
        """More Gaussians (or fewer) if that is due after `step` steps; `drawn` are the pictures of the last one."""
        if not isinstance(self._growth, Growth):
            self._growth.grow(self._parameters, self._optimizers, step, drawn)
            self._slope = torch.zeros_like(self._parameters["opacities"], requires_grad=False)
            return
        target = self._growth.target(self._first_count, step)
        if target is not None:
            self.densify(target)

    @torch.no_grad()
    def densify(self, target: int) -> None:
        """Splits the Gaussians whose centres were pulled at most since the last call, up to `target` Gaussians.

        Those that have faded away are removed first, so their places go where they are needed.
        """
        alive = self._parameters["opacities"].sigmoid() > _DEAD_OPACITY
        if not alive.any():
            return
        missing = min(max(target - int(alive.sum()), 0), int(alive.sum()))
        pulled = torch.where(alive, self._slope, self._slope.new_full((), -1.0))
        parents = pulled.topk(missing).indices
        children = self._children(parents)
        alive[parents] = False
        self._replace(alive, children)

    @torch.no_grad()
    def exchange(self, dropped: Bool[Tensor, " gaussian"], new: Gaussians) -> None:
        """Puts `new` Gaussians in the place of those that are dropped."""
        self._replace(~dropped, _raw(new))

    @torch.no_grad()
    def remove(self, dropped: Bool[Tensor, " gaussian"]) -> None:
        """Takes Gaussians away, unless that is all of them."""
        if dropped.all() or not dropped.any():
            return
        if isinstance(self._growth, Growth):
            self._replace(~dropped, {name: value.detach()[:0] for name, value in self._parameters.items()})
        else:
            self._growth.remove(self._parameters, self._optimizers, dropped)
            self._slope = torch.zeros_like(self._parameters["opacities"], requires_grad=False)

    def state_dict(self) -> dict[str, Any]:
        return {
            "parameters": {name: value.detach().clone() for name, value in self._parameters.items()},
            "optimizers": {name: deepcopy(optimizer.state_dict()) for name, optimizer in self._optimizers.items()},
            "slope": self._slope.clone(),
            "first_count": self._first_count,
            "growth": None if isinstance(self._growth, Growth) else self._growth.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = self._slope.device
        for name, value in state["parameters"].items():
            self._parameters[name] = value.detach().clone().to(device).requires_grad_()
        self._optimizers = self._new_optimizers()
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(deepcopy(state["optimizers"][name]))
        self._slope = state["slope"].clone().to(device)
        self._first_count = state["first_count"]
        if not isinstance(self._growth, Growth):
            self._growth.load_state_dict(state["growth"], device)

    def snapshot(self) -> Any:
        return {name: value.detach().clone() for name, value in self._parameters.items()}

    def restore(self, snapshot: Any) -> None:
        """The Gaussians of a snapshot, with fresh optimisers."""
        for name, value in snapshot.items():
            self._parameters[name] = value.clone().requires_grad_()
        self._optimizers = self._new_optimizers()
        self._slope = torch.zeros_like(self._parameters["opacities"], requires_grad=False)

    def _new_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One for each parameter, as gsplat's strategies want it."""
        options: dict[str, Any] = {"betas": (0.9, 0.99), "eps": 1e-15, "fused": True}
        return {n: torch.optim.Adam([value], lr=self._rates[n], **options) for n, value in self._parameters.items()}

    def _children(self, parents: Int[Tensor, " parent"]) -> dict[str, Tensor]:
        """Two Gaussians for each parent, side by side along its longest axis."""
        raw = {name: value.detach()[parents] for name, value in self._parameters.items()}
        longest = raw["scales"].argmax(dim=-1, keepdim=True)
        length = raw["scales"].gather(1, longest).exp()
        axes = matrix_from_quaternion(F.normalize(raw["quats"], dim=-1))
        offset = axes.gather(2, longest[..., None].expand(-1, 3, 1))[..., 0] * length * _CHILD_OFFSET
        shorter = torch.full_like(length, math.log(_CHILD_LENGTH))
        raw["scales"] = raw["scales"].scatter_add(1, longest, shorter)
        twins = {name: value.repeat(2, *[1] * (value.ndim - 1)) for name, value in raw.items()}
        twins["means"] = torch.cat([raw["means"] + offset, raw["means"] - offset])
        return twins

    def _replace(self, kept: Bool[Tensor, " gaussian"], added: dict[str, Tensor]) -> None:
        """Keeps some Gaussians with their optimiser state and appends others, whose state starts at zero."""
        for name, optimizer in self._optimizers.items():
            old = self._parameters[name]
            state = optimizer.state.pop(old, {})
            new = torch.cat([old.detach()[kept], added[name]]).requires_grad_()
            for key in ("exp_avg", "exp_avg_sq"):
                if key in state:
                    state[key] = torch.cat([state[key][kept], torch.zeros_like(added[name])])
            optimizer.param_groups[0]["params"][0] = self._parameters[name] = new
            if state:
                optimizer.state[new] = state
        self._slope = torch.zeros_like(self._parameters["opacities"], requires_grad=False)


def thinned(gaussians: Gaussians, share: float, seed: int) -> Gaussians:
    """The Gaussians with `share` of their opacities, drawn at random, at zero and the others raised to make up for it.

    What hides behind another Gaussian in the few photos there are is seen and corrected too (DropGaussian, Park et al.,
    CVPR 2025).
    """
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(gaussians.opacities.shape, generator=generator).to(gaussians.opacities) >= share
    return replace(gaussians, opacities=(gaussians.opacities * kept / (1 - share)).clamp(max=1.0))


def _raw(gaussians: Gaussians) -> dict[str, Tensor]:
    """Fresh leaves whose activations are `gaussians`; values at the ends of [0, 1] are moved inside."""
    opacities = gaussians.opacities.detach().clamp(_MARGIN, 1 - _MARGIN)
    colors = gaussians.colors.detach().clamp(_MARGIN, 1 - _MARGIN)
    return {
        "means": gaussians.means.detach().clone(),
        "scales": gaussians.scales.detach().clamp(min=1e-9).log(),
        "quats": gaussians.quats.detach().clone(),
        "opacities": opacities.logit(),
        "colors": colors.logit(),
    }
