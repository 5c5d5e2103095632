from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made.runs import logged, options

from tokengs_nerfstudio.commands.pretrain import Run
from tokengs_nerfstudio.commands.pretraining import Pretraining, with_recipe
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig, batch_shape


@pytest.mark.parametrize(("views", "novel"), [(2, 6), (4, 4), (6, 4)])
def test_a_finetuning_is_short_slow_and_of_one_number_of_views(views: int, novel: int) -> None:
    found = with_recipe(Pretraining(Path("out"), preset=f"finetune-{views}view", start="tiny"))
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
    found = with_recipe(asked)
    assert (found.steps, found.hours) == (None, 0.5)
    assert found.training.learning_rate == 3e-5
    assert found.training.matrix_rate == pytest.approx(0.1 * TrainingConfig().matrix_rate)
    assert (found.batches.context, found.batches.scenes) == ((2, 3), 9)
    plain = options(Path("out"))
    assert with_recipe(plain) is plain


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


@pytest.mark.parametrize(
    ("preset", "steps", "size", "tokens", "rgb"),
    [
        ("base", 150_000, (256, 256), 1024, ("l2", 1.0)),
        ("latent", 150_000, (256, 448), 4096, ("l1", 0.8)),
        ("kubric", 50_000, (256, 256), 1024, ("l1", 0.8)),
    ],
)
def test_trainings_of_tokengs_have_its_numbers(preset, steps, size, tokens, rgb) -> None:
    found = with_recipe(Pretraining(Path("out"), preset=preset, device="cuda"))
    training, batches = found.training, found.batches
    assert (found.steps, found.precision, batches.size) == (steps, "bf16", size)
    assert PRESETS[str(found.preset)].tokens == tokens
    assert PRESETS[str(found.preset)].image_size == size
    assert (training.learning_rate, training.matrix_rate) == (4e-5 if preset == "kubric" else 4e-4, 0.0)
    assert training.warmup * steps == pytest.approx(400 if preset == "kubric" else 2_000)
    assert (training.loss.rgb_norm, training.loss.rgb) == rgb
    assert (training.loss.ssim, training.loss.visibility, training.depth) == (0.2, 1.0, 0.0)
    assert (training.schedule, training.betas, training.weight_decay, training.clip) == (
        "one-cycle", (0.9, 0.95), 0.05, 1.0,
    )  # fmt: skip
    assert (batches.scenes, batches.context, batches.novel, batches.shown, batches.mirror) == (8, (4, 4), 4, 0, 0.5)
    assert (found.captures.min_gap, found.captures.max_gap) == (10, 40)
    shape = batch_shape(batches, PRESETS[str(found.preset)], np.random.default_rng(0), 1.0)
    assert (shape.scenes, shape.context, shape.novel, shape.height, shape.width) == (8, 4, 4, *size)


@pytest.fixture
def published(monkeypatch):
    """Weights of any name are said to have the architecture of a preset."""

    def say(preset: str) -> None:
        monkeypatch.setattr("tokengs_nerfstudio.commands.recipes.network_config", lambda name: PRESETS[preset])

    return say


@pytest.mark.parametrize(
    ("weights", "views", "architecture"),
    [
        ("base", 2, "base-2view"),
        ("base", 6, "base-6view"),
        ("latent-4view", 4, "latent-4view"),
        ("locus", 4, "locus-4view"),
    ],
)
def test_published_weights_are_finetuned_as_published(published, weights, views, architecture) -> None:
    published(weights)
    found = with_recipe(Pretraining(Path("out"), preset=f"finetune-{views}view", start="weights"))
    assert (found.preset, found.steps) == (architecture, 10_000)
    assert PRESETS[architecture].tokens == 4096
    assert (found.training.learning_rate, found.training.matrix_rate) == (4e-5, 0.0)
    assert found.training.warmup == pytest.approx(0.04)
    assert found.batches.size == (256, 448)
    assert (found.batches.context, found.batches.novel) == ((views, views), 4 if views == 6 else 8 - views)
    assert found.procedural.easy == (0.0, 0.0)


def test_weights_of_still_scenes_go_on_with_still_tokens_on_kubric(published) -> None:
    for weights, architecture in (("latent-4view", "kubric-static"), ("kubric-dynamic", "kubric-dynamic")):
        published(weights)
        assert with_recipe(Pretraining(Path("out"), preset="kubric", start="weights")).preset == architecture


def test_without_weights_there_is_nothing_to_finetune() -> None:
    with pytest.raises(ValueError, match="finetune-4view goes on from weights: name them with --from"):
        Pretraining(Path("out"), preset="finetune-4view")
