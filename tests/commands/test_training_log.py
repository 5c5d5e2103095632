import json
import sys

import pytest

from tokengs_nerfstudio.commands.training_log import TrainingLog


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def written(folder, first, last):
    log = TrainingLog(folder, first - 1)
    for step in range(first, last + 1):
        log.write(step, {"loss": 1 / step, "run": float(first)})
    log.close()


def test_a_resumed_run_forgets_the_steps_that_it_takes_again(tmp_path):
    written(tmp_path, 1, 5)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')  # killed while it wrote
    written(tmp_path, 4, 7)
    assert [(line["step"], line["run"]) for line in lines(tmp_path)] == [
        *((step, 1.0) for step in (1, 2, 3)),
        *((step, 4.0) for step in (4, 5, 6, 7)),
    ]
    assert lines(tmp_path)[2]["loss"] == 0.3333333


def test_tensorboard_reads_the_events(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    written(tmp_path, 1, 3)
    events = accumulator.EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3]


def test_without_tensorboard_the_lines_remain(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    written(tmp_path, 1, 2)
    assert len(lines(tmp_path)) == 2
    assert not (tmp_path / "events").exists()
