"""The ablation script: its pose errors, its scenes, and one whole small run."""

import json
import runpy
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "scripts" / "ablations.py"


@pytest.fixture(scope="module")
def script() -> dict:
    return runpy.run_path(str(SCRIPT))


def test_pose_errors_have_the_size_asked_for_and_spare_the_first_camera(script: dict) -> None:
    args = script["Ablations"](scenes=1, side=16, targets=2)
    network = script["load_network"]("tiny")
    context = next(script["cases"](args, network, 4)).context
    wrong = script["disturbed"](context, 2.0, seed=0)
    assert torch.allclose(wrong.c2w[0], context.c2w[0], atol=1e-6)
    turn = context.c2w[:, :3, :3].mT @ wrong.c2w[:, :3, :3]
    angle = torch.rad2deg(((turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).acos())
    torch.testing.assert_close(angle[1:], torch.full((3,), 2.0), atol=0.05, rtol=0)
    shift = (wrong.c2w - context.c2w)[1:, :3, 3].norm(dim=-1)
    baseline = torch.cdist(context.c2w[:, :3, 3], context.c2w[:, :3, 3]).max()
    torch.testing.assert_close(shift, (0.02 * baseline).expand(3), atol=1e-5, rtol=1e-3)


def test_targets_do_not_depend_on_the_number_of_context_views(script: dict) -> None:
    args = script["Ablations"](scenes=1, side=16, targets=3)
    network = script["load_network"]("tiny")
    few, many = (next(script["cases"](args, network, count)) for count in (2, 12))
    assert torch.equal(few.targets.images, many.targets.images)
    assert torch.equal(few.context.images, many.context.images[:2])
    assert few.far.sum() == 1


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
