"""From photos to a tuning that is ready to go: by evidence, within its time, or as another one went."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tokengs_nerfstudio.core.compiled import compiling_seconds, working_seconds
from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.tuning.candidates import FEED_FORWARD, Candidate, candidates
from tokengs_nerfstudio.core.tuning.config import StoppingConfig, TuningConfig
from tokengs_nerfstudio.core.tuning.costs import Clock, StageSizes, measured_costs
from tokengs_nerfstudio.core.tuning.entry_checks import check_arguments
from tokengs_nerfstudio.core.tuning.evidence import Evidence
from tokengs_nerfstudio.core.tuning.gaussians import GaussianStage, fewer, gaussian_budget, starting_count
from tokengs_nerfstudio.core.tuning.pacing import Allowance, Pacer, Repetition, sized
from tokengs_nerfstudio.core.tuning.photometry import Parts
from tokengs_nerfstudio.core.tuning.plan import TuningPlan
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.schedule import chosen_space, leaves_out
from tokengs_nerfstudio.core.tuning.settings import with_settings
from tokengs_nerfstudio.core.tuning.surfaces import beginning_with, looks_for_surfaces, photos_in, surfaces
from tokengs_nerfstudio.core.tuning.trials import Trials, gathered
from tokengs_nerfstudio.core.types import Gaussians

_log = logging.getLogger(__name__)

# Trials are to take this share of the time: they stay below a quarter also where a few steps promised too much. There
# are none before fewer steps than this that were asked for.
_FOR_TRIALS, _FEWEST_STEPS = 0.15, 100
# Share of the time that stereo may take, and of what is left of it.
_FOR_STEREO, _OF_THE_REST = 0.1, 0.2
# Seconds of compiling that are worth a word: reading compiled kernels from their cache takes less.
_LONG_COMPILED = 3.0


@dataclass(frozen=True)
class PlannedTuning:
    """A tuning, and what decides about its steps on the way."""

    tuning: SceneTuning
    asked: TuningConfig
    """what the tuning's configuration was before anything was decided"""
    follower: Pacer | Repetition = field(default_factory=lambda: Repetition(()))
    trials: tuple[Mapping[str, Any], ...] = ()
    """as in `TuningPlan.trials`"""

    def step(self) -> Parts:
        """One step of the tuning, as `SceneTuning.step`."""
        parts = self.tuning.step()
        self.follower.after_step(self.tuning)
        return parts

    def plan(self) -> TuningPlan:
        """What has been done, and is meant to be done."""
        return TuningPlan.of(self.tuning, self.asked, self.trials)


@dataclass(frozen=True)
class Planner:
    """Makes tunings of one scene."""

    network: TokenGSNetwork
    scene: PreparedScene
    config: TuningConfig
    seed: int = 0
    antialiased: bool = False
    told: Callable[[str], Any] = _log.debug
    """is told what is being tried"""
    begun: Callable[[SceneTuning], Any] | None = None
    """is given a tuning of no steps, which holds what the network predicts, before anything is tried"""

    def tuning(self, steps: int | None, allowance: Allowance) -> PlannedTuning:
        """As the configuration's plan says where it names one; else of `steps`, or of what is left of the time.

        Errors as `SceneTuning` has them.
        """
        check_arguments(self.scene, self.config, steps or 0, self.seed, None)
        if self.config.plan is not None:
            return self.again(TuningPlan.read(self.config.plan))
        return self.by_time(allowance) if steps is None else self.by_steps(steps, allowance.clock)

    def by_steps(self, steps: int, clock: Clock = working_seconds) -> PlannedTuning:
        """So many steps at most; trials, of a length of their own, decide how. `clock` says how long these took."""
        tried = self._tried(limited=False) if steps >= _FEWEST_STEPS else []
        if tried and self.begun is not None:
            self._begin()
        evidence = self._evidence(tried, None, clock)
        config = self._decided(evidence)
        found = self._surfaces(config) if steps > 0 else None
        return PlannedTuning(self._tuning(config, steps, found), self.config, trials=_rows(evidence))

    def by_time(self, allowance: Allowance) -> PlannedTuning:
        """As much as fits into what is left of the time."""
        start = self._begin()
        share = min(_FOR_TRIALS * allowance.seconds, 0.5 * allowance.left)
        evidence = self._evidence(self._tried(limited=True), share, allowance.clock)
        if evidence is not None and evidence.best.space == FEED_FORWARD:
            return PlannedTuning(self._tuning(self.config, 0), self.config, trials=_rows(evidence))
        config = self._decided(evidence)
        if allowance.left <= 0:
            _log.warning(f"{allowance.seconds:g} s leave no time to tune: this is what the network predicts")
            return PlannedTuning(self._tuning(config, 0), self.config, trials=_rows(evidence))
        views = self.scene.example.target
        start = fewer(start, starting_count(config, start.count, views), self.seed)
        space = chosen_space(config.space, self.network.config, views.num_views, config.few_views)
        config = replace(config, space=space)
        config = self._in_time(config, allowance)
        found = self._surfaces(config)
        self.told("what a step costs")
        costs = measured_costs(self.network, self.scene, config, start, space, allowance.clock)
        sizes = StageSizes(config, start.count, views)
        config, steps = sized(config, space, costs, sizes, allowance.left)
        sizes = replace(sizes, config=config)
        self._say(config, steps, sizes, allowance)
        tuning = self._tuning(config, steps, found)
        return PlannedTuning(tuning, self.config, Pacer(allowance, costs, sizes), _rows(evidence))

    def again(self, plan: TuningPlan) -> PlannedTuning:
        """As the plan says, to the last bit where photos, weights and machine are the same."""
        views = self.scene.example.target
        if (views.height, views.width, views.num_views) != (*plan.size, plan.photos):
            _log.warning(
                f"the plan was made for {plan.photos} photos of {plan.size[1]}x{plan.size[0]}, here are "
                f"{views.num_views} of {views.width}x{views.height}: the result will be another"
            )
        planner = replace(self, config=plan.config, seed=plan.seed)
        tuning = planner._tuning(plan.config, plan.steps, planner._surfaces(plan.config) if plan.steps > 0 else None)
        return PlannedTuning(tuning, self.config, Repetition(plan.paces), plan.trials)

    def going_on(self, plan: TuningPlan | None, steps: int) -> PlannedTuning:
        """For the state of an earlier tuning, which had that plan: nothing is tried or measured anew."""
        if self.config.plan is not None:
            return self.again(TuningPlan.read(self.config.plan))
        if plan is None:
            return PlannedTuning(self._tuning(self.config, steps), self.config)
        config = plan.going_on(self.config)
        begun = bool(plan.stages) and plan.stages[0][0] == GaussianStage.name
        found = None if begun else self._surfaces(config)
        return PlannedTuning(self._tuning(config, steps, found), self.config, trials=plan.trials)

    def _tuning(self, config: TuningConfig, steps: int, found: PointCloud | None = None) -> SceneTuning:
        scene = beginning_with(found, self.scene, config, self.seed)
        return SceneTuning(self.network, scene, config, steps, seed=self.seed, antialiased=self.antialiased)

    def _surfaces(self, config: TuningConfig) -> PointCloud | None:
        """Points that the photos tell, where `config` wants some."""
        self.told("where surfaces are")
        found = surfaces(self.scene, self.network.config, config, self.seed)
        if found is not None:
            _log.info(f"Stereo: {found.count:,} pixels of the photos agree on where surfaces are")
        return found

    def _in_time(self, config: TuningConfig, allowance: Allowance) -> TuningConfig:
        """With stereo on no more photos than there is time for."""
        views, wanted = self.scene.example.target, config.gaussians.stereo
        if not looks_for_surfaces(self.network.config, config, views.num_views):
            return config
        share = min(_FOR_STEREO * allowance.seconds, _OF_THE_REST * allowance.left)
        photos = photos_in(share, views, allowance.clock)
        enough = photos >= min(wanted, views.num_views)
        return config if enough else with_settings(config, {"gaussians.stereo": photos})

    def _begin(self) -> Gaussians:
        """What the network predicts, in the network's frame; whoever waits for it has it."""
        start = self._tuning(self.config, 0)
        if self.begun is not None:
            self.begun(start)
        return start.gaussians()

    def _tried(self, limited: bool) -> list[Candidate]:
        """None where nothing is to be decided. Without a limit of time the feed-forward result is left out: somebody
        has asked for steps."""
        photos = self.scene.example.target.num_views
        looked_for = looks_for_surfaces(self.network.config, self.config, photos)
        known = self.scene.points is not None
        tried = candidates(self.config, self.network.config, photos, known, looked_for) if self.config.trials else []
        return [candidate for candidate in tried if limited or candidate.space != FEED_FORWARD]

    def _evidence(self, tried: list[Candidate], seconds: float | None, clock: Clock) -> Evidence | None:
        """None where nothing is tried or nothing can be shown."""
        if not tried:
            return None
        most = "" if seconds is None else f", for at most {max(seconds, 0):.0f} s"
        _log.info(f"{len(tried)} ways to tune are tried on photos that are left out{most}")
        most = starting_count(self.config, self.network.num_gaussians, self.scene.example.target)
        trials = Trials(self.network, self.config, self.seed, self.antialiased, self.told, most)
        evidence = gathered(trials, self.scene, tried, seconds, clock)
        if evidence is not None:
            _log.info(evidence.table())
        return evidence

    def _decided(self, evidence: Evidence | None) -> TuningConfig:
        """As the trials have it. What they left out has told what it could, and supervises with the other photos to the
        end, unless somebody wants to stop otherwise."""
        if evidence is None:
            return self.config
        config = evidence.decided(self.config)
        stops = leaves_out(config, self.scene.example.target.num_views) and config.stopping == StoppingConfig()
        return with_settings(config, {"stopping.rule": "steps"}) if stops else config

    def _say(self, config: TuningConfig, steps: int, sizes: StageSizes, allowance: Allowance) -> None:
        finest = min(level for _, level in config.gaussians.levels)
        views = sizes.views
        _log.info(
            f"Plan: {config.space}, {steps} steps in {max(allowance.left, 0):.0f} s of {allowance.seconds:g} s, on "
            f"photos of {round(views.width / finest)}x{round(views.height / finest)}, up to "
            f"{gaussian_budget(config, sizes.first, views):,} Gaussians"
        )
        if compiling_seconds() > _LONG_COMPILED:
            _log.info(
                f"{compiling_seconds():.0f} s more went into compiling the renderer for this processor, as happens once"
            )


def _rows(evidence: Evidence | None) -> tuple[Mapping[str, Any], ...]:
    return () if evidence is None else evidence.rows()
