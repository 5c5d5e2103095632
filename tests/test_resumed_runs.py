"""Runs that go on: exactly as if they had not stopped, further, with the photos they began with."""

import pytest
import torch
from made.tuned_runs import checkpoints, run_config, saved, trained


def test_an_interrupted_run_goes_on_exactly(capture, weights, tmp_path):
    """Three steps, then a fresh process brings the plan of five to its end: as if nothing had happened."""
    straight = trained(run_config(capture, weights, tmp_path / "a", steps=5))
    broken = run_config(capture, weights, tmp_path / "b", steps=5, save_only_latest_checkpoint=False, steps_per_save=1)
    trained(broken)
    folder = tmp_path / "b/blobs/tokengs/run/nerfstudio_models"
    for late in ("step-000000003.ckpt", "step-000000004.ckpt"):
        (folder / late).unlink()
    resumed = trained(run_config(capture, weights, tmp_path / "c", steps=5, load_dir=folder))
    assert resumed.pipeline.model.tuning is not None
    assert resumed.pipeline.model.tuning.steps_done == 5
    torch.testing.assert_close(resumed.pipeline.model.means, straight.pipeline.model.means, atol=1e-5, rtol=1e-4)


def test_a_finished_run_gets_more_steps(capture, weights, tmp_path):
    trained(run_config(capture, weights, tmp_path / "a", steps=2))
    more = trained(run_config(capture, weights, tmp_path / "b", steps=3, load_dir=tmp_path / "a/blobs/tokengs/run"))
    assert more.pipeline.model.tuning is not None
    assert more.pipeline.model.tuning.steps_done == 5
    assert checkpoints(tmp_path / "b") == ["step-000000004.ckpt"]


def test_a_feed_forward_run_can_be_tuned_later(capture, weights, tmp_path):
    trained(run_config(capture, weights, tmp_path / "a", steps=0))
    more = trained(run_config(capture, weights, tmp_path / "b", steps=2, load_dir=tmp_path / "a/blobs/tokengs/run"))
    assert more.pipeline.model.tuning is not None
    assert more.pipeline.model.tuning.steps_done == 2


def test_a_run_goes_on_with_the_photos_that_it_began_with(capture, weights, tmp_path):
    config = run_config(capture, weights, tmp_path / "a", steps=2)
    config.pipeline.datamanager.context_indices = (1, 4, 7)
    trained(config)
    trained(run_config(capture, weights, tmp_path / "b", steps=1, load_dir=tmp_path / "a/blobs/tokengs/run"))
    first, second = (saved(tmp_path / name)["tuning"]["scene"]["context"] for name in "ab")
    assert first == second == [f"images/frame_0000{number}.png" for number in (1, 4, 7)]


def test_resuming_with_other_photos_is_refused(capture, weights, tmp_path):
    trained(run_config(capture, weights, tmp_path / "a", steps=1))
    config = run_config(capture, weights, tmp_path / "b", steps=1, load_dir=tmp_path / "a/blobs/tokengs/run")
    config.pipeline.datamanager.num_context = 2
    with pytest.raises(SystemExit, match="the run to resume had context"):
        trained(config)
