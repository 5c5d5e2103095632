"""The ablation script: its scenes, and one whole small run."""

import json
import runpy
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "scripts" / "ablations.py"


@pytest.fixture(scope="module")
def script() -> dict:
    return runpy.run_path(str(SCRIPT))


def test_targets_do_not_depend_on_the_number_of_context_views(script: dict) -> None:
    args = script["Ablations"](scenes=1, side=16, targets=3)
    network = script["load_network"]("tiny")
    few, many = (next(script["scenes"](args, network, count)) for count in (2, 12))
    assert torch.equal(few.target.images, many.target.images)
    assert torch.equal(few.context.images, many.context.images[:2])
    assert script["far_views"](few).sum() == 1


def test_a_small_run_writes_every_table(script: dict, tmp_path: Path) -> None:
    output = tmp_path / "tables.json"
    args = script["Ablations"](
        scenes=1, side=16, targets=2, views=(2,), tokens=(32,), spaces=("tokens",), steps=2, noise=(1.0,), output=output
    )
    script["main"](args)
    tables = json.loads(output.read_text())["tables"]
    assert {name: len(rows) for name, rows in tables.items()} == {
        "weights": 1, "views": 1, "tokens": 2, "spaces": 2, "poses": 2,
    }  # fmt: skip
    tuned, before = tables["spaces"][1], tables["spaces"][0]
    assert tuned["psnr"] != before["psnr"]


def test_an_unknown_table_is_named(script: dict) -> None:
    with pytest.raises(SystemExit, match="unknown tables typo; there are weights"):
        script["main"](script["Ablations"](tables=("typo",)))
