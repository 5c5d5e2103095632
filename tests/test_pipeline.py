"""One scene from photos to a checkpoint through nerfstudio's Trainer, in this process."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made.captures import SMALL_NETWORK, edit, write_blobs
from made.tuned_runs import checkpoints, run_config, saved, trained
from made.tuning import tuning_config
from nerfstudio.utils.eval_utils import eval_setup

from tokengs_nerfstudio.core.geometry.rays import with_focal
from tokengs_nerfstudio.core.poses import Adjustment
from tokengs_nerfstudio.core.rotation import rigid_motion
from tokengs_nerfstudio.core.tuning import scene_tuning
from tokengs_nerfstudio.core.types import Similarity
from tokengs_nerfstudio.data import NerfstudioCapture, write_nerfstudio_capture
from tokengs_nerfstudio.data.finished_run import read_run
from tokengs_nerfstudio.data.posing.result import write_points
from tokengs_nerfstudio.dataset import SceneDataset


def test_a_run_leaves_one_whole_checkpoint_that_evaluates_without_network_and_photos(capture, weights, tmp_path):
    trainer = trained(run_config(capture, weights, tmp_path))
    assert checkpoints(tmp_path) == ["step-000000003.ckpt"]
    _, pipeline, _, step = eval_setup(tmp_path / "blobs/tokengs/run/config.yml", test_mode="test")
    assert step == 3
    assert pipeline.model.tuning is None
    camera, _ = pipeline.datamanager.fixed_indices_eval_dataloader[0]
    ours, theirs = (model.get_outputs_for_camera(camera)["rgb"] for model in (trainer.pipeline.model, pipeline.model))
    torch.testing.assert_close(ours, theirs)
    metrics = pipeline.get_average_eval_image_metrics(get_std=True)
    assert metrics["psnr"] > 5
    assert metrics["held_out_images"] == 2
    assert "poses_aligned" not in metrics
    assert json.dumps(metrics)


def test_the_scene_of_adjusted_poses_is_evaluated_where_the_held_out_cameras_see_it(
    capture, weights, tmp_path, monkeypatch, capsys
):
    """All cameras come back two degrees turned, as an adjustment may leave them; the network's scene stays behind."""
    config = run_config(capture, weights, tmp_path / "a", steps=0)
    as_given = trained(config).pipeline.model
    turn = rigid_motion(torch.deg2rad(torch.tensor([[0.0, 2.0, 0.0]])), torch.zeros(1, 3))[0, :3, :3]
    there = Similarity(turn, torch.zeros(3), torch.ones(()))

    def adjusted(example, poses, focal):
        views = there.views(example.target)
        return replace(example, target=views), Adjustment(views.c2w, 1.0, 2.0, 1.0, poses=True)

    monkeypatch.setattr(scene_tuning, "with_adjusted_cameras", adjusted)
    config = run_config(capture, weights, tmp_path / "b", steps=0)
    config.pipeline.model.tuning.cameras.adjust = True
    model = trained(config).pipeline.model
    assert not torch.allclose(model.running_tuning().cameras.cameras(), model.prepared_scene().example.target.c2w)
    monkeypatch.undo()
    _, pipeline, _, _ = eval_setup(tmp_path / "b/blobs/tokengs/run/config.yml", test_mode="test")
    metrics = pipeline.get_average_eval_image_metrics()
    assert metrics["poses_aligned"] == 1
    assert "2.000 degrees" in capsys.readouterr().out
    to_canonical = as_given.prepared_scene().to_canonical
    expected = to_canonical.inverse().points(there.inverse().points(to_canonical.points(as_given.means)))
    torch.testing.assert_close(pipeline.model.means, expected, atol=1e-4, rtol=1e-4)


def test_a_corrected_focal_length_is_that_of_all_cameras_wherever_a_run_is_looked_at(
    capture, weights, tmp_path, monkeypatch
):
    """Held-out ones, those of data managers that nerfstudio makes by itself, and those of exports; never twice."""

    def adjusted(example, poses, focal):
        assert (poses, focal) == (False, True)
        views = replace(example.target, intrinsics=with_focal(example.target.intrinsics, 1.25))
        return replace(example, target=views), Adjustment(views.c2w, 1.25, 2.0, 1.0, poses=False)

    monkeypatch.setattr(scene_tuning, "with_adjusted_cameras", adjusted)
    config = run_config(capture, weights, tmp_path, steps=1)
    config.pipeline.model.tuning.cameras.focal = True
    pipeline = trained(config).pipeline
    given = SceneDataset(pipeline.datamanager.train_dataparser_outputs).cameras.fx[0]
    run = tmp_path / "blobs/tokengs/run"
    resumed = trained(run_config(capture, weights, tmp_path / "on", 1, load_dir=run, pipeline=config.pipeline)).pipeline
    _, looked_at, _, _ = eval_setup(run / "config.yml", test_mode="test")
    fresh = looked_at.config.datamanager.setup(device="cpu", test_mode="test")
    for data in (pipeline.datamanager, resumed.datamanager, looked_at.datamanager, fresh):
        for dataset in (data.train_dataset, data.eval_dataset):
            torch.testing.assert_close(dataset.cameras.fx[0], 1.25 * given)
    focal = read_run(run).context.intrinsics[:, 0, 0]
    torch.testing.assert_close(focal, pipeline.datamanager.train_dataset.cameras.fx[: len(focal), 0])
    assert json.loads((run / "plan.json").read_text())["tuning"]["cameras"]["focal"] is True


def test_a_run_is_shown_as_it_was_tuned(capture, weights, tmp_path):
    config = run_config(capture, weights, tmp_path)
    config.pipeline.model.rasterize_mode = "antialiased"
    trainer = trained(config)
    _, pipeline, _, _ = eval_setup(tmp_path / "blobs/tokengs/run/config.yml", test_mode="inference")
    camera = pipeline.datamanager.eval_dataset.cameras[0:1]
    ours, theirs = (model.get_outputs_for_camera(camera)["rgb"] for model in (trainer.pipeline.model, pipeline.model))
    assert torch.equal(ours, theirs)
    state = pipeline.model.state_dict()
    assert state["_extra_state"]["antialiased"] is True
    pipeline.model.load_state_dict({**state, "_extra_state": {**state["_extra_state"], "antialiased": False}})
    assert not torch.equal(pipeline.model.get_outputs_for_camera(camera)["rgb"], ours)
    with pytest.raises(SystemExit, match="tuned with antialiased True, now it is False"):
        trained(run_config(capture, weights, tmp_path / "classic", load_dir=tmp_path / "blobs/tokengs/run"))


def test_a_run_begins_with_the_points_of_its_capture(weights, tmp_path):
    folder = write_blobs(tmp_path / "scene")
    write_points(
        folder / "points.ply", np.random.default_rng(0).normal(size=(50, 3)) * 0.4, np.zeros((50, 3), np.uint8)
    )
    edit(folder, lambda meta: meta.update(ply_file_path="points.ply"))
    config = run_config(folder, weights, tmp_path, steps=1)
    config.pipeline.model.tuning = tuning_config(
        space="gaussians", rule="steps", reseed=False, clear_share=0.0, start_share=1.0, stereo=0
    )
    model = trained(config).pipeline.model
    assert model.num_points == SMALL_NETWORK.tokens * SMALL_NETWORK.gaussians_per_token + 50


def test_no_steps_give_the_feed_forward_result(capture, weights, tmp_path):
    trainer = trained(run_config(capture, weights, tmp_path, steps=0))
    assert checkpoints(tmp_path) == ["step-000000000.ckpt"]
    network = trainer.pipeline.model.load_network()
    assert trainer.pipeline.model.num_points == network.config.tokens * network.config.gaussians_per_token
    assert saved(tmp_path)["tuning"]["state"]["steps_done"] == 0


def test_what_export_needs_later_stands_in_the_checkpoint(capture, weights, tmp_path):
    trainer = trained(run_config(capture, weights, tmp_path, steps=1))
    scene, data = saved(tmp_path)["tuning"]["scene"], trainer.pipeline.datamanager
    train = data.train_dataset.image_filenames
    assert len(scene["context"]) == 3
    assert {Path(name).name for name in scene["context"]} <= {path.name for path in train}
    first = [path.name for path in train].index(Path(scene["context"][0]).name)
    torch.testing.assert_close(scene["context_c2w"][0, :3, 3], data.train_dataset.cameras.camera_to_worlds[first, :, 3])
    assert scene["context_size"] == [40, 48]
    torch.testing.assert_close(scene["dataparser_transform"], data.train_dataparser_outputs.dataparser_transform)
    assert scene["dataparser_scale"] == pytest.approx(data.train_dataparser_outputs.dataparser_scale)
    assert scene["context_times"] is None
    assert scene["near_far"] == pytest.approx(trainer.pipeline.model.near_far)


def test_a_save_cut_short_leaves_the_older_checkpoint(capture, weights, tmp_path, monkeypatch):
    trainer = trained(run_config(capture, weights, tmp_path, steps=1))

    def cut_short(state, path):
        path.write_bytes(b"half of a checkpoint")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", cut_short)
    with pytest.raises(KeyboardInterrupt):
        trainer.save_checkpoint(7)
    assert checkpoints(tmp_path) == ["step-000000000.ckpt"]
    assert saved(tmp_path)["step"] == 0
    assert not list((tmp_path / "blobs/tokengs/run").glob(".step*"))


def test_older_checkpoints_and_evaluations_while_tuning_where_asked_for(capture, weights, tmp_path):
    evaluations = {"steps_per_eval_batch": 2, "steps_per_eval_image": 2, "steps_per_eval_all_images": 3}
    options = {"steps_per_save": 2, "save_only_latest_checkpoint": False, **evaluations}
    trained(run_config(capture, weights, tmp_path, steps=4, **options))
    assert checkpoints(tmp_path) == ["step-000000002.ckpt", "step-000000003.ckpt"]


def test_what_is_masked_has_no_part_in_the_tuning(capture, weights, tmp_path):
    """Two captures that differ only behind the masks, in photos that the encoder does not see."""
    views = NerfstudioCapture(capture).load(range(10))
    masks = torch.ones_like(views.images[:, :1])
    masks[[4, 5, 6], :, :, :20] = 0
    found = []
    for name, content in (("dark", 0.0), ("bright", 1.0)):
        painted = replace(views, images=views.images.where(masks > 0, content), masks=masks)
        folder = write_nerfstudio_capture(tmp_path / name / "scene", painted)
        config = run_config(folder, weights, tmp_path / name, steps=12)
        config.pipeline.datamanager.context_indices = (1, 3, 7)
        config.pipeline.model.tuning = tuning_config(space="tokens+gaussians", held_out_from=4, check_every=3)
        trainer = config.setup(local_rank=0, world_size=1)
        trainer.setup()
        trainer.train()
        found.append(trainer.pipeline.model.means)
    assert len(found[0]) > 100
    assert torch.equal(found[0], found[1])


def test_tuning_brings_the_renders_nearer_to_the_photos(capture, weights, tmp_path):
    config = run_config(capture, weights, tmp_path, steps=40)
    config.pipeline.model.tuning = tuning_config(space="gaussians", rule="steps")
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    before = trainer.pipeline.get_average_eval_image_metrics()["psnr"]
    trainer.train()
    assert trainer.pipeline.get_average_eval_image_metrics()["psnr"] > before + 1
