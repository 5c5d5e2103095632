"""Committed figures of the benchmark scripts: where they were measured, and what they are compared with."""

import json
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch

from tokengs_nerfstudio.core.device import cpu_name
from tokengs_nerfstudio.core.files import write_text

Figures = dict[str, Any]


@dataclass
class BaselineOptions:
    """What every benchmark can be asked for."""

    check: bool = False
    """compare with the committed ratios; exit status 1 where one is worse"""
    write: bool = False
    """write the committed ratios anew"""


def read(baseline: Path) -> Figures:
    return json.loads(baseline.read_text())["figures"]


def write(baseline: Path, figures: Figures, threads: int, **more: object) -> None:
    machine = {"date": date.today().isoformat(), "cpu": cpu_name(), "cores": os.cpu_count(), "threads": threads}
    stored = {"machine": {**machine, "torch": torch.__version__, **more}, "figures": figures}
    write_text(baseline, json.dumps(stored, indent=2) + "\n")


def verdict(complaints: list[str]) -> int:
    """Prints what is worse; the exit status."""
    for complaint in complaints:
        print(f"worse than the committed figures: {complaint}")
    return 1 if complaints else 0
