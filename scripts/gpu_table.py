"""The rows of the GPU report, as a table for people and as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

COLORS = {"ok": "green", "failed": "bold red", "skipped": "yellow"}


@dataclass(frozen=True)
class Row:
    """One thing that was tried: ok, failed or skipped, and the figure it gave."""

    part: str
    what: str
    status: str
    value: float | None = None
    unit: str = ""
    paper: float | None = None
    note: str = ""


def line_of(part: str, test: dict[str, Any]) -> Row:
    """The row of a test's line of JSON, as `gpu_results` writes it."""
    status = {"passed": "ok", "failed": "failed"}.get(test["outcome"], "skipped")
    figures = ", ".join(f"{name} {value:.3g}" for name, value in test["figures"].items())
    name = test["test"].removeprefix("tests/")
    return Row(part, name, status, test["seconds"], "s", note=test.get("message", figures))


def figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return (f"{value:,.0f} {unit}" if abs(value) >= 1000 else f"{value:.3g} {unit}").strip()


def table(rows: list[Row], facts: dict[str, Any]) -> Table:
    """Parts in their order, without the tests that have nothing to tell; of a failure's message, the end."""
    shown = Table(
        title=", ".join(f"{k} {v}" for k, v in facts.items()), title_justify="left", box=SIMPLE, padding=(0, 1)
    )
    for heading in ("part", "what", "", "figure", "paper", "note"):
        shown.add_column(heading, overflow="fold")
    for row in rows:
        if "::" in row.what and row.status != "failed" and not row.note:
            continue
        status = f"[{COLORS[row.status]}]{row.status}[/]"
        note = "…" + row.note[-300:] if row.status == "failed" else row.note
        texts = [escape(text) for text in (row.part, row.what)]
        shown.add_row(*texts, status, figure(row.value, row.unit), figure(row.paper, row.unit), escape(note))
    return shown


def verdict(rows: list[Row]) -> str:
    return ", ".join(f"{sum(row.status == status for row in rows)} {status}" for status in COLORS)


def save(rows: list[Row], facts: dict[str, Any], output: Path) -> None:
    """`report.txt`, for people, with the messages of failures in full, and `figures.json`."""
    with (output / "report.txt").open("w") as file:
        console = Console(file=file, width=150)
        console.print(table(rows, facts))
        console.print(verdict(rows))
        for row in rows:
            if row.status == "failed":
                file.write(f"\n--- {row.part}: {row.what}\n{row.note}\n")
    content = {"facts": facts, "verdict": verdict(rows), "rows": [asdict(row) for row in rows]}
    (output / "figures.json").write_text(json.dumps(content, indent=1))


def show(rows: list[Row], facts: dict[str, Any]) -> int:
    """Prints the table; the exit status, 1 where anything failed."""
    console = Console(width=150)
    console.print(table(rows, facts))
    console.print(verdict(rows))
    return 1 if any(row.status == "failed" for row in rows) else 0
