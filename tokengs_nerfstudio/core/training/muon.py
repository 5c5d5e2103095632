"""Muon: momentum whose every step on a matrix is made orthogonal (Jordan et al. 2024, "Muon: an optimizer for hidden
layers"). For the matrices inside the blocks; everything else is better off with AdamW.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Coefficients of the quintic iteration: fast rather than exact, singular values end between about 0.7 and 1.2.
QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; a step changes a matrix by about `lr` in spectral norm.

    Tall matrices move by sqrt(rows / columns) more, so that outputs change alike whatever the shape. Weight decay is
    decoupled, as in AdamW. ValueError for a parameter that is no matrix.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        iterations: int = 5,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "iterations": iterations}
        super().__init__(list(parameters), settings)
        shapes = [tuple(p.shape) for group in self.param_groups for p in group["params"] if p.ndim != 2]
        if shapes:
            raise ValueError(f"Muon is for matrices only; give AdamW the parameters of shape {shapes}")

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step from the gradients; parameters without one stay as they are."""
        if closure is not None:
            raise ValueError("Muon.step takes no closure; call backward() before it")
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[parameter.shape].append(parameter)
            for parameters in alike.values():
                self._step_alike(parameters, group)

    def _step_alike(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        """Matrices of one shape together: one batched product instead of many small ones."""
        directions = torch.stack([self._momentum(parameter, group["momentum"]) for parameter in parameters])
        rows, columns = directions.shape[-2:]
        stretch = max(1.0, rows / columns) ** 0.5
        for parameter, change in zip(parameters, orthogonalised(directions, group["iterations"])):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(change, alpha=-group["lr"] * stretch)

    def _momentum(self, parameter: nn.Parameter, decay: float) -> Tensor:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        gradient = parameter.grad
        assert gradient is not None
        state["momentum"].lerp_(gradient, 1 - decay)
        return gradient.lerp(state["momentum"], decay)


def orthogonalised(
    matrices: Float[Tensor, "*batch rows columns"], iterations: int = 5
) -> Float[Tensor, "*batch rows columns"]:
    """Each matrix with its singular values brought near 1, by Newton-Schulz iterations without a decomposition."""
    wide = matrices if matrices.shape[-2] <= matrices.shape[-1] else matrices.mT
    x = wide / (wide.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if matrices.shape[-2] <= matrices.shape[-1] else x.mT
