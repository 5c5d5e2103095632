"""Gaussians as the variables of an optimisation: raw parameters and their rates."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tokengs_nerfstudio.core.harmonics import count_of, degree_of
from tokengs_nerfstudio.core.tuning.averages import Averages
from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig
from tokengs_nerfstudio.core.types import Gaussians

# Rates of centres, where nobody has chosen one.
_PLACED_RATE, _SEARCHING_RATE = 3e-3, 1.2e-2
# A colour or opacity of exactly 0 or 1 has no logit.
_MARGIN = 0.01


class GaussianVariables:
    """Log scales, logit opacities, logit colours, means and quaternions, each with an Adam of its own; and harmonics,
    where these are wanted or the start has some.
    """

    def __init__(self, start: Gaussians, extent: float, config: GaussianStageConfig, placed: bool = False):
        """`placed` says that Gaussians begin where something is."""
        means_rate = config.means_rate
        if means_rate is None:
            means_rate = _PLACED_RATE if placed else _SEARCHING_RATE
        self._rates = {
            "means": means_rate * extent,
            "scales": config.scales_rate,
            "quats": config.quats_rate,
            "opacities": config.opacities_rate,
            "colors": config.colors_rate,
            "harmonics": config.harmonics_rate,
        }
        self._decays = dict.fromkeys(self._rates, config.rates_decay) | {"means": config.means_decay}
        self._degree = config.harmonics
        if start.harmonics is not None:
            self._degree = max(self._degree, degree_of(start.harmonics.shape[1]))
        self.parameters = {name: value.requires_grad_() for name, value in self.raw(start).items()}
        self.optimizers = self._new_optimizers()
        self._averages = Averages(config.averaging)

    @property
    def count(self) -> int:
        return self.parameters["means"].shape[0]

    def add(self, name: str, value: Tensor, like: str) -> None:
        """Another parameter, which `splats` does not look at, with the rates of the one named `like`."""
        self._rates[name], self._decays[name] = self._rates[like], self._decays[like]
        self.parameters[name] = value.requires_grad_()
        self.optimizers = self._new_optimizers()

    def splats(self, time: float | None = None) -> Gaussians:
        """The Gaussians of now, with gradient; they stand still, so `time` is not looked at."""
        return activated(self.parameters)

    def raw(self, gaussians: Gaussians) -> dict[str, Tensor]:
        """`raw` of Gaussians that are to stand beside these, with harmonics of zero where they have none."""
        values = raw(gaussians)
        if self._degree > 0:
            given, count = values.get("harmonics"), count_of(self._degree)
            harmonics = gaussians.means.new_zeros(gaussians.count, count, 3)
            if given is not None:
                harmonics[:, : given.shape[1]] = given
            values["harmonics"] = harmonics
        return values

    def step(self, progress: float) -> None:
        """One Adam step on the gradients at hand; `progress` from 0 to 1 sets the rates."""
        for name, optimizer in self.optimizers.items():
            optimizer.param_groups[0]["lr"] = self._rates[name] * self._decays[name] ** progress
            optimizer.step()
            optimizer.zero_grad()
        self._averages.add(self.parameters)

    def settle(self) -> None:
        """The means of the last steps take the place of what the very last one left."""
        self._averages.settle(self.parameters)

    def state_dict(self) -> dict[str, Any]:
        optimizers = {name: deepcopy(optimizer.state_dict()) for name, optimizer in self.optimizers.items()}
        averages = self._averages.state_dict(self.parameters)
        rates = dict(self._rates)
        return {"parameters": self.snapshot(), "optimizers": optimizers, "averages": averages, "rates": rates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Rates and averages are not in states of earlier versions: their rates stand in their configurations."""
        self._rates |= state.get("rates", {})
        self.restore(state["parameters"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(deepcopy(state["optimizers"][name]))
        self._averages.load_state_dict(state.get("averages", {}), self.parameters)

    def snapshot(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.parameters.items()}

    def restore(self, snapshot: dict[str, Tensor]) -> None:
        """The Gaussians of a snapshot, wherever that is, with fresh optimizers."""
        device = self.parameters["means"].device
        for name, value in snapshot.items():
            self.parameters[name] = value.detach().to(device, copy=True).requires_grad_()
        self.optimizers = self._new_optimizers()

    def _new_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One for each parameter, as gsplat's strategies want it."""
        options: dict[str, Any] = {"betas": (0.9, 0.99), "eps": 1e-15, "fused": True}
        return {n: torch.optim.Adam([value], lr=self._rates[n], **options) for n, value in self.parameters.items()}


def activated(values: Mapping[str, Tensor]) -> Gaussians:
    """The Gaussians of raw parameters."""
    return Gaussians(
        means=values["means"],
        quats=F.normalize(values["quats"], dim=-1),
        scales=values["scales"].exp(),
        opacities=values["opacities"].sigmoid(),
        colors=values["colors"].sigmoid(),
        harmonics=values.get("harmonics"),
    )


def raw(gaussians: Gaussians) -> dict[str, Tensor]:
    """Fresh tensors whose activations are `gaussians`; values at the ends of [0, 1] are moved inside."""
    opacities = gaussians.opacities.detach().clamp(_MARGIN, 1 - _MARGIN)
    colors = gaussians.colors.detach().clamp(_MARGIN, 1 - _MARGIN)
    values = {
        "means": gaussians.means.detach().clone(),
        "scales": gaussians.scales.detach().clamp(min=1e-9).log(),
        "quats": gaussians.quats.detach().clone(),
        "opacities": opacities.logit(),
        "colors": colors.logit(),
    }
    if gaussians.harmonics is not None:
        values["harmonics"] = gaussians.harmonics.detach().clone()
    return values
