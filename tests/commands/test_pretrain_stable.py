"""Runs of `tokengs-pretrain` without an end of their own: prolonged, and cooled down."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made.runs import WSD, interrupted, logged, losses, options

from tokengs_nerfstudio.commands.pretrain import Run
from tokengs_nerfstudio.core.checkpoint.loading import load_network


def rates(output: Path) -> list[float]:
    return [round(line["rate"] / WSD.learning_rate, 3) for line in logged(output).values()]


def test_a_stable_run_is_prolonged_as_if_it_had_been_asked_for_at_once(tmp_path):
    Run(options(tmp_path / "whole", steps=6, training=WSD)).train()
    for steps in (3, 6):
        Run(options(tmp_path / "parts", steps=steps, training=WSD)).train()
    assert rates(tmp_path / "whole") == [0.04, 0.52, 1.0, 1.0, 1.0, 1.0]
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    assert logged(tmp_path / "parts")[6]["scenes"] == logged(tmp_path / "whole")[6]["scenes"] > 0


def test_batches_of_a_stable_run_do_not_depend_on_the_hours_asked_for(tmp_path):
    short, long = (
        Run(replace(options(tmp_path, training=WSD), steps=None, hours=hours))._batch(3) for hours in (0.1, 9.0)
    )
    assert torch.equal(short.context.images, long.context.images)


def test_any_state_of_a_stable_run_is_cooled_down_in_a_folder_of_its_own(tmp_path):
    Run(options(tmp_path / "stable", steps=3, seed=4, training=WSD)).train()
    before = {file.name: file.read_bytes() for file in (tmp_path / "stable").iterdir() if file.is_file()}
    config = options(tmp_path / "cooled", steps=4, cooldown=tmp_path / "stable/state.pt")
    run = Run(config)
    assert (run.training.steps, run.share, run.batches.seed) == (3, 0.0, 4)
    assert (
        run.training.network.config
        == Run(options(tmp_path / "stable", 3, seed=4, training=WSD)).training.network.config
    )
    assert run._batch(3).context.images.shape == run.batches.batch(3, 1.0).context.images.shape
    run.train()
    assert list(logged(tmp_path / "cooled")) == [4, 5, 6, 7]
    lines = list(logged(tmp_path / "cooled").values())
    found = [line["rate"] / WSD.learning_rate for line in lines]
    assert found == pytest.approx([max(1 - (i / 3) ** 0.5, 1e-4) for i in range(4)], abs=1e-3)
    assert lines[0]["scenes"] > logged(tmp_path / "stable")[3]["scenes"]
    assert torch.equal(load_network(tmp_path / "cooled/network.safetensors").tokens, run.training.averaged.tokens)
    assert before == {file.name: file.read_bytes() for file in (tmp_path / "stable").iterdir() if file.is_file()}
    assert Run(config).finished


def test_a_cooldown_goes_on_after_its_origin_is_gone(tmp_path):
    Run(options(tmp_path / "stable", steps=3, training=WSD)).train()
    origin = (tmp_path / "stable/state.pt").rename(tmp_path / "state.pt")
    Run(options(tmp_path / "alone", steps=4, cooldown=origin)).train()
    interrupted(Run(options(tmp_path / "broken", steps=4, cooldown=origin, save_every=0.0)), at=6)
    origin.unlink()
    again = Run(options(tmp_path / "broken", steps=4, cooldown=origin))
    assert 3 < again.training.steps < 7
    again.train()
    assert losses(tmp_path / "broken") == losses(tmp_path / "alone")
    assert list(logged(tmp_path / "broken")) == [4, 5, 6, 7]
