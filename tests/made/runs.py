"""Short runs of `tokengs-pretrain` on tiny batches, and what they leave."""

import json
from pathlib import Path
from typing import Any

import pytest

from tokengs_nerfstudio.commands.pretrain import Run
from tokengs_nerfstudio.commands.pretraining import Pretraining
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig

WSD = TrainingConfig(schedule="wsd", warmup_steps=2, curriculum_steps=4)
BATCHES = BatchConfig(scenes=2, side=16, late=2.0)


def options(output: Path, steps: int = 6, **changes: Any) -> Pretraining:
    """With an arithmetic stated: timed anew for each run on a busy machine, two equal runs may differ in it."""
    usual: dict[str, Any] = {"batches": BATCHES, "held_out": 2, "evaluate_every": 4, "device": "cpu"}
    usual["precision"] = "fp32"
    return Pretraining(output, steps=steps, **{**usual, **changes})


def logged(output: Path) -> dict[int, dict[str, float]]:
    """The lines of a run's log by their step; they are of consecutive steps."""
    lines = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(lines[0]["step"], lines[0]["step"] + len(lines)))
    return {line["step"]: line for line in lines}


def losses(output: Path) -> list[float]:
    return [line["loss"] for line in logged(output).values()]


def interrupted(run: Run, at: int) -> None:
    """Train until batch number `at` is asked for."""

    def stop():
        raise OSError("pulled the plug")

    run._batch = lambda number, batch=run._batch: batch(number) if number < at else stop()  # type: ignore[method-assign]
    with pytest.raises(OSError, match="plug"):
        run.train()
