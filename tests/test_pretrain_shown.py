"""What is seen of a training through nerfstudio: a held-out scene in the viewer, a finished run looked at."""

import json

import pytest
import torch
from made.pretraining import BATCHES, folder, run_config
from made.training import write_captures
from made.tuned_runs import trained
from made.viewers import Somebody, StandIn
from nerfstudio.utils import eval_utils

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture

pytestmark = pytest.mark.usefixtures("small_preset", "threads")


def test_a_finished_run_is_evaluated_and_looked_at(tmp_path, registered):
    trainer = trained(run_config(tmp_path))
    _, pipeline, _, step = eval_utils.eval_setup(folder(tmp_path) / "config.yml", test_mode="test")
    assert step == 3
    assert pipeline.network_training is None
    with pytest.raises(RuntimeError, match="only looked at"):
        pipeline.get_train_loss_dict(4)
    ours = trainer.pipeline.get_average_eval_image_metrics()
    found = pipeline.get_average_eval_image_metrics(output_path=tmp_path / "pictures", get_std=True)
    assert found["psnr"] == pytest.approx(ours["psnr"], abs=1e-4)
    assert -1 <= found["ssim"] <= 1
    assert {"psnr_std", "ssim_std"} <= set(found)
    assert found["held_out_scenes"] == 2
    assert json.dumps(found)
    assert len(list((tmp_path / "pictures").iterdir())) == 2 * BATCHES.novel
    camera, batch = pipeline.datamanager.next_eval_image(0)
    assert batch["image"].shape == (16, 16, 3)
    pictures = [model.get_outputs_for_camera(camera)["rgb"] for model in (trainer.pipeline.model, pipeline.model)]
    torch.testing.assert_close(*pictures)


def test_what_is_shown_is_what_the_network_predicts_of_a_held_out_scene(tmp_path):
    trainer = trained(run_config(tmp_path, steps=1))
    data, model = trainer.pipeline.datamanager, trainer.pipeline.model
    assert len(data.train_dataset) == data.shown.context.num_views == 4
    c2w, intrinsics = bridge.camera_matrices(data.train_dataset.cameras)
    torch.testing.assert_close(c2w, data.shown.context.c2w[0])
    torch.testing.assert_close(intrinsics, data.shown.context.intrinsics[0])
    assert (data.train_dataset[1]["image"].movedim(-1, 0) - data.shown.context.images[0, 1]).abs().max() <= 1 / 255
    seen = data.batches.placed(data.shown)
    splats = load_network(folder(tmp_path) / "network.safetensors")(seen.context)
    target = seen.target
    expected = render(splats, target.c2w, target.intrinsics, 16, 16, background=0.5).rgb[0]
    for index in range(target.num_views):
        camera = data.eval_dataset.cameras[index : index + 1]
        rgb = model.get_outputs_for_camera(camera)["rgb"].movedim(-1, 0)
        torch.testing.assert_close(rgb, expected[index].clamp(0, 1), atol=2e-3, rtol=0)
    assert float(expected.std()) > 0.001


def test_the_viewer_opens_at_the_first_context_view_of_that_scene(tmp_path):
    pipeline = trained(run_config(tmp_path, steps=1)).pipeline
    somebody = Somebody()
    pipeline.opening_view._setup(StandIn([somebody]))
    seen, own = (cameras.camera_to_worlds[0] for cameras in (somebody.seen_from(16, 16), pipeline.train_cameras[:1]))
    torch.testing.assert_close(seen[:, 2].float(), own[:, 2], atol=1e-4, rtol=0)
    away = float((pipeline.means - own[:, 3]).norm(dim=-1).median())
    assert float((seen[:, 3] - own[:, 3]).norm()) < 0.03 * away  # before the picture in its own frustum


def test_a_held_out_capture_is_shown_where_captures_are_trained_with(tmp_path):
    config = run_config(tmp_path, steps=2)
    config.pipeline.datamanager.data = write_captures(tmp_path / "captures")
    trainer = trained(config)
    kept_out = NerfstudioCapture(tmp_path / "captures/capture-0")
    c2w, _ = bridge.camera_matrices(trainer.pipeline.datamanager.train_dataset.cameras)
    apart = (c2w[:, None] - kept_out.c2w[None]).abs().amax((-1, -2)).amin(1)
    assert float(apart.max()) < 1e-4
    assert trainer.pipeline.datamanager.get_datapath() == tmp_path / "captures"
    config.pipeline.datamanager.data = tmp_path / "captures/capture-0"
    config.timestamp = "another-run"
    with pytest.raises(SystemExit, match="no captures in"):
        config.setup(local_rank=0, world_size=1).setup()


def test_viewer_and_evaluation_while_training(tmp_path):
    often = {"steps_per_eval_image": 1, "steps_per_eval_all_images": 2, "steps_per_eval_batch": 3}
    config = run_config(tmp_path, steps=4, vis="viewer+tensorboard", **often)
    config.pipeline.steps_per_show = 2
    config.viewer.websocket_port = None
    trainer = trained(config)
    try:
        assert trainer.viewer_state is not None
        assert len(trainer.viewer_state.camera_handles) == 4
        assert trainer.pipeline.model.num_points == 8 * 4
    finally:
        trainer.shutdown()


def test_a_run_that_is_looked_at_needs_no_weights_to_start_from(tmp_path, registered):
    start = tmp_path / "start.safetensors"
    save_network(TokenGSNetwork(PRESETS["tiny"]), start)
    config = run_config(tmp_path, steps=1)
    config.pipeline.model.preset, config.pipeline.model.start = "tiny", str(start)
    config.pipeline.training = TrainingConfig(learning_rate=1e-12, matrix_rate=0.0)
    trained(config)
    before = load_network(start).tokens
    start.unlink()
    _, pipeline, _, _ = eval_utils.eval_setup(folder(tmp_path) / "config.yml", test_mode="test")
    torch.testing.assert_close(pipeline.model.network.tokens, before)
