from dataclasses import replace

import pytest
import torch
from made.training import random_example, small_training
from torch import Tensor, nn

from tokengs_nerfstudio.core.losses import LossConfig
from tokengs_nerfstudio.core.training import perceptual
from tokengs_nerfstudio.core.types import Example

MIXES = [LossConfig(lpips=0.5, ssim=0.0), LossConfig(rgb=0.8, rgb_norm="l1", ssim=0.2, lpips=0.3)]


@pytest.fixture
def stand_in(monkeypatch) -> nn.Module:
    """Distances of the features of a small random network, in the place of LPIPS."""
    network = nn.Conv2d(3, 4, 5, stride=2).requires_grad_(False)

    def distance(pred: Tensor, target: Tensor) -> Tensor:
        return (network(pred) - network(target)).square().flatten(1).mean(1)

    monkeypatch.setattr(perceptual, "perceptual_distance", lambda: distance)
    return network


@pytest.mark.parametrize("loss", MIXES)
def test_mixes_with_a_perceptual_distance_are_trained(stand_in: nn.Module, loss: LossConfig) -> None:
    example = random_example(3)
    losses = small_training(2, loss=loss, chunk=1).step(example, 0.5).losses
    assert losses["lpips"] > 0.0
    expected = loss.rgb * losses["rgb"] + loss.lpips * losses["lpips"] + losses["visibility"]
    assert losses["loss"] == pytest.approx(expected + loss.ssim * losses.get("ssim", 0.0), rel=1e-5)
    assert ("ssim" in losses) == (loss.ssim > 0)


def test_its_gradient_reaches_the_network_and_not_the_stand_in(stand_in: nn.Module) -> None:
    training = small_training(loss=LossConfig(rgb=0.0, ssim=0.0, visibility=0.0, lpips=1.0), depth=0.0)
    training.workers.gradients(random_example(), training.config)
    slopes = [p.grad for p in training.network.parameters() if p.grad is not None]
    assert max(float(slope.abs().max()) for slope in slopes) > 1e-6
    assert stand_in.weight.grad is None


def test_without_its_weight_nobody_asks_for_lpips(monkeypatch) -> None:
    monkeypatch.setattr(perceptual, "perceptual_distance", lambda: pytest.fail("asked for"))
    example = random_example()
    dark = Example(example.context, replace(example.target, images=torch.zeros_like(example.target.images)))
    assert "lpips" not in small_training().step(dark, 0.5).losses


def test_missing_weights_are_said_before_the_training(monkeypatch) -> None:
    monkeypatch.setattr(perceptual, "perceptual_distance", lambda: None)
    with pytest.raises(ValueError, match=r"lpips is 0\.5, but LPIPS is not at hand") as caught:
        small_training(loss=LossConfig(lpips=0.5))
    assert "\n" not in str(caught.value)
