"""What a network bears: a table and a plot of every change of a benchmark."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.files import replacing, write_text
from tokengs_nerfstudio.evaluation.charts import Chart
from tokengs_nerfstudio.evaluation.measuring import SCORES, mean
from tokengs_nerfstudio.evaluation.results import Record
from tokengs_nerfstudio.evaluation.tables import Table, headline, means_of, write_table
from tokengs_nerfstudio.evaluation.variants import BEYOND, Variant

TITLES = {
    "pose_noise": "Context cameras turned and moved",
    "extrapolation": "Targets outside of the context",
    "context_extension": "Number of context views",
    "token_count": "Number of tokens",
}
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def write_axes(folder: Path, about: Mapping[str, Any], by_variant: Mapping[Variant, Sequence[Record]]) -> list[Table]:
    """NAME.json, NAME.csv, NAME.txt, NAME.svg and NAME.png of every axis that some scene has; the tables."""
    plain = next(iter(by_variant.values()))
    # Rows of the benchmark as it is, in tables that it belongs to.
    unchanged = {"pose_noise": "as given", "token_count": f"{about['tokens']} tokens, as trained"}
    tables = []
    for axis, title in TITLES.items():
        levels = {variant.label: records for variant, records in by_variant.items() if variant.axis == axis}
        if not any(levels.values()):
            continue
        if axis == "extrapolation":
            rows = _beyond([record for records in levels.values() for record in records])
        else:
            levels = {**({unchanged[axis]: plain} if axis in unchanged else {}), **levels}
            rows = [(name, _row(levels[name])) for name in sorted(levels, key=place) if levels[name]]
        table = Table(f"{title} ({headline(about)})", title.lower(), rows)
        write_table(folder, axis, about, table)
        drawing = chart_of(axis, rows).drawing()
        write_text(folder / f"{axis}.svg", drawing.svg())
        with replacing(folder / f"{axis}.png") as scratch:
            drawing.picture().save(scratch)
        tables.append(table)
    return tables


def without_scenes(by_variant: Mapping[Variant, Sequence[Record]]) -> list[str]:
    """Titles of the axes that were asked for and that no scene has frames enough for."""
    asked = dict.fromkeys(variant.axis for variant in by_variant if variant.axis)
    having = {variant.axis for variant, records in by_variant.items() if records}
    return [TITLES[axis] for axis in asked if axis not in having]


def place(row: str) -> list[float]:
    """Where a row of that name stands in the table of its axis: by the numbers in it, without any first."""
    return [float(number) for number in _NUMBER.findall(row)]


def chart_of(axis: str, rows: Sequence[tuple[str, Mapping[str, float]]], label: str = "PSNR") -> Chart:
    """PSNR over the rows of an axis' table."""
    points = [(float(number), row["psnr"]) for number, (_, row) in enumerate(rows)]
    return Chart(f"{TITLES[axis]}: PSNR, dB", TITLES[axis].lower(), {label: points}, [name for name, _ in rows])


def _row(records: Sequence[Record]) -> dict[str, float]:
    return {**means_of(records), "scenes": float(len(records))}


def _beyond(records: Sequence[Record]) -> list[tuple[str, Mapping[str, float]]]:
    """By how far targets lie outside of the context: means over the scenes that have such targets."""
    rows: list[tuple[str, Mapping[str, float]]] = []
    for number, most in enumerate(BEYOND):
        least = BEYOND[number - 1] if number else -1.0
        last = number == len(BEYOND) - 1
        found: dict[str, list[float]] = {}
        views = 0
        for record in records:
            scores = record["views"]
            chosen = [at for at, beyond in enumerate(scores["beyond"]) if beyond > least and (last or beyond <= most)]
            views += len(chosen)
            for name in SCORES if chosen else ():
                if name in scores:
                    found.setdefault(name, []).append(mean([scores[name][at] for at in chosen]))
        if found:
            name = "between" if not number else f"{least:g} to {most:g} spans"
            scenes = float(len(found["psnr"]))
            rows.append(
                (
                    name,
                    {**{key: mean(values) for key, values in found.items()}, "scenes": scenes, "views": float(views)},
                )
            )
    return rows
