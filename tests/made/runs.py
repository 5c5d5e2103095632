"""Short runs of `tokengs-pretrain` on tiny batches, and what they leave."""

import json
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.commands.pretraining import Pretraining
from tokengs_nerfstudio.data.examples.shapes import BatchConfig

BATCHES = BatchConfig(scenes=2, side=16, late=2.0)


def options(output: Path, steps: int = 6, **changes: Any) -> Pretraining:
    usual: dict[str, Any] = {"batches": BATCHES, "held_out": 2, "evaluate_every": 4, "device": "cpu"}
    return Pretraining(output, steps=steps, **{**usual, **changes})


def logged(output: Path) -> dict[int, dict[str, float]]:
    """The lines of a run's log by their step; they are of consecutive steps."""
    lines = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(lines[0]["step"], lines[0]["step"] + len(lines)))
    return {line["step"]: line for line in lines}


def losses(output: Path) -> list[float]:
    return [line["loss"] for line in logged(output).values()]
