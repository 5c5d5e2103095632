"""What a run was made of must be the same where it goes on: by content, not by names."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made.captures import edit, write_weights
from made.tuned_runs import run_config, trained, tuning_config
from PIL import Image

from tokengs_nerfstudio.core.errors import CommandEnded


def other_focal(folder: Path, weights: Path) -> None:
    edit(folder, lambda meta: [frame.update(fl_x=70.0, fl_y=70.0) for frame in meta["frames"]])


def other_pose(folder: Path, weights: Path) -> None:
    def move(meta: dict[str, Any]) -> None:
        for frame in meta["frames"]:
            frame["transform_matrix"][2][3] += 0.2 * frame["transform_matrix"][0][3]

    edit(folder, move)


def other_picture(folder: Path, weights: Path) -> None:
    for photo in sorted((folder / "images").iterdir()):
        pixels = np.asarray(Image.open(photo))
        Image.fromarray(pixels[:, ::-1].copy()).save(photo)


def other_weights(folder: Path, weights: Path) -> None:
    torch.save(None, weights)  # something else first: the file is really written anew
    write_weights(weights, z_offset=0.5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_focal, "other camera intrinsics of images/frame_00001.png, .* and . more"),
        (other_pose, "other camera poses of images/"),
        (other_picture, r"other pictures in images/frame_00001\.png"),
        (other_weights, "other weights, or another number of tokens"),
    ],
)
def test_what_a_run_was_made_of_must_be_as_it_was(capture, weights, finished, tmp_path, change, said):
    """By content: all names are as they were."""
    shutil.copytree(capture, tmp_path / "scene")
    shutil.copy(weights, tmp_path / "w.safetensors")
    change(tmp_path / "scene", tmp_path / "w.safetensors")
    config = run_config(tmp_path / "scene", tmp_path / "w.safetensors", tmp_path / "out", load_dir=finished)
    with pytest.raises(CommandEnded, match=f"made of has changed: {said}.*start anew without --load-dir"):
        config.setup(local_rank=0, world_size=1).setup()


def test_what_has_changed_is_told_before_what_follows_from_it(capture, weights, finished, tmp_path):
    """Other cameras leave another photo out, by which the tuning stops."""
    shutil.copytree(capture, tmp_path / "scene")
    other_pose(tmp_path / "scene", weights)
    config = run_config(tmp_path / "scene", weights, tmp_path / "out", load_dir=finished)
    config.pipeline.model.tuning = tuning_config(space="tokens", rule="held-out")
    with pytest.raises(CommandEnded, match="other camera poses of images/"):
        config.setup(local_rank=0, world_size=1).setup()


def test_moved_captures_and_weights_are_the_same(capture, weights, finished, tmp_path):
    shutil.copytree(capture, tmp_path / "elsewhere")
    shutil.copy(weights, tmp_path / "renamed.safetensors")
    config = run_config(tmp_path / "elsewhere", tmp_path / "renamed.safetensors", tmp_path / "out", steps=1)
    config.load_dir = finished
    assert trained(config).pipeline.model.running_tuning().steps_done == 2
