"""Muon: momentum whose every step on a matrix is made orthogonal (Jordan et al. 2024, "Muon: an optimizer for hidden
layers"). For the matrices inside the blocks; everything else is better off with AdamW.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tokengs_nerfstudio.core.errors import UserError

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
            raise UserError(f"Muon is for matrices only; give AdamW the parameters of shape {shapes}")

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step from the gradients; parameters without one stay as they are."""
        if closure is not None:
            raise UserError("Muon.step takes no closure; call backward() before it")
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[parameter.shape].append(parameter)
            for parameters in alike.values():
                self._step_alike(parameters, group)

    def _step_alike(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        """Matrices of one shape together: one batched product instead of many small ones."""
        weights: list[Tensor] = list(parameters)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        momenta = [self._momentum(parameter) for parameter in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        # Where Nesterov would go from there.
        directions = torch.stack(torch._foreach_lerp(gradients, momenta, group["momentum"]))
        rows, columns = weights[0].shape
        stretch = max(1.0, rows / columns) ** 0.5
        changes = orthogonalised(directions, group["iterations"]).unbind()
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(weights, changes, alpha=-group["lr"] * stretch)

    def _momentum(self, parameter: nn.Parameter) -> Tensor:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        return state["momentum"]


def orthogonalised(
    matrices: Float[Tensor, "*batch rows columns"], iterations: int = 5
) -> Float[Tensor, "*batch rows columns"]:
    """Each matrix with its singular values brought near 1, by Newton-Schulz iterations without a decomposition.

    All iterates are the given matrix times polynomials of its Gram matrix. Where that is much smaller than the matrix
    itself, only the polynomials are iterated: 177 million products instead of 319 for 192 x 768. The two ways agree to
    rounding, of a few 1e-5 of the largest value in float32.
    """
    if not iterations or matrices.numel() == 0:
        return matrices
    rows, columns = matrices.shape[-2:]
    x = matrices.reshape(-1, rows, columns)
    x = x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) + 1e-7)
    # The numbers of products are iterations * (2 s^2 l + s^3) and 2 s^2 l + (4 * iterations - 3) s^3.
    many = max(rows, columns) >= 1.5 * min(rows, columns)
    return (_through_gram(x, iterations) if many else _directly(x, iterations)).reshape(matrices.shape)


def _directly(x: Float[Tensor, "matrix rows columns"], iterations: int) -> Float[Tensor, "matrix rows columns"]:
    for _ in range(iterations):
        x = _applied(_quintic(_gram(x)), x)
    return x


def _through_gram(x: Float[Tensor, "matrix rows columns"], iterations: int) -> Float[Tensor, "matrix rows columns"]:
    gram = _gram(x)
    factor = _quintic(gram)
    product = factor
    for _ in range(iterations - 1):
        gram = factor @ gram @ factor
        factor = _quintic(gram)
        product = factor @ product
    return _applied(product, x)


def _gram(x: Float[Tensor, "matrix rows columns"]) -> Float[Tensor, "matrix short short"]:
    """Of the rows or of the columns, whichever are fewer."""
    return x.mT @ x if x.shape[-2] > x.shape[-1] else x @ x.mT


def _applied(
    symmetric: Float[Tensor, "matrix short short"], x: Float[Tensor, "matrix rows columns"]
) -> Float[Tensor, "matrix rows columns"]:
    """From the side of the rows or of the columns, whichever are fewer."""
    return x @ symmetric if x.shape[-2] > x.shape[-1] else symmetric @ x


def _quintic(gram: Float[Tensor, "matrix short short"]) -> Float[Tensor, "matrix short short"]:
    """What takes a matrix one iteration on when it is applied to it, given the Gram matrix."""
    a, b, c = QUINTIC
    factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal(dim1=-2, dim2=-1).add_(a)
    return factor
