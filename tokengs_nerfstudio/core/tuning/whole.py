"""A tuning from its first step to its last, for whoever has nothing to do in between."""

from collections.abc import Callable
from dataclasses import replace

from tokengs_nerfstudio.core.compiled import working_seconds
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.ranges import Positive, check_value
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.costs import Clock
from tokengs_nerfstudio.core.tuning.pacing import Allowance
from tokengs_nerfstudio.core.tuning.photometry import Parts
from tokengs_nerfstudio.core.tuning.planning import PlannedTuning, Planner
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.types import Gaussians


def tune(
    network: TokenGSNetwork,
    scene: PreparedScene,
    config: TuningConfig,
    steps: int | None = None,
    seed: int = 0,
    on_step: Callable[[SceneTuning, Parts], None] | None = None,
    antialiased: bool = False,
    seconds: float | None = None,
    clock: Clock = working_seconds,
) -> Gaussians:
    """Tunes one scene and returns its Gaussians, all in the canonical frame; `on_step` is called after each step.

    So many `steps`; without them as many as the whole call has time for, `seconds` by `clock`, the configuration's
    where they are left out. Trials that decide what is tuned are said in the package's log.
    """
    planned = planned_tuning(network, scene, config, steps, seed, antialiased, seconds, clock)
    run_through(planned, on_step)
    return planned.tuning.gaussians()


def planned_tuning(
    network: TokenGSNetwork,
    scene: PreparedScene,
    config: TuningConfig,
    steps: int | None = None,
    seed: int = 0,
    antialiased: bool = False,
    seconds: float | None = None,
    clock: Clock = working_seconds,
    began: float | None = None,
) -> PlannedTuning:
    """What `tune` goes through, before its first step; `began` is what the clock said when the time began to count."""
    check_value(config, TuningConfig, "TuningConfig")
    began = clock() if began is None else began
    if seconds is not None:
        check_value(seconds, Positive, "seconds")
        config = replace(config, seconds=seconds)
    return Planner(network, scene, config, seed, antialiased).tuning(steps, Allowance(config.seconds, clock, began))


def run_through(planned: PlannedTuning, on_step: Callable[[SceneTuning, Parts], None] | None = None) -> None:
    """Every step there is; `on_step` is called after each."""
    while not planned.tuning.finished:
        parts = planned.step()
        if on_step is not None:
            on_step(planned.tuning, parts)
