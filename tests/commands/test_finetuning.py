from dataclasses import replace
from pathlib import Path

import pytest
from made.runs import logged, options

from tokengs_nerfstudio.commands.finetuning import finetuned
from tokengs_nerfstudio.commands.pretrain import Run
from tokengs_nerfstudio.commands.pretraining import Pretraining
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig


@pytest.mark.parametrize(("views", "novel"), [(2, 6), (4, 4), (6, 4)])
def test_a_finetuning_is_short_slow_and_of_one_number_of_views(views: int, novel: int) -> None:
    found = finetuned(Pretraining(Path("out"), preset=f"finetune-{views}view", start="tiny"))
    usual = TrainingConfig()
    assert found.steps == 10_000
    assert found.training.learning_rate == pytest.approx(0.1 * usual.learning_rate)
    assert found.training.matrix_rate == pytest.approx(0.1 * usual.matrix_rate)
    assert found.training.warmup * found.steps == pytest.approx(400)
    assert found.training.warmup_steps == 400
    assert (found.batches.context, found.batches.novel) == ((views, views), novel)
    assert found.procedural.easy == (0.0, 0.0)


def test_what_was_asked_for_stays() -> None:
    asked = Pretraining(
        Path("out"),
        preset="finetune-2view",
        start="tiny",
        hours=0.5,
        training=TrainingConfig(learning_rate=3e-5),
        batches=BatchConfig(context=(2, 3), scenes=9),
    )
    found = finetuned(asked)
    assert (found.steps, found.hours) == (None, 0.5)
    assert found.training.learning_rate == 3e-5
    assert found.training.matrix_rate == pytest.approx(0.1 * TrainingConfig().matrix_rate)
    assert (found.batches.context, found.batches.scenes) == ((2, 3), 9)
    plain = options(Path("out"))
    assert finetuned(plain) is plain


@pytest.mark.usefixtures("small_preset", "threads")
def test_weights_are_finetuned_with_more_tokens(tmp_path) -> None:
    save_network(TokenGSNetwork(PRESETS["tiny"]), tmp_path / "start.safetensors")
    config = options(tmp_path / "run", 1, preset="finetune-2view", start=str(tmp_path / "start.safetensors"), tokens=11)
    run = Run(config)
    run.train()
    assert run.training.config.learning_rate == pytest.approx(1e-4)
    assert run._batch(5).context.num_views == 2
    trained = load_network(tmp_path / "run/network.safetensors")
    assert trained.config == replace(PRESETS["tiny"], tokens=11, num_context=2)
    assert logged(tmp_path / "run")[1]["rate"] == pytest.approx(1e-4 / 25)


def test_without_weights_there_is_nothing_to_finetune() -> None:
    with pytest.raises(ValueError, match="finetune-4view goes on from weights: name them with --from"):
        Pretraining(Path("out"), preset="finetune-4view")
