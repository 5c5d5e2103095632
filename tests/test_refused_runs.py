"""Runs that cannot begin: one line on what a user has to put right, a traceback of what is our own defect."""

from pathlib import Path

import pytest
import torch
from made.tuned_runs import run_config, trained
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tokengs_nerfstudio.trainer import newest_checkpoint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, _: setattr(c.pipeline.datamanager, "data", Path("/no/such/capture")), "no capture at /no/such"),
        (lambda c, _: setattr(c.pipeline.model, "checkpoint", "no-such-weights"), "no-such-weights"),
        (lambda c, _: setattr(c.pipeline.datamanager, "num_context", 99), "num-context 99"),
        (lambda c, _: setattr(c.pipeline.datamanager, "context_indices", (0,)), "held out for evaluation"),
        (
            lambda c, _: setattr(c.pipeline.model, "scene_scale", -1.0),
            r"scene-scale is -1\.0; a number from",
        ),
        (lambda c, t: setattr(c, "load_dir", t / "nowhere"), "nothing to resume at .*nowhere"),
        (lambda c, t: setattr(c, "load_checkpoint", t / "nothing.ckpt"), "there is no checkpoint"),
        (lambda c, _: setattr(c, "load_step", 3), "--load-step 3 is a step of the run that --load-dir names"),
        (
            lambda c, t: vars(c).update(load_dir=t, load_checkpoint=t / "x.ckpt"),
            "--load-checkpoint .* and --load-dir .* both say",
        ),
    ],
)
def test_what_a_user_has_to_put_right_is_one_message(capture, weights, tmp_path, change, message):
    config = run_config(capture, weights, tmp_path)
    change(config, tmp_path)
    with pytest.raises(SystemExit, match=message):
        config.setup(local_rank=0, world_size=1).setup()


def without_a_block(weights: Path, file: Path) -> None:
    tensors = {key: value for key, value in load_file(weights).items() if not key.startswith("decoder.0.mlp")}
    with safe_open(weights, framework="pt") as whole:
        save_file(tensors, file, whole.metadata())


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda weights, file: file.write_bytes(weights.read_bytes()[:5000]), "is cut short: 5,000 bytes of"),
        (without_a_block, "does not fit the network its tensors suggest; 7 missing: decoder.0.mlp"),
        (lambda _, file: save_file({"unet.weight": torch.zeros(3)}, file), "holds no TokenGS network"),
        (lambda _, file: torch.save({"tokens": torch.zeros(3)}, file), "is a pickle, and opening one can run any code"),
        (lambda _, file: file.mkdir(), "is a folder, not a weight file"),
        (lambda _, file: file.touch(), r"is empty \(0 bytes\)"),
    ],
    ids=["truncated", "architecture", "other", "pickle", "folder", "empty"],
)
def test_files_that_are_no_weights_end_a_run_with_one_line(capture, weights, tmp_path, write, message):
    file = tmp_path / "wrong.safetensors"
    write(weights, file)
    with pytest.raises(SystemExit, match=message) as ended:
        run_config(capture, file, tmp_path).setup(local_rank=0, world_size=1).setup()
    assert str(ended.value).startswith(f"Error: {file} ")
    assert "\n" not in str(ended.value)


def test_a_damaged_checkpoint_is_never_taken_for_a_whole_one(capture, weights, tmp_path):
    trained(run_config(capture, weights, tmp_path, steps=1))
    path = newest_checkpoint(tmp_path / "blobs/tokengs/run")
    path.write_bytes(path.read_bytes()[:-1000])
    config = run_config(capture, weights, tmp_path / "b", load_checkpoint=path)
    with pytest.raises(SystemExit, match="cannot be read as a checkpoint"):
        config.setup(local_rank=0, world_size=1).setup()


def test_several_devices_are_refused(capture, weights, tmp_path):
    config = run_config(capture, weights, tmp_path)
    with pytest.raises(ValueError, match="num-devices 1"):
        config.pipeline.setup(device="cpu", world_size=2)


def test_defects_keep_their_traceback(capture, weights, tmp_path, monkeypatch):
    def broken(*_):
        raise ValueError("a defect elsewhere")

    monkeypatch.setattr("tokengs_nerfstudio.pipeline.TokenGSPipeline.begin", broken)
    with pytest.raises(ValueError, match="a defect elsewhere"):
        run_config(capture, weights, tmp_path).setup(local_rank=0, world_size=1).setup()
