"""The training of a network through nerfstudio's Trainer, in this process."""

import json
from pathlib import Path

import pytest
import torch
import tyro
import yaml
from made.datasets import write_dl3dv
from made.pages import commands
from made.pretraining import BATCHES, folder, run_config
from made.training import write_captures
from made.tuned_runs import trained
from nerfstudio.utils import eval_utils

from tokengs_nerfstudio.commands.pretrain import Pretraining, Run
from tokengs_nerfstudio.configs import tokengs_pretrain
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.state import STATE_FORMAT, read_state, save_state
from tokengs_nerfstudio.data.examples.mixture import MixtureExamples
from tokengs_nerfstudio.pretrain.pipeline import PretrainPipeline
from tokengs_nerfstudio.pretrain.trainer import PretrainTrainerConfig
from tokengs_nerfstudio.trainer import newest_checkpoint

pytestmark = pytest.mark.usefixtures("small_preset", "threads")


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


def test_losses_are_those_of_the_command(tmp_path, losses):
    # Left to itself the command takes bf16 on processors that are faster in it.
    command = Pretraining(tmp_path / "command", steps=4, batches=BATCHES, device="cpu", held_out=2, precision="fp32")
    Run(command).train()
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
