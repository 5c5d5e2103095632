"""What the steps of a tuning cost on this machine: a few are taken and timed, the others are reckoned from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from tokengs_nerfstudio.core.geometry.resize import level_size
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.gaussians import GaussianStage, gaussian_budget
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.schedule import PlannedStage, level_factor
from tokengs_nerfstudio.core.tuning.settings import with_settings
from tokengs_nerfstudio.core.types import Gaussians, Views

Clock = Callable[[], float]
"""Seconds since any moment that stays the same."""

# Points of a stage at which its mean cost is reckoned.
_POINTS = 40


@dataclass(frozen=True)
class StepCosts:
    """Seconds of a step; of one on Gaussians: `fixed` + `per_pixel` rendered + `per_gaussian`."""

    tokens: float
    """on tokens or latents; 0 where none is planned"""
    fixed: float
    per_pixel: float
    per_gaussian: float

    def gaussians(self, pixels: float, count: float) -> float:
        """Of a step that renders so many pixels of so many Gaussians."""
        return self.fixed + self.per_pixel * pixels + self.per_gaussian * count


@dataclass(frozen=True)
class StageSizes:
    """How large the work of the Gaussian stage is, as its configuration says."""

    config: TuningConfig
    first: int
    """Gaussians to begin with"""
    views: Views
    """supervised"""

    def pixels(self, progress: float) -> float:
        """Rendered in a step."""
        height, width = self._size(progress)
        return min(self.config.gaussians.views_per_step, self.views.num_views) * height * width

    def count(self, progress: float) -> float:
        """Gaussians, as the budget lets them grow."""
        budget, end = gaussian_budget(self.config, self.first, self.views), self.config.gaussians.growth_end
        share = min(progress / end, 1.0) if end > 0 else 1.0
        return self.first * (budget / self.first) ** share

    def _size(self, progress: float) -> tuple[int, int]:
        factor = level_factor(progress, self.config.gaussians.levels)
        return level_size(self.views.height, self.views.width, factor)

    def mean_cost(self, costs: StepCosts, start: float = 0.0) -> float:
        """Seconds of a step of the Gaussian stage, in the mean from `start` of it to its end."""
        points = [start + (1 - start) * (number + 0.5) / _POINTS for number in range(_POINTS)]
        return sum(costs.gaussians(self.pixels(point), self.count(point)) for point in points) / _POINTS


def seconds_of(stages: Sequence[PlannedStage], costs: StepCosts, sizes: StageSizes) -> float:
    """What whole stages cost."""
    mean = sizes.mean_cost(costs)
    return sum(stage.steps * (mean if stage.name == GaussianStage.name else costs.tokens) for stage in stages)


def measured_costs(
    network: TokenGSNetwork, scene: PreparedScene, config: TuningConfig, start: Gaussians, space: str, clock: Clock
) -> StepCosts:
    """From a few steps that nothing comes of: coarse and fine images of `start`, fine ones of as many as allowed."""
    tokens, gaussians = 0.0, (0.0, 0.0, 0.0)
    if space != GaussianStage.name:
        kind = "latents" if space == "latents" else "tokens"
        tokens = _seconds(network, scene, replace(config, space=kind), None, clock)
    if GaussianStage.name in space:
        gaussians = _gaussian_costs(network, scene, config, start, clock)
    return StepCosts(tokens, *gaussians)


def _gaussian_costs(
    network: TokenGSNetwork, scene: PreparedScene, config: TuningConfig, start: Gaussians, clock: Clock
) -> tuple[float, float, float]:
    def timed(level: float, gaussians: Gaussians) -> tuple[float, float]:
        settings = {"gaussians.levels": ((0.0, level),), "gaussians.per_pixel": 0.0, "max_gaussians": None}
        sized = with_settings(config, settings)
        pixels = StageSizes(sized, gaussians.count, scene.example.target).pixels(0.0)
        return pixels, _seconds(network, scene, sized, gaussians, clock)

    levels = [factor for _, factor in config.gaussians.levels]
    budget = gaussian_budget(config, start.count, scene.example.target)
    many = _as_many(start, budget)
    (few_pixels, coarse), (pixels, fine), (_, crowded) = (
        timed(max(levels), start), timed(min(levels), start), timed(min(levels), many)
    )  # fmt: skip
    added = many.count - start.count
    per_gaussian = max(crowded - fine, 0.0) / added if added > 0 else 0.0
    per_pixel = max(fine - coarse, 0.0) / (pixels - few_pixels) if pixels > few_pixels else 0.0
    return max(coarse - per_pixel * few_pixels - per_gaussian * start.count, 0.0), per_pixel, per_gaussian


def _seconds(
    network: TokenGSNetwork, scene: PreparedScene, config: TuningConfig, start: Gaussians | None, clock: Clock
) -> float:
    return step_seconds(SceneTuning(network, scene, to_be_timed(config), 3, start), clock)


def to_be_timed(config: TuningConfig) -> TuningConfig:
    """The same steps without what comes before the first of them, which takes longer than a few steps do."""
    without = {"gaussians.reseed": False, "gaussians.clear_share": 0.0, "cameras.adjust": False, "cameras.focal": False}
    return with_settings(config, {"stopping.rule": "steps", **without})


def step_seconds(run: SceneTuning, clock: Clock, steps: int = 1) -> float:
    """The least that a step of so many took; one before them, which is slower, is not counted."""
    run.step()
    seconds = []
    for _ in range(steps):
        before = settled(clock, run.supervision.views)
        run.step()
        seconds.append(settled(clock, run.supervision.views) - before)
    return min(seconds)


def settled(clock: Clock, views: Views) -> float:
    """What the clock says once the device of the views has done what it was asked for."""
    if views.c2w.is_cuda:
        torch.cuda.synchronize()
    return clock()


def _as_many(gaussians: Gaussians, count: int) -> Gaussians:
    """`count` Gaussians that cover what the given ones do: those that are repeated are smaller."""
    index = torch.arange(max(count, 1), device=gaussians.means.device) % gaussians.count
    repeated = gaussians.select(index)
    return replace(repeated, scales=repeated.scales * (gaussians.count / max(count, 1)) ** 0.5)
