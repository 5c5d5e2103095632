"""The stage that tunes Gaussians: how many it begins with and grows to, and what it does between its steps."""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from tokengs_nerfstudio.core.geometry.points import drawn
from tokengs_nerfstudio.core.rendering.gsplat_strategies import GsplatDensification
from tokengs_nerfstudio.core.tuning.budget import free_memory, most_seen, views_that_fit
from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig, TuningConfig
from tokengs_nerfstudio.core.tuning.densification import BudgetDensification, Densification, exchange
from tokengs_nerfstudio.core.tuning.gaussian_variables import GaussianVariables
from tokengs_nerfstudio.core.tuning.moving import MovingGaussians
from tokengs_nerfstudio.core.tuning.plane_sweep import ClearSpace
from tokengs_nerfstudio.core.tuning.schedule import level_factor
from tokengs_nerfstudio.core.tuning.seeds import replacements, surroundings
from tokengs_nerfstudio.core.tuning.stages import Drawing, StageScene
from tokengs_nerfstudio.core.types import Gaussians, Views

# Fewer points of the scene than this say nothing; of more than so many for each Gaussian only some are looked at.
_FEWEST_POINTS, _LOOKED_AT = 4, 8
# So many points for each Gaussian say where the scene is.
_MANY_KNOWN = 0.1


class GaussianStage:
    """Gaussians under optimisation: coarse to fine, growing in number, cleared away from before the cameras.

    Where a scene moves, those of dynamic tokens come along as `moving`: as many as they are, never in new places.
    """

    name = "gaussians"

    def __init__(
        self,
        start: Gaussians,
        scene: StageScene,
        config: TuningConfig,
        steps: int,
        moving: MovingGaussians | None = None,
        placed: bool = False,
    ):
        """From `start`, no more than allowed, and as many of a step's views together as fit into memory with them;
        `placed` says that they were tuned before.

        ValueError where not even one view fits.
        """
        self._scene, self._config, self.moving = scene, config.gaussians, moving
        views, limit = scene.supervision.views, config.max_gaussians
        if limit is not None and moving is not None:
            limit = max(limit - moving.count, 1)
        self._limit = limit
        if limit is not None and limit < start.count:
            start = start.select(most_seen(start, views, limit, scene.rendering))
        budget = gaussian_budget(config, start.count, views)
        free = free_memory(views.c2w.device)
        self._points = self._known(budget)
        most = budget if self._points is None else max(budget, start.count + self._points.count)
        self._chunk = views_that_fit(most, self._config.views_per_step, views.height, views.width, free)
        self._few = views.num_views < config.stopping.held_out_from
        trained = views.subset(scene.supervision.trained)
        self._clear_space = ClearSpace.before(trained, self._config.clear_share, scene.seed)
        known = self._points is not None and self._points.count >= _MANY_KNOWN * start.count
        self.variables = GaussianVariables(start, scene.extent, self._config, placed or known)
        self._densification = densification(self._config, scene, start.count, budget, steps)

    def splats(self, time: float | None = None) -> Gaussians:
        still = self.variables.splats()
        return still if self.moving is None else Gaussians.cat([still, self.moving.splats(time)])

    @property
    def views_per_step(self) -> int:
        return self._config.views_per_step

    def level(self, progress: float) -> float:
        return level_factor(progress, self._config.levels)

    def drawing(self, step: int) -> Drawing:
        def some(time: float | None) -> Gaussians:
            return thinned(self.splats(time), self._config.dropout, self._scene.seed + step)

        return Drawing(
            splats_at=some if self._few and self._config.dropout > 0 else self.splats,
            chunk=self._chunk,
            opacity_pull=self._config.opacity_pull,
            scale_pull=self._config.scale_pull,
            pictures=[] if self._densification.needs_pictures else None,
        )

    @torch.no_grad()
    def begin(self) -> None:
        """What no photo shows is given a new place, and what is where cut-out photos show nothing; known points of the
        scene come in, in new places' stead. Photos of a scene that moves do not agree on new places."""
        reseed = self._config.reseed and self.moving is None
        if not reseed and self._points is None:
            return
        supervision, start, rendering = self._scene.supervision, self.variables.splats().detach(), self._scene.rendering
        trained, impossible = supervision.views.subset(supervision.trained), supervision.impossible(start)
        new = [] if self._points is None else [self._points]
        alone = bool(new) and self._config.points == "alone"
        dropped = torch.full_like(start.opacities, alone, dtype=torch.bool)
        if reseed and alone:
            new.append(surroundings(new[0], trained, rendering, self._scene.seed))
        elif reseed:
            known = sum(some.count for some in new)
            dropped, elsewhere = replacements(start, trained, rendering, self._scene.seed, impossible, known)
            new.append(elsewhere)
        added = self.variables.raw(self._at_most(Gaussians.cat(new), int((~dropped).sum())))
        exchange(self.variables.parameters, self.variables.optimizers, ~dropped, added)

    def step(self, progress: float) -> None:
        self._densification.observe(self.variables.parameters)
        self.variables.step(progress)
        if self.moving is not None:
            self.moving.step(progress)

    def after_step(self, step: int, pictures: list[dict[str, Any]] | None, look_due: bool) -> None:
        """Growth where it is due; nothing stays right before a camera, nor where cut-out photos show nothing, looked at
        whenever left-out views would be."""
        variables = self.variables
        self._densification.grow(variables.parameters, variables.optimizers, step, pictures or ())
        if self._clear_space.depth > 0 and look_due:
            self._drop(self._clear_space.contains(variables.splats().detach()))
        impossible = self._scene.supervision.impossible(variables.splats().detach()) if look_due else None
        if impossible is not None:
            self._drop(impossible)

    def settle(self) -> None:
        self.variables.settle()
        if self.moving is not None:
            self.moving.settle()

    def snapshot(self) -> Any:
        still = self.variables.snapshot()
        return still if self.moving is None else (still, self.moving.snapshot())

    def restore(self, snapshot: Any) -> None:
        if self.moving is not None:
            snapshot, moving = snapshot
            self.moving.restore(moving)
        self.variables.restore(snapshot)

    def state_dict(self) -> dict[str, Any]:
        moving = {} if self.moving is None else {"moving": self.moving.state_dict()}
        return {**self.variables.state_dict(), "densification": self._densification.state_dict(), **moving}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.variables.load_state_dict(state)
        if self.moving is not None:
            self.moving.load_state_dict(state["moving"])
        device = self.variables.parameters["means"].device
        self._densification.load_state_dict(state["densification"], device)

    def _known(self, most: int) -> Gaussians | None:
        """The scene's points that the supervised photos see, where there are enough of them and they are wanted; of
        clouds with very many some."""
        supervision, points = self._scene.supervision, self._scene.points
        if points is None or self._config.points == "off":
            return None
        some, seed = points.thinned(_LOOKED_AT * most, self._scene.seed), self._scene.seed
        seen = some.seen_by(supervision.views.subset(supervision.trained)).thinned(most, seed)
        return supervision.possible(seen.gaussians(), wholly=False) if seen.count >= _FEWEST_POINTS else None

    def _at_most(self, new: Gaussians, kept: int) -> Gaussians:
        """As many of the new Gaussians as the limit leaves room for beside those that are kept, evenly chosen."""
        room = new.count if self._limit is None else max(self._limit - kept, 0)
        if room >= new.count:
            return new
        return new.select(drawn(new.count, room, self._scene.seed).to(new.means.device))

    def _drop(self, dropped: Bool[Tensor, " gaussian"]) -> None:
        """Takes Gaussians away, unless that is all of them."""
        if dropped.any() and not dropped.all():
            self._densification.drop(self.variables.parameters, self.variables.optimizers, dropped)


def gaussian_budget(config: TuningConfig, first: int, views: Views) -> int:
    """How many Gaussians a stage that begins with `first` may grow to."""
    budget = max(first, _wanted(config, views))
    return budget if config.max_gaussians is None else min(budget, config.max_gaussians)


def starting_count(config: TuningConfig, predicted: int, views: Views) -> int:
    """With how many of the Gaussians that a network predicts a stage begins; with all where none grow."""
    wanted, share = _wanted(config, views), config.gaussians.start_share
    if not wanted or share == 1.0:
        return predicted
    if config.max_gaussians is not None:
        wanted = min(wanted, config.max_gaussians)
    return min(predicted, max(round(share * wanted), 1))


def _wanted(config: TuningConfig, views: Views) -> int:
    return round(config.gaussians.per_pixel * views.height * views.width)


def fewer(gaussians: Gaussians, count: int, seed: int) -> Gaussians:
    """At most `count` of the Gaussians, drawn evenly and made larger, to cover as much; all if there are no more."""
    if gaussians.count <= count:
        return gaussians
    some = gaussians.select(drawn(gaussians.count, count, seed).to(gaussians.means.device))
    return replace(some, scales=some.scales * (gaussians.count / count) ** 0.5)


def check_memory(config: TuningConfig, first: int, views: Views) -> None:
    """UserError where not even one of the views fits into memory beside the Gaussians that `first` may grow to."""
    budget = gaussian_budget(config, first, views)
    views_that_fit(budget, 1, views.height, views.width, free_memory(views.c2w.device))


def densification(config: GaussianStageConfig, scene: StageScene, first: int, budget: int, steps: int) -> Densification:
    """What `config` asks for, from `first` Gaussians to `budget` within the first part of `steps`."""
    until, every = config.growth_end * steps, config.growth_every
    if config.densification == "budget":
        return BudgetDensification(first, budget, until, every)
    device = scene.supervision.views.c2w.device
    return GsplatDensification(config.densification, scene.extent, budget, until, every, scene.seed, device)


def thinned(gaussians: Gaussians, share: float, seed: int) -> Gaussians:
    """The Gaussians with `share` of their opacities, drawn at random, at zero and the others raised to make up for it.

    What hides behind another Gaussian in the few photos there are is seen and corrected too (DropGaussian, Park et al.,
    CVPR 2025).
    """
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(gaussians.opacities.shape, generator=generator).to(gaussians.opacities) >= share
    return replace(gaussians, opacities=(gaussians.opacities * kept / (1 - share)).clamp(max=1.0))
