"""Scenes that move, from photos with times to a finished run."""

import shutil
from pathlib import Path

import pytest
import torch
from made.captures import edit, write_blobs, write_weights
from made.tuned_runs import run_config, trained
from nerfstudio.utils.eval_utils import eval_setup
from nerfstudio.viewer.utils import parse_object
from nerfstudio.viewer.viewer_elements import ViewerElement

from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.checkpoint import registry
from tokengs_nerfstudio.core.checkpoint.registry import USUAL, USUAL_FOR_MOVING
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig
from tokengs_nerfstudio.data.finished_run import read_run
from tokengs_nerfstudio.trainer import TokenGSTrainer, TokenGSTrainerConfig


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


def test_as_many_times_are_baked_as_asked_for_and_the_run_says_what_they_take(
    timed_capture, dynamic_weights, tmp_path, capsys
):
    config = run_config(timed_capture, dynamic_weights, tmp_path, steps=0)
    config.pipeline.model.bake_times = 20
    trainer = trained(config)
    said = " ".join(capsys.readouterr().out.split())
    # 32 tokens of 8 Gaussians, 14 numbers each.
    assert "baked at 20 times from 0.11" in said
    assert "256 moving Gaussians in 0.29 MB" in said
    model = trainer.pipeline.model
    assert model.baked().memory == 20 * 256 * 14 * 4
    assert set(read_run(tmp_path / "blobs/tokengs/run").baked.times) == set(model.baked_times)


def test_what_is_encoded_while_somebody_looks_is_there_at_the_same_times(timed_capture, dynamic_weights, tmp_path):
    """Other context photos, of other times, do not change which times there are."""
    pipeline = trained(run_config(timed_capture, dynamic_weights, tmp_path, steps=1)).pipeline
    times = pipeline.model.baked_times
    pipeline.encode([0, 3], 8)
    pipeline.show_feed_forward(True)
    baked, *_ = pipeline.model._looked_at()
    assert baked.times == times
    assert len(times) == 8


def test_runs_of_captures_with_times_can_be_told_where_flow_leads(timed_capture, capture, dynamic_weights, tmp_path):
    for folder, expected in ((timed_capture, {"flow_to_next", "flow_to"}), (capture, set())):
        pipeline = run_config(folder, dynamic_weights, tmp_path).pipeline.setup(device="cpu")
        named = {path.rpartition("/")[2] for path, _ in parse_object(pipeline, ViewerElement, "Custom Elements")}
        assert named & {"flow_to_next", "flow_to"} == expected


@pytest.fixture
def both_shipped(tmp_path, dynamic_weights, monkeypatch) -> None:
    """Weights of both kinds come with the package."""
    folder = tmp_path / "weights"
    folder.mkdir()
    write_weights(folder / f"{USUAL}.safetensors")
    shutil.copy(dynamic_weights, folder / f"{USUAL_FOR_MOVING}.safetensors")
    monkeypatch.setattr(registry, "SHIPPED", folder)


def without_weights(folder: Path, output: Path) -> TokenGSTrainerConfig:
    config = run_config(folder, Path("none"), output, steps=0)
    config.pipeline.model.checkpoint = None
    return config


@pytest.mark.usefixtures("both_shipped")
def test_a_capture_with_times_takes_weights_that_move_by_itself_and_says_so(timed_capture, tmp_path, capsys):
    trainer = trained(without_weights(timed_capture, tmp_path))
    said = " ".join(capsys.readouterr().out.split())
    assert "The photos were taken at 8 times" in said
    assert "'tiny-dynamic'" in said
    assert len(trainer.pipeline.model.baked_times) == 8
    written = (tmp_path / "blobs/tokengs/run/config.yml").read_text()
    assert "checkpoint: tiny-dynamic" in written


@pytest.mark.usefixtures("both_shipped")
@pytest.mark.parametrize("times", [None, 7.0])
def test_a_capture_without_times_or_of_one_moment_never_does(times, capture, tmp_path, capsys):
    folder = shutil.copytree(capture, tmp_path / "scene")
    if times is not None:
        edit(folder, lambda meta: [frame.update(time=times) for frame in meta["frames"]])
    trainer = trained(without_weights(folder, tmp_path))
    assert "tiny-dynamic" not in capsys.readouterr().out
    assert trainer.pipeline.model.weights_name() == USUAL
    assert trainer.pipeline.model.baked_times == []


@pytest.mark.usefixtures("both_shipped")
def test_who_names_weights_gets_them_whatever_the_capture_is(timed_capture, tmp_path, capsys):
    config = without_weights(timed_capture, tmp_path)
    config.pipeline.model.checkpoint = USUAL
    assert trained(config).pipeline.model.baked_times == []
    assert "tiny-dynamic" not in capsys.readouterr().out


def test_where_weights_that_move_do_not_come_with_the_package_the_usual_ones_are_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "SHIPPED", tmp_path)
    assert registry.default_weights(moving=True) == registry.default_weights(moving=False) == USUAL


@pytest.mark.skipif(USUAL_FOR_MOVING not in registry.shipped_weights(), reason=f"{USUAL_FOR_MOVING} is not shipped yet")
def test_the_shipped_weights_make_a_capture_with_times_move(timed_capture, tmp_path):
    model = trained(without_weights(timed_capture, tmp_path)).pipeline.model
    assert model.weights_name() == USUAL_FOR_MOVING
    assert len(model.baked_times) == 8
