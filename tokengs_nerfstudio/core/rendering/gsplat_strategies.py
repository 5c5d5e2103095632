"""gsplat's own densification strategies on any renderer: they read the dictionary that `render_with_info` returns."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.rendering.gsplat_backend import gsplat_version

DensificationName = Literal["budget", "gsplat-default", "gsplat-mcmc"]

# gsplat's default, for gradients of a mean loss with respect to image coordinates in [-1, 1].
_SLOPE = 2e-4
# gsplat multiplies MCMC's noise by the rate of the centres and by 5e5, made for this rate in a scene of size 1.
_MCMC_RATE, _MCMC_LEFT = 1.6e-4, 0.01
_NEVER = 10**9


class GsplatDensification:
    """One of gsplat's strategies at work on a dictionary of parameters and one of their optimizers, within a budget.

    "gsplat-default" (Kerbl et al. 2023) duplicates or splits the Gaussians whose projected centres are pulled most and
    removes faded ones; opacities are never reset, a tuning is too short for that. "gsplat-mcmc" (Kheradmand et al.
    2024) moves faded ones, adds 5 % each time and shakes all a little. Both act every `every` steps before step
    `until`; `extent` is the scene's size in its frame's units.

    Raises ValueError as `check_densification` does.
    """

    needs_pictures = True

    def __init__(
        self, kind: str, extent: float, budget: int, until: float, every: int, seed: int, device: torch.device
    ):
        check_densification(kind, device)
        from gsplat.strategy import DefaultStrategy, MCMCStrategy

        self._extent, self._budget, self._until, self._every, self._seed = extent, budget, until, every, seed
        times = {"refine_start_iter": 0, "refine_stop_iter": until, "refine_every": every}
        self._mcmc = kind == "gsplat-mcmc"
        self._strategy: Any
        self._state: dict[str, Any]
        if self._mcmc:
            self._strategy = MCMCStrategy(cap_max=budget, **times)
            self._state = self._strategy.initialize_state()
        else:
            self._strategy = DefaultStrategy(reset_every=_NEVER, **times)
            self._state = self._strategy.initialize_state(extent)

    def observe(self, parameters: dict[str, Tensor]) -> None:
        """Nothing: the strategies read what was drawn."""

    def grow(
        self,
        parameters: dict[str, Tensor],
        optimizers: dict[str, torch.optim.Optimizer],
        step: int,
        drawn: Sequence[dict[str, Any]],
    ) -> None:
        """What is due after `step` steps, the first being 1; both dictionaries get new tensors where numbers change.

        `drawn` are the dictionaries of all pictures of the step, after the backward pass; their losses count together
        as one mean over the views. The same step always draws the same random numbers.
        """
        due = not self._mcmc and step % self._every == 0 and step < self._until
        if due:
            self._strategy.grow_grad2d = self._threshold(len(parameters["means"]))
        rate = {"lr": _MCMC_RATE / self._extent * _MCMC_LEFT ** (step / self._until)} if self._mcmc else {}
        device = parameters["means"].device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(self._seed + step)
            info = for_installed_gsplat(_joined(drawn))
            self._strategy.step_post_backward(parameters, optimizers, self._state, step, info, **rate)
        if due:
            self._remove_excess(parameters, optimizers)

    def state_dict(self) -> dict[str, Any]:
        kept = {name: value.clone() if isinstance(value, Tensor) else value for name, value in self._state.items()}
        return {"state": kept, "seed": self._seed}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        kept = state["state"].items()
        self._state = {name: value.clone().to(device) if isinstance(value, Tensor) else value for name, value in kept}
        self._seed = state["seed"]

    def _threshold(self, count: int) -> float:
        """The gradient above which Gaussians grow, so high that there is room for those above it."""
        room = self._budget - count
        if room <= 0:
            return float("inf")
        if self._state["grad2d"] is None or room >= count:
            return _SLOPE
        slopes = self._state["grad2d"] / self._state["count"].clamp(min=1)
        return max(_SLOPE, float(slopes.topk(room + 1).values[-1]))

    def drop(
        self,
        parameters: dict[str, Tensor],
        optimizers: dict[str, torch.optim.Optimizer],
        dropped: Bool[Tensor, " gaussian"],
    ) -> None:
        """Takes Gaussians away, from what the strategy has counted too."""
        from gsplat.strategy.ops import remove

        counted = {} if self._mcmc else self._state  # MCMC's state is a table, with no row for each Gaussian
        remove(parameters, optimizers, counted, dropped)  # type: ignore[arg-type]

    def _remove_excess(self, parameters: dict[str, Tensor], optimizers: dict[str, torch.optim.Optimizer]) -> None:
        """The faintest beyond the budget: the due step's own gradients were not yet known when the threshold was."""
        excess = len(parameters["means"]) - self._budget
        if excess > 0:
            faintest = parameters["opacities"].detach().topk(excess, largest=False).indices
            mask = torch.zeros(len(parameters["means"]), dtype=torch.bool, device=faintest.device)
            mask[faintest] = True
            self.drop(parameters, optimizers, mask)


def check_densification(kind: str, device: torch.device) -> None:
    """ValueError where `kind` is unknown, or cannot run here: strategies without gsplat, MCMC without CUDA."""
    if kind == "budget":
        return
    if kind not in ("gsplat-default", "gsplat-mcmc"):
        raise UserError(
            f"unknown tuning.gaussians.densification '{kind}'; there are budget, gsplat-default and gsplat-mcmc"
        )
    try:
        import gsplat.strategy  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"tuning.gaussians.densification '{kind}' needs gsplat ({error}): install gsplat 1.4 or 1.5, or use budget"
        ) from error
    if kind == "gsplat-mcmc" and device.type != "cuda":
        raise UserError(
            f"tuning.gaussians.densification 'gsplat-mcmc' needs CUDA, these tensors are on {device}: use 'budget' or "
            "'gsplat-default' there"
        )


def _joined(drawn: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One dictionary for the pictures of several calls."""
    means2d = torch.cat([info["means2d"].detach() for info in drawn])
    means2d.grad = torch.cat([info["means2d"].grad for info in drawn])
    radii = torch.cat([info["radii"] for info in drawn])
    return {**drawn[0], "means2d": means2d, "radii": radii, "n_cameras": sum(info["n_cameras"] for info in drawn)}


def for_installed_gsplat(info: dict[str, Any]) -> dict[str, Any]:
    """A dictionary of `render_with_info` as the installed gsplat's strategies take it.

    Those of gsplat 1.5 want `radii` [view gaussian 2], along x and along y, those of 1.4 the larger of the two. Ours
    have the larger one, which is all that either looks at: whether a Gaussian was drawn, and how large it was.
    """
    radii = info["radii"]
    return {**info, "radii": radii[..., None].expand(*radii.shape, 2)} if gsplat_version() >= (1, 5) else info
