"""Runs of `tokengs-pretrain` whose network is made to collapse."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made.runs import logged, losses, options

from tokengs_nerfstudio.commands.pretrain import Run, main
from tokengs_nerfstudio.core.training.config import GuardConfig, TrainingConfig
from tokengs_nerfstudio.core.training.guard import TrainingCollapsed
from tokengs_nerfstudio.core.training.state import read_state

pytestmark = pytest.mark.usefixtures("small_preset", "threads")

PATIENT = TrainingConfig(guard=GuardConfig(slow=0.1, slow_steps=2))


def collapsing(run: Run, *at: int, channel: int = 13, value: float = -50.0) -> Run:
    """Spoil the head's output before the first times that the run is at one of these steps."""
    steps, step = list(at), run.training.step

    def spoiled(example, progress):
        if steps and run.training.steps == steps[0]:
            steps.pop(0)
            with torch.no_grad():
                run.training.network.head.project.bias.view(-1, 14)[:, channel] = value
        return step(example, progress)

    run.training.step = spoiled  # type: ignore[method-assign]
    return run


def test_a_well_run_logs_its_health(tmp_path):
    Run(options(tmp_path)).train()
    for step, line in logged(tmp_path).items():
        assert line["gradient_ratio"] > 0.0
        assert ("coverage" in line) == (step in (4, 6))
    last = logged(tmp_path)[6]
    assert last["dead"] < 0.5
    assert last["away"] == 0.0
    assert 0.05 < last["coverage"] <= 1.0
    assert 0.0 < last["reach"] < 125.0
    assert read_state(tmp_path / "good.pt")["counters"]["steps"] == 6


@pytest.mark.parametrize(
    ("channel", "value", "complaint"),
    [(13, -50.0, "Gaussians are transparent"), (2, 6.0, "beyond the far plane"), (0, float("nan"), "not finite")],
)
def test_a_collapsed_run_goes_back_once_and_ends_as_long_as_asked(tmp_path, capsys, channel, value, complaint):
    training = replace(PATIENT, patience=2)
    run = collapsing(Run(options(tmp_path, steps=10, training=training)), 6, channel=channel, value=value)
    run.train()
    said = capsys.readouterr().out
    assert complaint in said
    assert "back to step 4, slower until" in said
    lines = logged(tmp_path)
    assert list(lines) == list(range(1, 11))
    seen = 8
    assert {step: line["taken_back_at"] for step, line in lines.items() if "taken_back_at" in line} == {5: seen}
    assert lines[10]["dead"] < 0.5
    assert read_state(tmp_path / "state.pt")["guard"]["setbacks"] == 1


def test_after_going_back_it_is_slower_for_a_while(tmp_path):
    steady = replace(PATIENT, schedule="wsd", warmup_steps=0)
    Run(options(tmp_path / "well", steps=12, training=steady)).train()
    collapsing(Run(options(tmp_path / "ill", steps=12, training=steady)), 6).train()
    well, ill = logged(tmp_path / "well"), logged(tmp_path / "ill")
    assert [line["rate"] for line in well.values()] == pytest.approx([1e-3] * 12)
    assert [line["rate"] for line in ill.values()] == pytest.approx([1e-3] * 4 + [1e-4] * 6 + [1e-3] * 2)
    assert losses(tmp_path / "ill")[:4] == losses(tmp_path / "well")[:4]
    assert ill[12]["seconds"] > ill[5]["seconds"] > 0.0
    assert ill[12]["scenes"] == well[12]["scenes"]


def test_the_second_collapse_is_an_error_also_after_a_restart(tmp_path):
    with pytest.raises(TrainingCollapsed, match=r"collapsed again at step 8 .*transparent.* gone back once, to step 4"):
        collapsing(Run(options(tmp_path, steps=12, training=PATIENT)), 5, 5).train()
    again = Run(options(tmp_path, steps=12, training=PATIENT))
    assert again.training.steps == 4
    with pytest.raises(TrainingCollapsed) as caught:
        collapsing(again, 5).train()
    assert "\n" not in str(caught.value)


def test_a_run_that_blows_up_by_itself_ends_the_command_with_one_line(tmp_path):
    arguments = ["--output", str(tmp_path), "--steps", "60", "--device", "cpu", "--held-out", "2", "--evaluate-every"]
    arguments += ["4", "--training.learning-rate", "30", "--training.warmup", "0", "--training.guard.slow", "1"]
    arguments += ["--batches.scenes", "2", "--batches.side", "16", "--batches.late", "2"]
    with pytest.raises(SystemExit, match=r"^Error: the training collapsed again at step") as ended:
        main(arguments)
    assert "\n" not in str(ended.value.code)
    lines = [json.loads(line) for line in (Path(tmp_path) / "log.jsonl").read_text().splitlines()]
    assert any("taken_back_at" in line for line in lines)


def test_unguarded_it_goes_on(tmp_path):
    careless = TrainingConfig(guard=GuardConfig(enabled=False))
    collapsing(Run(options(tmp_path, steps=8, training=careless)), 6).train()
    assert logged(tmp_path)[8]["dead"] == 1.0
