"""What a tuning is given, its arguments and the state of an earlier one: whether it can begin or go on with that."""

from collections.abc import Mapping
from typing import Any

from tokengs_nerfstudio.core.checks import all_finite, check_gaussians
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.ranges import Seed, Whole, check_value
from tokengs_nerfstudio.core.rendering.gsplat_strategies import check_densification
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.supervision import check_supervision
from tokengs_nerfstudio.core.types import Gaussians


def check_arguments(scene: Any, config: Any, steps: int, seed: int, start: Gaussians | None) -> None:
    """UserError for arguments of `SceneTuning` that nothing can be tuned with."""
    if not isinstance(scene, PreparedScene):
        raise UserError(f"the scene must be what prepare(network, example) makes, got a {type(scene).__name__}")
    if start is not None:
        check_gaussians(start, "start")
        if start.count == 0:
            raise UserError("tuning cannot start from no Gaussians at all")
    check_value(config, TuningConfig, "TuningConfig")
    check_value(steps, Whole, "steps")
    check_value(seed, Seed, "seed")
    check_supervision(scene.example.target, steps)
    if steps > 0:
        check_densification(config.gaussians.densification, scene.example.target.c2w.device)


def check_growth(config: TuningConfig, space: str, network: NetworkConfig) -> None:
    """UserError where Gaussians are to grow by a strategy that has to see all of a picture as their own."""
    if "gaussians" in space and network.dynamic_tokens and config.gaussians.densification != "budget":
        raise UserError(
            f"tuning.gaussians.densification is '{config.gaussians.densification}', but where weights make part of the "
            "scene move only 'budget' can tell which of the Gaussians are to grow"
        )


def kind_of(config: TuningConfig, space: str, held_out: list[int], antialiased: bool) -> dict[str, Any]:
    """What decides which variables a tuning has, and how they are looked at, by the names that `check_kind` says."""
    cameras = config.cameras
    return {
        "tuning.space": space,
        "tuning.gaussians.densification": config.gaussians.densification,
        "tuning.gaussians.harmonics": config.gaussians.harmonics,
        "refined poses": cameras.pose_rate > 0,
        "adjusted poses": cameras.adjust,
        "adjusted focal length": cameras.focal,
        "tuned exposures": cameras.exposure_rate > 0,
        "tuning.stopping": f"{config.stopping.rule}, without photo {held_out}",
        "antialiased": antialiased,
    }


def check_version(state: Mapping[str, Any]) -> None:
    """UserError for a state of version 0.1."""
    if "kind" not in state:
        raise UserError("the run was tuned by version 0.1 and cannot go on: start anew without --load-dir")


def check_kind(state: Mapping[str, Any], kind: Mapping[str, Any]) -> None:
    """UserError for a state whose `kind` is another than that of the tuning at hand, or of version 0.1."""
    check_version(state)
    for name, value in kind.items():
        # States of before a name was added do not say it; there was one way of rendering then.
        there = state["kind"].get(name, False if name == "antialiased" else value)
        if there != value:
            raise UserError(f"the run to resume was tuned with {name} {there!r}, now it is {value!r}: go on alike")


def check_content(state: Mapping[str, Any]) -> None:
    """UserError for a state whose plan is impossible or whose values are not finite."""
    pace = state.get("pace")  # older runs do not have one
    _check_plan(state["plan"], state["stage"], None if pace is None else pace[0][0])
    if not all_finite(state["variables"]):
        raise UserError("the run to resume holds values that are not finite: go on from an earlier checkpoint")


def _check_plan(plan: list[tuple[str, int]], stage: tuple[int, int], paced: int | None) -> None:
    """UserError for a plan of stages that there are none of, and for a place outside of it; `paced` is how many steps
    the stage at hand has come to have."""
    known = all(name in ("tokens", "latents", "gaussians") and steps > 0 for name, steps in plan)
    number, step = stage
    most = (plan[number][1] if paced is None else paced) if number < len(plan) else 0
    if not known or not 0 <= number <= len(plan) or not 0 <= step <= most:
        raise UserError(f"the run to resume has an impossible plan: {plan}, at stage {number}, step {step}")
