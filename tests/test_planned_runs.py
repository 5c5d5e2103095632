"""`ns-train tokengs` by time: it ends in time, leaves its plan, and repeats it; docs/tuning.md says how."""

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
import tyro
from made.machines import Machine
from made.tuned_runs import run_config, saved
from made.tuning import changed, tuning_config
from nerfstudio.configs.method_configs import AnnotatedBaseConfigUnion

from tokengs_nerfstudio.command_time import seconds_before_now
from tokengs_nerfstudio.core.tuning.plan import TuningPlan
from tokengs_nerfstudio.trainer import TokenGSTrainer, TokenGSTrainerConfig

PAGE = Path(__file__).resolve().parents[1] / "docs/tuning.md"
TUNING = tuning_config(space="gaussians", rule="steps", seconds=4.0, growth_every=10)


def by_time(config: TokenGSTrainerConfig, machine: Machine) -> TokenGSTrainer:
    config.save_config()
    trainer = config.setup(local_rank=0, world_size=1, clock=machine.clock)
    trainer.setup()
    trainer.train()
    return trainer


def timed(capture: Path, weights: Path, output: Path, **options) -> TokenGSTrainerConfig:
    config = run_config(capture, weights, output, **options)
    config.max_num_iterations = None
    config.pipeline.model.tuning = changed(TUNING)
    return config


def test_a_run_by_time_ends_in_time_and_its_plan_repeats_it(capture, weights, tmp_path, monkeypatch):
    machine = Machine(fixed=0.05, slowness=lambda now: 1 + now / 4).installed(monkeypatch)
    first = by_time(timed(capture, weights, tmp_path / "a"), machine)
    assert 2.5 < machine.now <= 4.4  # a second and a bit are kept for what comes after the last step
    assert first.config.max_num_iterations is None
    run = tmp_path / "a/blobs/tokengs/run"
    plan = TuningPlan.read(run / "plan.json")
    assert plan.paces
    assert plan.as_numbers() == json.loads(json.dumps(saved(tmp_path / "a")["tuning"]["plan"]))
    again = timed(capture, weights, tmp_path / "b")
    again.pipeline.model.tuning = tuning_config(plan=run / "plan.json")
    second = by_time(again, Machine(fixed=9.0))
    assert torch.equal(first.pipeline.model.means, second.pipeline.model.means)


def test_a_finished_run_by_time_goes_on_with_as_many_steps_as_it_was_planned_with(
    capture, weights, tmp_path, monkeypatch
):
    machine = Machine(fixed=0.1).installed(monkeypatch)
    first = by_time(timed(capture, weights, tmp_path / "a"), machine)
    plan = TuningPlan.read(tmp_path / "a/blobs/tokengs/run/plan.json")
    more = timed(capture, weights, tmp_path / "b", load_dir=tmp_path / "a/blobs/tokengs/run")
    assert by_time(more, machine).pipeline.steps_left == 0
    taken = saved(tmp_path / "b")["tuning"]["state"]["steps_done"]
    assert first.pipeline.model.tuning is not None
    assert taken == first.pipeline.model.tuning.steps_done + plan.steps


def test_a_process_that_is_no_command_begins_now(monkeypatch):
    assert seconds_before_now() == 0
    monkeypatch.setattr("sys.argv", ["/usr/bin/ns-train"])
    assert seconds_before_now() > 0


@pytest.mark.parametrize("line", re.findall(r"^ns-train .*$", PAGE.read_text(), re.MULTILINE))
def test_commands_on_the_page_are_understood(line):
    config = tyro.cli(AnnotatedBaseConfigUnion, args=shlex.split(line, comments=True)[1:])
    assert config.method_name == "tokengs"
