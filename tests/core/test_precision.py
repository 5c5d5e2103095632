"""bfloat16 against float32: the Gaussians, the pictures, the gradient of a training step. On the CPU and on CUDA."""

import pytest
import torch
from tokengs_nerfstudio.core.training_batch import TrainingBatch
from tokengs_nerfstudio.data.pretraining import PretrainingData, held_out_batch
from torch import Tensor

from tokengs_nerfstudio.core import TokenGSNetwork, load_network
from tokengs_nerfstudio.core.metrics import psnr
from tokengs_nerfstudio.core.training import TrainingConfig, predict, render_targets, scene_gradients

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(scope="module")
def batch() -> TrainingBatch:
    return held_out_batch(PretrainingData(), load_network("tiny").config, scenes=3)


def network(precision: str, device: str) -> TokenGSNetwork:
    return load_network("tiny", precision=precision, device=device)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", DEVICES)
def test_pictures_are_as_good_in_bf16(batch: TrainingBatch, device: str, record_property) -> None:
    batch, config, rgb = batch.to(device), TrainingConfig(), {}
    for precision in ("fp32", "bf16"):
        with torch.no_grad():
            splats = predict(network(precision, device), batch)
            rgb[precision] = render_targets(splats, batch, config).rgb
        assert splats.means.dtype == torch.float32
    alike = float(psnr(rgb["bf16"], rgb["fp32"]).min())
    exact, rough = (float(psnr(rgb[precision], batch.target.images).mean()) for precision in ("fp32", "bf16"))
    record_property("PSNR of bf16 against fp32", alike)
    assert 30 < alike < 100  # 8 bits of mantissa are not 24, and not nothing
    assert abs(exact - rough) < 0.1


def gradient(batch: TrainingBatch, precision: str, device: str) -> Tensor:
    trained = network(precision, device)
    scene_gradients(trained, batch, TrainingConfig(), batch.num_scenes)
    return torch.cat([p.grad.flatten().double() for p in trained.parameters() if p.grad is not None])


@pytest.mark.parametrize("device", DEVICES)
def test_a_training_step_goes_the_same_way_in_bf16(batch: TrainingBatch, device: str, record_property) -> None:
    exact, rough = (gradient(batch.to(device), precision, device) for precision in ("fp32", "bf16"))
    cosine = float(torch.nn.functional.cosine_similarity(exact, rough, dim=0))
    record_property("cosine of gradients", cosine)
    assert 0.98 < cosine < 1 - 1e-6
    assert float(rough.norm() / exact.norm()) == pytest.approx(1.0, abs=0.05)
