"""What evaluations and trainings have left in their folders."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.errors import MissingFileError, content_of
from tokengs_nerfstudio.evaluation.axes import TITLES
from tokengs_nerfstudio.evaluation.results import METRICS, Record

LOG = "log.jsonl"


@dataclass(frozen=True)
class Evaluated:
    """An evaluation."""

    name: str
    folder: Path
    about: Mapping[str, Any]
    mean: Mapping[str, float]
    records: Sequence[Record]
    axes: Mapping[str, Sequence[Mapping[str, Any]]]
    """rows of the tables of what was changed in the benchmark, by axis"""

    @property
    def preset(self) -> str:
        """The benchmark."""
        return str(self.about["preset"])

    @cached_property
    def by_scene(self) -> dict[str, Record]:
        """Records by scene."""
        return {record["scene"]: record for record in self.records}


@dataclass(frozen=True)
class Trained:
    """A training."""

    name: str
    entries: Sequence[Mapping[str, float]]
    """of its log, one a step"""

    def curve(self, name: str) -> list[tuple[float, float]]:
        """A value over the steps that have it."""
        return [(entry["step"], entry[name]) for entry in self.entries if name in entry]


def read_runs(paths: Sequence[Path]) -> tuple[list[Evaluated], list[Trained]]:
    """Of folders, or of the files in them that count: metrics.json, log.jsonl.

    UserError for one that has neither, and for a file that is not as these commands write it.
    """
    evaluated, trained = list[Evaluated](), list[Trained]()
    for path in paths:
        folder = path.parent if path.is_file() else path
        found = False
        if (folder / METRICS).is_file() and path.name != LOG:
            evaluated.append(_evaluated(folder))
            found = True
        if (folder / LOG).is_file() and path.name != METRICS:
            trained.append(_trained(folder))
            found = True
        if not found:
            raise MissingFileError(f"{path} is no run: it has neither {METRICS} nor {LOG}")
    names = [run.name for run in evaluated]
    apart = [replace(run, name=str(run.folder)) if names.count(run.name) > 1 else run for run in evaluated]
    return apart, trained


def _evaluated(folder: Path) -> Evaluated:
    with content_of(folder / METRICS, "results of tokengs-evaluate", "evaluate anew"):
        content = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        axes = {axis: _rows(folder / f"{axis}.json") for axis in TITLES if (folder / f"{axis}.json").is_file()}
        run = Evaluated(folder.resolve().name, folder, content["about"], content["mean"], content["scenes"], axes)
        _ = run.preset, [record["means"]["psnr"] for record in run.records], run.by_scene
    return run


def _rows(file: Path) -> list[Mapping[str, Any]]:
    return json.loads(file.read_text(encoding="utf-8"))["rows"]


def _trained(folder: Path) -> Trained:
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    entries = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # cut short by a kill
        if isinstance(entry, dict) and "step" in entry:
            entries.append(entry)
    return Trained(folder.resolve().name, entries)
