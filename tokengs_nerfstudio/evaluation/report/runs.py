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
_LINES = ".jsonl"


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
    """Of folders with a metrics.json or a log.jsonl, or of such files, which may have been given other names.

    UserError for a folder that has neither, and for a file that is not as these commands write it.
    """
    evaluated, trained = list[Evaluated](), list[Trained]()
    for path in paths:
        files = [file for file in ((path / METRICS, path / LOG) if path.is_dir() else (path,)) if file.is_file()]
        if not files:
            raise MissingFileError(f"{path} is no run: it has neither {METRICS} nor {LOG}")
        evaluated += [_evaluated(file) for file in files if file.suffix != _LINES]
        trained += [_trained(file) for file in files if file.suffix == _LINES]
    names = [run.name for run in evaluated]
    apart = [replace(run, name=str(run.folder)) if names.count(run.name) > 1 else run for run in evaluated]
    return apart, trained


def _name(file: Path) -> str:
    """The folder's, unless the file has been given a name of its own."""
    return file.resolve().parent.name if file.name in (METRICS, LOG) else file.stem


def _evaluated(file: Path) -> Evaluated:
    with content_of(file, "results of tokengs-evaluate", "evaluate anew"):
        content = json.loads(file.read_text(encoding="utf-8"))
        # What lies beside a file of another name need not belong to it.
        folder = file.parent if file.name == METRICS else file.with_suffix("")
        run = Evaluated(_name(file), folder, content["about"], content["mean"], content["scenes"], _axes(folder))
        _ = run.preset, [run.about[name] for name in ("checkpoint", "tuning", "tuning_steps")], run.by_scene
        _ = [(record["means"]["psnr"], record["views"]["psnr"], record["target"]) for record in run.records]
    return run


def _axes(folder: Path) -> dict[str, list[Mapping[str, Any]]]:
    return {axis: _rows(folder / f"{axis}.json") for axis in TITLES if (folder / f"{axis}.json").is_file()}


def _rows(file: Path) -> list[Mapping[str, Any]]:
    with content_of(file, "a table of tokengs-evaluate", "evaluate anew, or remove it"):
        rows = list(json.loads(file.read_text(encoding="utf-8"))["rows"])
        _ = [(next(iter(row.values())), float(row["psnr"])) for row in rows]
    return rows


def _trained(file: Path) -> Trained:
    lines = file.read_text(encoding="utf-8").splitlines()
    entries = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # cut short by a kill
        if isinstance(entry, dict) and "step" in entry:
            entries.append(entry)
    return Trained(_name(file), entries)
