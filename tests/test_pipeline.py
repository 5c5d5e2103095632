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
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tokengs_nerfstudio.core.geometry.rays import with_focal
from tokengs_nerfstudio.core.poses import Adjustment
from tokengs_nerfstudio.core.rotation import rigid_motion
from tokengs_nerfstudio.core.tuning import scene_tuning
from tokengs_nerfstudio.core.types import Similarity
from tokengs_nerfstudio.data import NerfstudioCapture, write_nerfstudio_capture
from tokengs_nerfstudio.data.finished_run import read_run
from tokengs_nerfstudio.data.posing.result import write_points
from tokengs_nerfstudio.dataset import SceneDataset
from tokengs_nerfstudio.trainer import newest_checkpoint


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
        space="gaussians", rule="steps", reseed=False, clear_share=0.0, start_share=1.0
    )
    model = trained(config).pipeline.model
    assert model.num_points == SMALL_NETWORK.tokens * SMALL_NETWORK.gaussians_per_token + 50


def test_no_steps_give_the_feed_forward_result(capture, weights, tmp_path):
    trainer = trained(run_config(capture, weights, tmp_path, steps=0))
    assert checkpoints(tmp_path) == ["step-000000000.ckpt"]
    network = trainer.pipeline.model.load_network()
    assert trainer.pipeline.model.num_points == network.config.tokens * network.config.gaussians_per_token
    assert saved(tmp_path)["tuning"]["state"]["steps_done"] == 0


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


def test_defects_keep_their_traceback(capture, weights, tmp_path, monkeypatch):
    def broken(*_):
        raise ValueError("a defect elsewhere")

    monkeypatch.setattr("tokengs_nerfstudio.pipeline.TokenGSPipeline.begin", broken)
    with pytest.raises(ValueError, match="a defect elsewhere"):
        run_config(capture, weights, tmp_path).setup(local_rank=0, world_size=1).setup()


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
