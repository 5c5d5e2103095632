import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tokengs_nerfstudio.core import metrics
from tokengs_nerfstudio.core.errors import UserError


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    return {
        name.removeprefix("EVAL."): tensor.double()
        for name, tensor in load_file(shared / "golden" / "G5_losses.safetensors").items()
        if name.startswith("EVAL.")
    }


def test_golden(golden: dict[str, Tensor]) -> None:
    pred, target, mask = golden["in.pred"], golden["in.gt"], golden["in.mask"]
    scene = {
        "psnr": metrics.psnr(pred, target),
        "psnr_masked": metrics.psnr(pred, target, mask),
        "ssim": metrics.ssim(pred, target),
        "ssim_masked": metrics.ssim(pred, target, mask),
    }
    for name, value in scene.items():
        torch.testing.assert_close(value, golden[f"out.{name}"], atol=2e-5, rtol=0, msg=lambda m, n=name: f"{n}: {m}")


def test_psnr_of_a_known_error() -> None:
    target = torch.full((2, 3, 8, 8), 0.5)
    pred = target.clone()
    pred[1] += 0.1
    pred[0, 0, 0, 0] = 7.0  # clipped to 1: an error of 0.5 in one of 192 values
    values = metrics.psnr(pred, target)
    assert float(values[1]) == pytest.approx(20.0, abs=1e-4)
    assert float(values[0]) == pytest.approx(-10 * torch.tensor(0.25 / 192).log10().item(), abs=1e-4)


def test_masked_psnr_ignores_what_the_mask_hides() -> None:
    target = torch.rand(3, 12, 12)
    pred = target.clone()
    pred[:, :6] += 0.1
    mask = torch.zeros(1, 12, 12)
    mask[:, :3] = 1
    clipped = (pred.clamp(0, 1) - target)[:, :3].square().mean()
    torch.testing.assert_close(metrics.psnr(pred, target, mask), -10 * clipped.log10())


@pytest.mark.parametrize("size", [(11, 11), (24, 31)])
def test_ssim_equals_scikit_image(size: tuple[int, int]) -> None:
    from skimage.metrics import structural_similarity

    target = torch.rand(2, 3, *size, dtype=torch.float64)
    pred = target + 0.2 * torch.randn_like(target)
    for value, p, t in zip(metrics.ssim(pred, target), pred, target):
        options = {"gaussian_weights": True, "sigma": 1.5, "data_range": 1.0, "channel_axis": 0}
        assert float(value) == pytest.approx(structural_similarity(p.numpy(), t.numpy(), **options), abs=1e-9)


def test_ssim_says_which_images_are_too_small() -> None:
    with pytest.raises(ValueError, match=r"at least 11x11 pixels, got \(8, 40\)"):
        metrics.ssim(torch.rand(3, 8, 40), torch.rand(3, 8, 40))


def test_lpips_without_weights_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    metrics.perceptual_distance.cache_clear()
    images = torch.rand(2, 3, 16, 16)
    with caplog.at_level(logging.INFO):
        assert metrics.lpips(images, images) is None
        assert metrics.lpips(images, images) is None
    metrics.perceptual_distance.cache_clear()
    assert len(caplog.messages) == 1
    assert "LPIPS is left out" in caplog.messages[0]
    assert str(tmp_path) in caplog.messages[0]
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    (tmp_path / "hub/checkpoints/vgg16-397923af.pth").write_bytes(b"cut off")
    with pytest.raises(UserError, match=r"vgg16-397923af\.pth cannot be read as the backbone of LPIPS"):
        metrics.perceptual_distance("vgg")
    with pytest.raises(ValueError, match="'squeeze' is not known"):
        metrics.perceptual_distance("squeeze")


def test_lpips_of_equal_images_is_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a backbone of random numbers in torch's cache: the wiring, not the published weights."""
    import torchvision

    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), folder / "alexnet-owt-7be5be79.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda *args, **options: torch.load(next(folder.iterdir()))
    )
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", torch.hub.load_state_dict_from_url)
    metrics.perceptual_distance.cache_clear()
    first, second = torch.rand(2, 2, 3, 64, 64)
    try:
        equal, different = metrics.lpips(first, first), metrics.lpips(first.half(), second.half())
    finally:
        metrics.perceptual_distance.cache_clear()
    assert equal is not None
    assert different is not None
    assert equal.shape == (2,)
    assert float(equal.abs().max()) < 1e-6
    assert different.dtype == torch.float32
    assert float(different.min()) > 1e-4
