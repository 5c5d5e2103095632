"""Means over the last steps of an optimisation, which show photos that nobody trained on better than the last step."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class Averages:
    """Running means of parameters by their names, the steps before counting `decay` times as much with each step; 0
    keeps the last step's.

    A parameter that another tensor has taken the place of begins anew.
    """

    def __init__(self, decay: float):
        self._decay = decay
        self._counted: dict[str, Tensor] = {}
        self._means: dict[str, Tensor] = {}
        self._steps: dict[str, int] = {}

    @torch.no_grad()
    def add(self, parameters: Mapping[str, Tensor]) -> None:
        """One more step."""
        if self._decay == 0:
            return
        for name, value in parameters.items():
            if self._counted.get(name) is not value:
                self._counted[name], self._means[name], self._steps[name] = value, torch.zeros_like(value), 0
            self._steps[name] += 1
            self._means[name].lerp_(value.detach(), max(1 - self._decay, 1 / self._steps[name]))

    @torch.no_grad()
    def settle(self, parameters: Mapping[str, Tensor]) -> None:
        """Gives parameters the means of their last steps, in place; those of which there is none stay."""
        for name, value in parameters.items():
            if self._counted.get(name) is value:
                value.copy_(self._means[name])

    def state_dict(self, parameters: Mapping[str, Tensor]) -> dict[str, Any]:
        """The means of the parameters at hand."""
        named = [name for name, value in parameters.items() if self._counted.get(name) is value]
        return {name: (self._means[name].clone(), self._steps[name]) for name in named}

    def load_state_dict(self, state: Mapping[str, Any], parameters: Mapping[str, Tensor]) -> None:
        """The means, as those of the parameters at hand."""
        self._counted = {name: parameters[name] for name in state}
        self._means = {name: mean.to(parameters[name], copy=True) for name, (mean, _) in state.items()}
        self._steps = {name: steps for name, (_, steps) in state.items()}
