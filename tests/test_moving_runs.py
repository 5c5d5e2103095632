"""Scenes that move, from photos with times to a finished run."""

import shutil
from pathlib import Path

import pytest
import torch
from made.captures import edit, write_blobs, write_weights
from made.tuned_runs import run_config, trained
from nerfstudio.utils.eval_utils import eval_setup

from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig
from tokengs_nerfstudio.trainer import TokenGSTrainer


@pytest.fixture(scope="module")
def dynamic_weights(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dynamic")
    return write_weights(folder / "dynamic.safetensors", tokens=8, dynamic_tokens=32, time_channels=2)


@pytest.fixture(scope="module")
def timed_capture(tmp_path_factory) -> Path:
    folder = write_blobs(tmp_path_factory.mktemp("timed") / "scene")
    edit(folder, lambda meta: [frame.update(time=10.0 * i) for i, frame in enumerate(meta["frames"])])
    return folder


def test_a_finished_run_of_moving_weights_shows_every_time_on_its_own(timed_capture, dynamic_weights, tmp_path, capsys):
    config = run_config(timed_capture, dynamic_weights, tmp_path)
    config.pipeline.model.checkpoint = str(shutil.copy(dynamic_weights, tmp_path / "w.safetensors"))
    trainer = trained(config)
    said = " ".join(capsys.readouterr().out.split())
    assert "The scene moves: baked at 8 times from 0.11" in said
    assert trainer.pipeline.model.tuning is not None
    (tmp_path / "w.safetensors").unlink()
    _, pipeline, _, _ = eval_setup(tmp_path / "blobs/tokengs/run/config.yml", test_mode="inference")
    camera = pipeline.datamanager.eval_dataset.cameras[0:1]
    pictures, renderings = [], RenderConfig(*pipeline.model.near_far)
    for time in pipeline.model.baked_times[::7]:
        camera.times = torch.tensor([[time]])
        pictures.append(pipeline.model.get_outputs_for_camera(camera)["rgb"])
        trainer.pipeline.model.show(BakedScene(world_gaussians(trainer, time), rendering=renderings))
        expected = trainer.pipeline.model.get_outputs_for_camera(camera)["rgb"]
        torch.testing.assert_close(pictures[-1], expected, atol=1e-4, rtol=0)
    assert (pictures[0] - pictures[1]).abs().max() > 0.01


def world_gaussians(trainer: TokenGSTrainer, time: float) -> Gaussians:
    assert trainer.pipeline.model.tuning is not None
    assert trainer.pipeline.model._prepared is not None
    return trainer.pipeline.model.tuning.gaussians(time).transformed(
        trainer.pipeline.model._prepared.to_canonical.inverse()
    )


def test_moving_weights_take_a_capture_without_times_for_one_moment(capture, dynamic_weights, tmp_path, capsys):
    trainer = trained(run_config(capture, dynamic_weights, tmp_path, steps=1))
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("all photos count as of one moment, time 0") == 1
    assert trainer.pipeline.model.baked_times == []
    assert trainer.pipeline.model.num_points == 40 * 8
