"""Time that a tuning is given: how large and how long it is to be, and corrections on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.costs import Clock, StageSizes, StepCosts, seconds_of, settled
from tokengs_nerfstudio.core.tuning.course import Course
from tokengs_nerfstudio.core.tuning.gaussians import GaussianStage
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.schedule import planned_stages

# Where fewer steps than this fit, photos and Gaussians become fewer; photos at most so many times smaller.
_ENOUGH_STEPS, _COARSER = 300, (1.0, 2**0.5, 2.0, 2 * 2**0.5, 4.0)
_MOST_STEPS = 1_000_000
_SMALLEST_LEVEL = 64.0
# A look at the clock after this share of the time; the number of steps changes where it is off by more than the other.
_LOOK, _OFF = 0.02, 0.03
# How much the last look says of the steps to come, against all looks before.
_LAST_LOOK = 0.5


@dataclass(frozen=True)
class Allowance:
    """The time of a whole command."""

    seconds: float
    clock: Clock
    began: float
    """what the clock said when the command began"""
    reserve: float = 0.0
    """seconds that it needs once tuning is over"""

    @property
    def left(self) -> float:
        """Seconds for tuning from now on."""
        return self.seconds - self.reserve - (self.clock() - self.began)


def most_steps(config: TuningConfig, space: str, photos: int) -> int:
    """How many steps of `space` there may be at most, however much time there is."""
    return sum(stage.steps for stage in planned_stages(space, _MOST_STEPS, config, photos))


def coarser(config: TuningConfig, factor: float) -> TuningConfig:
    """The same on photos that are `factor` times smaller than they are, with as many fewer Gaussians."""
    stage = config.gaussians
    levels = tuple((start, min(level * factor, _SMALLEST_LEVEL)) for start, level in stage.levels)
    return replace(config, gaussians=replace(stage, levels=levels, per_pixel=stage.per_pixel / factor**2))


def sized(
    config: TuningConfig, space: str, costs: StepCosts, sizes: StageSizes, seconds: float
) -> tuple[TuningConfig, int]:
    """The configuration and the number of steps that fill `seconds`: on the whole photos, if that leaves enough steps.

    More steps than `most_steps` are never taken: few photos are soon known by heart.
    """
    most = most_steps(config, space, sizes.views.num_views)
    tried, steps = config, 0
    for factor in _COARSER:
        tried = coarser(config, factor) if factor > 1 else config
        steps = _steps_in(seconds, tried, space, costs, replace(sizes, config=tried), most)
        if steps >= min(_ENOUGH_STEPS, most) or GaussianStage.name not in space:
            break
    return tried, steps


def _steps_in(seconds: float, config: TuningConfig, space: str, costs: StepCosts, sizes: StageSizes, most: int) -> int:
    """The most steps, up to `most`, that take no longer than `seconds`."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        stages = planned_stages(space, middle, config, sizes.views.num_views)
        if seconds_of(stages, costs, sizes) <= seconds:
            low = middle
        else:
            high = middle - 1
    return low


class Pacer:
    """Keeps a tuning to its time: after some steps it compares the clock with `costs`, and changes what is to come."""

    def __init__(self, allowance: Allowance, costs: StepCosts, sizes: StageSizes):
        self._allowance, self._costs, self._sizes = allowance, costs, sizes
        self._most = most_steps(sizes.config, GaussianStage.name, sizes.views.num_views)
        self._seen, self._reckoned = allowance.clock(), 0.0
        self._began = self._seen
        self._slowness: float | None = None

    def after_step(self, tuning: SceneTuning) -> None:
        """Once after each step of the tuning."""
        course = tuning.course
        if course.here is None:
            return
        if tuning.steps_done == 1:  # what is done once for all steps says nothing of those to come
            self._seen = settled(self._allowance.clock, self._sizes.views)
            return
        progress = course.progress
        of_gaussians = course.here.name == GaussianStage.name
        self._reckoned += self._cost(progress) if of_gaussians else self._costs.tokens
        early = self._allowance.clock() - self._seen < _LOOK * self._allowance.seconds
        if early and (course.later or course.steps_left > 1):
            return
        self._look()
        mean = self._sizes.mean_cost(self._costs, progress) if of_gaussians else self._costs.tokens
        assert self._slowness is not None  # a look has been taken
        left = max(1, round(self._left_for(course) / max(self._slowness * mean, 1e-9)))
        planned = course.steps_of_stage - course.steps_in_stage
        if course.later:
            left = min(left, planned)
        elif of_gaussians:
            left = min(left, max(self._most - course.steps_in_stage, 1))
        if abs(left - planned) > _OFF * planned:
            tuning.repace(left)

    def _left_for(self, course: Course) -> float:
        """Seconds that are left for the stage at hand: no more than its share of all, where others are to come."""
        if course.here is None or not course.later:
            return self._allowance.left
        here, *later = (seconds_of([stage], self._costs, self._sizes) for stage in (course.here, *course.later))
        gone = self._seen - self._began
        return (gone + self._allowance.left) * here / max(here + sum(later), 1e-9) - gone

    def _cost(self, progress: float) -> float:
        return self._costs.gaussians(self._sizes.pixels(progress), self._sizes.count(progress))

    def _look(self) -> None:
        """How many times slower than reckoned the steps since the last look were."""
        now = settled(self._allowance.clock, self._sizes.views)
        slowness = (now - self._seen) / max(self._reckoned, 1e-9)
        before = slowness if self._slowness is None else self._slowness
        self._slowness = (1 - _LAST_LOOK) * before + _LAST_LOOK * slowness
        self._seen, self._reckoned = now, 0.0


class Repetition:
    """Changes the number of steps where another tuning did."""

    def __init__(self, paces: Sequence[tuple[int, int]]):
        self._paces = dict(paces)

    def after_step(self, tuning: SceneTuning) -> None:
        """Once after each step of the tuning."""
        if tuning.steps_done in self._paces and not tuning.finished:
            tuning.repace(self._paces[tuning.steps_done])
