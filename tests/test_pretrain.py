"""The training of a network through nerfstudio's Trainer, in this process."""

import json
from pathlib import Path

import pytest
import torch
import tyro
import yaml
from made.datasets import write_dl3dv
from made.pages import commands
from made.training import write_captures
from made.tuned_runs import trained
from made.viewers import Somebody, StandIn
from nerfstudio.configs.method_configs import all_methods
from nerfstudio.utils import eval_utils

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.commands.pretrain import Pretraining, Run
from tokengs_nerfstudio.configs import tokengs_pretrain
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.state import STATE_FORMAT, read_state, save_state
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.examples.mixture import MixtureExamples
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
from tokengs_nerfstudio.pretrain.pipeline import PretrainPipeline
from tokengs_nerfstudio.pretrain.trainer import PretrainTrainerConfig
from tokengs_nerfstudio.trainer import newest_checkpoint

BATCHES = BatchConfig(scenes=2, side=16, late=2.0)

pytestmark = pytest.mark.usefixtures("small_preset", "threads")


def run_config(output: Path, steps: int = 4, **options) -> PretrainTrainerConfig:
    """The method's own configuration, as `ns-train tokengs-pretrain` would change it."""
    config: PretrainTrainerConfig = yaml.load(yaml.dump(tokengs_pretrain.config), Loader=yaml.Loader)
    config.output_dir, config.experiment_name, config.timestamp = output, "made", "run"
    config.vis = "tensorboard"
    config.max_num_iterations = steps
    config.pipeline.datamanager.batches = BATCHES
    config.pipeline.datamanager.held_out = 2
    config.viewer.quit_on_train_completion = True
    for name, value in options.items():
        setattr(config, name, value)
    return config


@pytest.fixture
def losses(monkeypatch) -> list[float]:
    """What the steps of pipelines return from now on."""
    seen: list[float] = []
    step_of = PretrainPipeline.get_train_loss_dict

    def recorded(self, step):
        result = step_of(self, step)
        seen.append(float(result[1]["loss"]))
        return result

    monkeypatch.setattr(PretrainPipeline, "get_train_loss_dict", recorded)
    return seen


def folder(output: Path) -> Path:
    return output / "made/tokengs-pretrain/run"


def test_losses_are_those_of_the_command(tmp_path, losses):
    Run(Pretraining(tmp_path / "command", steps=4, batches=BATCHES, device="cpu", held_out=2)).train()
    trained(run_config(tmp_path))
    lines = (tmp_path / "command/log.jsonl").read_text().splitlines()
    assert [round(loss, 7) for loss in losses] == [json.loads(line)["loss"] for line in lines]
    ours, theirs = (load_network(at / "network.safetensors") for at in (folder(tmp_path), tmp_path / "command"))
    assert ours.config == theirs.config
    assert all(torch.equal(first, second) for first, second in zip(ours.parameters(), theirs.parameters()))


def test_an_interrupted_run_goes_on_exactly(tmp_path, losses):
    trained(run_config(tmp_path / "a", steps=5))
    alone = list(losses)
    trained(run_config(tmp_path / "b", steps=5, steps_per_save=2, save_only_latest_checkpoint=False))
    (folder(tmp_path / "b") / "nerfstudio_models/step-000000004.ckpt").unlink()
    losses.clear()
    trainer = trained(run_config(tmp_path / "c", steps=5, load_dir=folder(tmp_path / "b")))
    assert losses == alone[3:]
    assert trainer.pipeline.network_training is not None
    assert trainer.pipeline.network_training.steps == 5


def test_a_finished_run_gets_more_steps(tmp_path, losses):
    trained(run_config(tmp_path / "a", steps=2))
    more = trained(run_config(tmp_path / "b", steps=3, load_dir=folder(tmp_path / "a") / "nerfstudio_models"))
    assert len(losses) == 5
    assert newest_checkpoint(folder(tmp_path / "b")).name == "step-000000004.ckpt"
    assert more.pipeline.share == 1.0


@pytest.fixture
def registered(monkeypatch) -> None:
    """As after an installation: nerfstudio finds the method by its entry point."""
    monkeypatch.setitem(all_methods, "tokengs-pretrain", tokengs_pretrain.config)


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


def test_several_data_sets_are_mixed_by_weight_and_a_finetuning_is_a_preset(tmp_path, losses, registered):
    save_network(TokenGSNetwork(PRESETS["tiny"]), tmp_path / "start.safetensors")
    config = run_config(tmp_path, steps=3)
    config.pipeline.model.preset, config.pipeline.model.start = "finetune-2view", str(tmp_path / "start.safetensors")
    data = config.pipeline.datamanager
    data.data = write_captures(tmp_path / "captures")
    data.more_data, data.weights = (write_dl3dv(tmp_path / "dl3dv", 2),), (1.0, 2.0)
    trainer = trained(config)
    pipeline = trainer.pipeline
    assert len(losses) == 3
    assert isinstance(pipeline.datamanager.batches.source, MixtureExamples)
    assert list(pipeline.datamanager.batches.source.weights) == [1.0, 2.0]
    assert pipeline.datamanager.shown.context.num_views == 2
    assert pipeline.config.training.learning_rate == pytest.approx(1e-4)
    assert load_network(folder(tmp_path) / "network.safetensors").config.num_context == 2
    _, again, _, _ = eval_utils.eval_setup(folder(tmp_path) / "config.yml", test_mode="test")
    assert torch.equal(again.model.means, pipeline.model.means)


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


def test_without_a_terminal_the_pace_is_logged(tmp_path, capsys):
    trained(run_config(tmp_path, steps=2))
    said = capsys.readouterr().out
    assert "scenes/s" in said
    assert "left" in said
    assert "Novel views of 2 held-out scenes" in " ".join(said.split())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, _: setattr(c.pipeline.model, "preset", "large"), "no preset 'large'"),
        (lambda c, _: setattr(c.pipeline.model, "start", "nothing"), "no registered weights 'nothing'"),
        (lambda c, _: setattr(c.pipeline, "seed", -1), "--pipeline.seed is -1; a whole number"),
        (lambda c, t: setattr(c, "load_dir", t / "nowhere"), "nothing to resume at .*nowhere"),
        (lambda c, t: setattr(c, "load_checkpoint", write_nonsense(t / "step-000000001.ckpt")), "is truncated or no"),
        (lambda c, t: setattr(c, "load_checkpoint", write_state(t / "state.pt")), "a state of `tokengs-pretrain`"),
    ],
)
def test_what_a_user_has_to_put_right_is_one_message(tmp_path, change, message):
    config = run_config(tmp_path)
    change(config, tmp_path)
    with pytest.raises(SystemExit, match=message) as ended:
        config.setup(local_rank=0, world_size=1).setup()
    assert "\n" not in str(ended.value.code)


def write_nonsense(path: Path) -> Path:
    path.write_bytes(b"half of a checkpoint")
    return path


def write_state(path: Path) -> Path:
    save_state(path, {"format": STATE_FORMAT, "network": {}})
    return path


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


def test_another_seed_is_not_resumed(tmp_path):
    trained(run_config(tmp_path / "a", steps=1))
    config = run_config(tmp_path / "b", load_dir=folder(tmp_path / "a"))
    config.pipeline.seed = 1
    with pytest.raises(SystemExit, match=r"had --pipeline\.seed 0, now it is 1"):
        config.setup(local_rank=0, world_size=1).setup()


def test_a_save_cut_short_leaves_the_older_checkpoint(tmp_path, monkeypatch):
    trainer = trained(run_config(tmp_path, steps=1))

    def cut_short(state, scratch):
        scratch.write_bytes(b"half of a checkpoint")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", cut_short)
    with pytest.raises(KeyboardInterrupt):
        trainer.save_checkpoint(7)
    path = newest_checkpoint(folder(tmp_path))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name] == ["step-000000000.ckpt"]
    assert read_state(path)["step"] == 0


def test_several_devices_are_refused(tmp_path):
    with pytest.raises(ValueError, match="num-devices 1"):
        run_config(tmp_path).pipeline.setup(device="cpu", world_size=2)


def test_flags_reach_their_place():
    flags = ["--pipeline.datamanager.batches.scenes", "8", "--pipeline.model.preset", "small", "--pipeline.seed", "5"]
    flags += ["--pipeline.training.matrix-rate", "0.0", "--pipeline.datamanager.procedural.easy", "0.1", "0.2"]
    config = tyro.cli(PretrainTrainerConfig, args=flags, default=tokengs_pretrain.config)
    assert config.pipeline.datamanager.batches.scenes == 8
    assert config.pipeline.model.preset == "small"
    assert config.pipeline.seed == 5
    assert config.pipeline.training.matrix_rate == 0.0
    assert config.pipeline.datamanager.procedural.easy == (0.1, 0.2)
    assert yaml.load(yaml.dump(config), Loader=yaml.Loader) == config


@pytest.mark.parametrize("page", ["README.md", "docs/datasets.md"])
def test_commands_on_pages_are_taken(page):
    told = [words[2:] for words in commands(page) if words[:2] == ["ns-train", "tokengs-pretrain"]]
    assert told
    for words in told:
        config = tyro.cli(PretrainTrainerConfig, args=words, default=tokengs_pretrain.config)
        assert str(config.data) == words[1] or words[0] != "--data"
