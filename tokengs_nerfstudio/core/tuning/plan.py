"""What a tuning has settled on, as a file: repeated on the same photos, it gives the same Gaussians to the last bit."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.errors import MissingFileError, UserError, content_of
from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.core.json_text import read_json
from tokengs_nerfstudio.core.ranges import Seed, Whole, check_value
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.settings import differences, with_settings

_VERSION = 1
# How a plan came about, which whoever repeats it has no use for.
_NOT_REPEATED = ("seconds", "trials", "plan")


@dataclass(frozen=True)
class TuningPlan:
    """Choice, stages, sizes and steps of one tuning."""

    config: TuningConfig
    """every setting as it was used, what evidence and time have decided among them"""
    steps: int
    """planned at the start"""
    paces: tuple[tuple[int, int], ...] = ()
    """changes on the way: after so many steps, so many of the stage at hand were to come"""
    seed: int = 0
    stages: tuple[tuple[str, int], ...] = ()
    """as they were planned; said, not asked for"""
    size: tuple[int, int] = (0, 0)
    """height and width of the supervised photos"""
    photos: int = 0
    """their number"""
    gaussians: int = 0
    """how many there were in the end"""
    decided: Mapping[str, Any] = field(default_factory=dict)
    """settings, by their paths, that evidence and time have made others than they were asked for"""
    trials: tuple[Mapping[str, Any], ...] = ()
    """what was tried and scored; none where nothing was"""

    @classmethod
    def of(cls, tuning: SceneTuning, asked: TuningConfig, trials: tuple[Mapping[str, Any], ...] = ()) -> "TuningPlan":
        """What a tuning has done, and what it still means to do, where `asked` was asked for."""
        views = tuning.supervision.views
        config = replace(tuning.config, space=tuning.space)
        return cls(
            config=config,
            steps=tuning.steps,
            paces=tuning.course.paces,
            seed=tuning.seed,
            stages=tuple((stage.name, stage.steps) for stage in tuning.course.stages),
            size=(views.height, views.width),
            photos=views.num_views,
            gaussians=tuning.gaussians().count,
            decided=differences(asked, config),
            trials=trials,
        )

    def going_on(self, config: TuningConfig) -> TuningConfig:
        """`config` with what was decided, for whoever goes on with the tuning; what is asked for otherwise stays."""
        decided = {name: value for name, value in self.decided.items() if name != "space" or config.space == "auto"}
        return with_settings(config, decided)

    def as_numbers(self) -> dict[str, Any]:
        """Plain values, for JSON and checkpoints."""
        record = {name: value for name, value in vars(self).items() if name != "config"}
        config = {name: value for name, value in asdict(self.config).items() if name not in _NOT_REPEATED}
        return json.loads(json.dumps({"version": _VERSION, **record, "tuning": config}))

    def write(self, path: Path) -> None:
        """As JSON; UserError where nothing can be written."""
        write_text(path, json.dumps(self.as_numbers(), indent=1) + "\n")

    @classmethod
    def read(cls, path: str | Path) -> "TuningPlan":
        """What `write` wrote. MissingFileError, or UserError for a file that is no plan or has impossible settings."""
        path = Path(path)
        if not path.is_file():
            raise MissingFileError(f"there is no plan {path}; a run writes its own as plan.json into its folder")
        with content_of(path, "a plan of a tuning", "name the plan.json of a finished run"):
            saved = read_json(path)
            if saved["version"] != _VERSION:
                raise UserError(f"it has version {saved['version']}, this program knows {_VERSION}")
            return cls.of_numbers(saved)

    @classmethod
    def of_numbers(cls, saved: Mapping[str, Any]) -> "TuningPlan":
        """From what `as_numbers` gave; UserError for settings out of their ranges."""
        config = _config(TuningConfig(), _of_each_stage(saved["tuning"]))
        check_value(config, TuningConfig, "tuning")
        check_value(saved["steps"], Whole, "steps")
        check_value(saved["seed"], Seed, "seed")
        paces = tuple((step, left) for step, left in saved["paces"])
        for number in sum(paces, ()):
            check_value(number, Whole, "paces")
        size = (saved["size"][0], saved["size"][1])
        stages = tuple((name, steps) for name, steps in saved["stages"])
        record = {name: saved[name] for name in ("steps", "seed", "photos", "gaussians")}
        decided = {name: _tuples(value) for name, value in saved["decided"].items()}
        trials = tuple(saved["trials"])
        return cls(config, paces=paces, stages=stages, size=size, decided=decided, trials=trials, **record)


def _of_each_stage(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Plans once had one number of photos a step for all stages, began with all that a network predicts, knew no
    stereo, and ended with what their last step left."""
    before = {"views_per_step": saved["views_per_step"], "start_share": 1.0, "stereo": 0, "averaging": 0.0}
    return {**saved, "gaussians": {**before, **saved["gaussians"]}}


def _config(usual: Any, saved: Mapping[str, Any]) -> Any:
    """A configuration of the saved values; those that a file of before does not have are as in `usual`."""
    known = {entry.name for entry in fields(usual)}
    unknown = sorted(set(saved) - known)
    if unknown:
        raise UserError(f"it has settings that this program does not know: {', '.join(unknown)}")
    parts = {name: getattr(usual, name) for name in saved}
    values = {name: _config(parts[name], v) if is_dataclass(parts[name]) else _tuples(v) for name, v in saved.items()}
    return replace(usual, **values)


def _tuples(value: Any) -> Any:
    """JSON has lists alone, settings have none."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
