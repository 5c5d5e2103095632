"""bfloat16 against float32: the Gaussians, the pictures, the gradient of a training step. On the CPU and on CUDA."""

import pytest
import torch
from made.training import held_out_example
from torch import Tensor

from tokengs_nerfstudio.core import TokenGSNetwork, load_network
from tokengs_nerfstudio.core.metrics import psnr
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import predict, render_targets, scene_gradients
from tokengs_nerfstudio.core.types import Example

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(scope="module")
def example() -> Example:
    return held_out_example(load_network("tiny").config, 3)


def network(precision: str, device: str) -> TokenGSNetwork:
    return load_network("tiny", precision=precision, device=device)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", DEVICES)
def test_pictures_are_as_good_in_bf16(example: Example, device: str, record_property) -> None:
    example, rgb = example.to(device), {}
    for precision in ("fp32", "bf16"):
        shown = network(precision, device)
        with torch.no_grad():
            splats = predict(shown, example)
            rgb[precision] = render_targets(splats, example, shown.config.rendering(example)).rgb
        assert splats.means.dtype == torch.float32
    alike = float(psnr(rgb["bf16"], rgb["fp32"]).min())
    exact, rough = (float(psnr(rgb[precision], example.target.images).mean()) for precision in ("fp32", "bf16"))
    record_property("PSNR of bf16 against fp32", alike)
    assert 30 < alike < 100  # 8 bits of mantissa are not 24, and not nothing
    assert abs(exact - rough) < 0.1


def gradient(example: Example, precision: str, device: str) -> Tensor:
    trained = network(precision, device)
    scene_gradients(trained, example, trained.config.rendering, TrainingConfig(), example.num_scenes)
    return torch.cat([p.grad.flatten().double() for p in trained.parameters() if p.grad is not None])


@pytest.mark.parametrize("device", DEVICES)
def test_a_training_step_goes_the_same_way_in_bf16(example: Example, device: str, record_property) -> None:
    exact, rough = (gradient(example.to(device), precision, device) for precision in ("fp32", "bf16"))
    cosine = float(torch.nn.functional.cosine_similarity(exact, rough, dim=0))
    record_property("cosine of gradients", cosine)
    # Surfaces are looked up in the nearest pixel: where rounding moves a Gaussian over an edge, its gradient jumps.
    assert 0.95 < cosine < 1 - 1e-6
    assert float(rough.norm() / exact.norm()) == pytest.approx(1.0, abs=0.1)
