import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made.training import SMALL, random_example, small_training

from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import novel_view_psnr
from tokengs_nerfstudio.core.training.network_training import NetworkTraining, TrainingDiverged
from tokengs_nerfstudio.core.training.schedule import one_cycle
from tokengs_nerfstudio.core.training.state import read_state, save_state
from tokengs_nerfstudio.core.types import Example


def test_one_scene_is_learned() -> None:
    torch.manual_seed(1)
    example, training = random_example(1), small_training(learning_rate=3e-3, ema=0.9)
    before = float(novel_view_psnr(training.averaged, example, chunk=8).mean())
    losses = [training.step(example, 0.02 + i / 200).losses["loss"] for i in range(80)]
    after = float(novel_view_psnr(training.averaged, example, chunk=8).mean())
    assert losses[-1] < 0.5 * losses[0]
    assert after > before + 1.0


def test_learning_rate_follows_progress_and_small_steps_change_weights() -> None:
    training, example = small_training(2, learning_rate=1e-3, matrix_rate=0.03, warmup=0.5), random_example()
    before = [parameter.clone() for parameter in training.network.parameters()]
    report = training.step(example, 0.25)
    assert report.learning_rate == pytest.approx(1e-3 * one_cycle(0.25, 0.5))
    assert {group["lr"] for group in training.optimizers[0].param_groups} == {report.learning_rate}
    assert training.optimizers[1].param_groups[0]["lr"] == pytest.approx(0.03 * one_cycle(0.25, 0.5))
    assert any(not torch.equal(old, new) for old, new in zip(before, training.network.parameters()))


def test_average_follows_slowly() -> None:
    training = small_training(ema=0.5)
    start = training.network.tokens.detach().clone()
    training.step(random_example(), 0.5)  # the first average weighs the new weights with 1 - 1/10
    expected = start + 0.9 * (training.network.tokens.detach() - start)
    torch.testing.assert_close(training.averaged.tokens.detach(), expected)


def test_broken_steps_are_skipped_then_stop_the_training() -> None:
    training, example = small_training(patience=3), random_example()
    training.step(example, 0.5)
    before = [parameter.clone() for parameter in training.network.parameters()]
    poison = example.target.images.clone()
    poison[0, 0, 0, 0, 0] = float("nan")
    broken = Example(example.context, replace(example.target, images=poison))
    report = training.step(broken, 0.5)
    assert report.skipped
    assert math.isnan(report.losses["loss"])
    assert all(torch.equal(old, new) for old, new in zip(before, training.network.parameters()))
    assert not training.step(example, 0.5).skipped
    training.step(broken, 0.5)
    training.step(broken, 0.5)
    with pytest.raises(TrainingDiverged, match="3 steps in a row were not finite"):
        training.step(broken, 0.5)
    assert training.skipped == 4
    assert bool(torch.isfinite(training.averaged.tokens).all())


@pytest.mark.parametrize("matrix_rate", [0.0, 0.02])
def test_resume_equals_an_uninterrupted_run(tmp_path: Path, matrix_rate: float) -> None:
    torch.manual_seed(7)
    examples = [random_example() for _ in range(6)]
    whole = small_training(matrix_rate=matrix_rate)
    expected = [whole.step(example, i / 6).losses["loss"] for i, example in enumerate(examples)]
    first = small_training(matrix_rate=matrix_rate)
    for i, example in enumerate(examples[:3]):
        first.step(example, i / 6)
    save_state(tmp_path / "state.pt", first.state_dict())
    second = NetworkTraining(TokenGSNetwork(SMALL, initial=SCRATCH), TrainingConfig(matrix_rate=matrix_rate))
    second.load_state_dict(read_state(tmp_path / "state.pt"))
    assert second.steps == 3
    resumed = [second.step(example, (i + 3) / 6).losses["loss"] for i, example in enumerate(examples[3:])]
    assert resumed == expected[3:]
    for ours, theirs in zip(second.averaged.parameters(), whole.averaged.parameters()):
        assert torch.equal(ours, theirs)


def test_a_state_of_another_network_is_refused() -> None:
    other = NetworkTraining(TokenGSNetwork(replace(SMALL, tokens=13), initial=SCRATCH), TrainingConfig(matrix_rate=0.0))
    with pytest.raises(ValueError, match="tokens: 12 there, 13 here"):
        other.load_state_dict(small_training().state_dict())


def test_optimizers_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="3 optimizers, not 1"):
        small_training().load_state_dict(small_training(matrix_rate=0.02).state_dict())


def test_a_state_of_before_the_weights_knew_their_planes_goes_on() -> None:
    state = small_training().state_dict()
    for name in ("near", "far", "background"):
        del state["architecture"][name]
    again = small_training()
    again.load_state_dict(state)
    unlike = NetworkTraining(TokenGSNetwork(replace(SMALL, near=0.5), initial=SCRATCH), TrainingConfig(matrix_rate=0.0))
    with pytest.raises(ValueError, match=r"near: 0\.025 there, 0\.5 here"):
        unlike.load_state_dict(state)


def test_network_config_is_the_one_trained() -> None:
    state = small_training().state_dict()
    assert NetworkConfig(**state["architecture"]) == SMALL
