"""Records as tables: for programs (JSON, CSV) and for people (text)."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.evaluation.measuring import COSTS, SCORES, TRIVIAL, mean
from tokengs_nerfstudio.evaluation.results import METRICS, Record

COLUMNS = (*SCORES, *TRIVIAL, *COSTS)

_DIGITS = {
    **dict.fromkeys(("psnr", *TRIVIAL), 2),
    **dict.fromkeys(("gaussians", "scenes", "views"), 0),
    **dict.fromkeys(("encode_seconds", "decode_seconds", "tuning_seconds"), 3),
}


@dataclass(frozen=True)
class Table:
    """Rows of numbers; a row may lack some of the columns."""

    title: str
    first: str
    """what the names of the rows are"""
    rows: Sequence[tuple[str, Mapping[str, float]]]

    @property
    def columns(self) -> list[str]:
        """Those that any row has."""
        known = dict.fromkeys(name for _, row in self.rows for name in row)
        usual = [name for name in COLUMNS if name in known]
        return usual + [name for name in known if name not in usual]

    def cells(self) -> list[list[str]]:
        """As a person reads it, column names first."""
        columns = self.columns
        body = [[name, *(written(column, row.get(column)) for column in columns)] for name, row in self.rows]
        return [[self.first, *(column.replace("_", " ") for column in columns)], *body]

    def text(self) -> str:
        """Aligned columns."""
        cells = self.cells()
        widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
        lines = [
            "  ".join(
                cell.ljust(width) if not place else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths))
            )
            for row in cells
        ]
        return "\n".join([self.title, *(line.rstrip() for line in lines)]) + "\n"

    def csv(self) -> str:
        """All digits."""
        said = io.StringIO()
        writer = csv.writer(said, lineterminator="\n")
        writer.writerow([self.first, *self.columns])
        writer.writerows([[name, *(row.get(column, "") for column in self.columns)] for name, row in self.rows])
        return said.getvalue()


def written(column: str, value: float | None) -> str:
    """A number as a person reads it."""
    return "-" if value is None else f"{value:,.{_DIGITS.get(column, 3)}f}"


def means_of(records: Sequence[Record]) -> dict[str, float]:
    """The mean over scenes of all that each of them has."""
    names = [name for name in COLUMNS if all(name in record["means"] for record in records)]
    return {name: mean([record["means"][name] for record in records]) for name in names} if records else {}


def lpips_known(records: Sequence[Record]) -> str:
    """Of how many scenes LPIPS is known: its weights may have come between two runs, or be on some machines alone."""
    count = sum("lpips" in record["means"] for record in records)
    if count == len(records):
        return "measured"
    return f"of {count} scenes alone, so without a mean" if count else "left out: its weights are not at hand"


def scene_table(title: str, records: Sequence[Record]) -> Table:
    """A row a scene, and their mean."""
    rows: list[tuple[str, Mapping[str, float]]] = [(record["scene"], record["means"]) for record in records]
    return Table(title, "scene", [*rows, ("mean", means_of(records))])


def write_metrics(folder: Path, about: Mapping[str, Any], records: Sequence[Record]) -> None:
    """metrics.json, metrics.csv and metrics.txt."""
    table = scene_table(headline(about), records)
    content = {"about": about, "mean": means_of(records), "scenes": records}
    lines = [
        f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in about.items() if value not in (None, [], {})
    ]
    write_text(folder / METRICS, json.dumps(content, indent=1) + "\n")
    write_text(folder / "metrics.csv", table.csv())
    write_text(folder / "metrics.txt", table.text() + "\n" + "\n".join(lines) + "\n")


def write_table(folder: Path, name: str, about: Mapping[str, Any], table: Table) -> None:
    """One table as NAME.json, NAME.csv and NAME.txt."""
    rows = [{table.first: row, **values} for row, values in table.rows]
    write_text(
        folder / f"{name}.json", json.dumps({"about": about, "title": table.title, "rows": rows}, indent=1) + "\n"
    )
    write_text(folder / f"{name}.csv", table.csv())
    write_text(folder / f"{name}.txt", table.text())


def headline(about: Mapping[str, Any]) -> str:
    """What was evaluated with what."""
    tuned = "" if about["tuning"] == "none" else f", {about['tuning_steps']} steps of tuning ({about['tuning']})"
    return f"{about['preset']}, weights {about['checkpoint']}{tuned}: {about['scenes']} of {about['of_scenes']} scenes"


def _plain(value: Any) -> str:
    return ", ".join(f"{key} {inner}" for key, inner in value.items()) if isinstance(value, dict) else str(value)
