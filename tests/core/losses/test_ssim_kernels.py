"""The compiled SSIM against the readable one in float64: values, gradients, borders, degenerate images."""

import threading

import pytest
import torch
from torch import Tensor

from tokengs_nerfstudio.core import losses
from tokengs_nerfstudio.core.compiled import run
from tokengs_nerfstudio.core.losses.ssim_kernels import plane_ssim


def value_and_gradient(function, pred: Tensor, target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    leaf = pred.clone().requires_grad_()
    values = function(leaf, target)
    (gradient,) = torch.autograd.grad((values * weights).sum(), leaf)
    return values.detach(), gradient


@pytest.mark.parametrize("shape", [(6, 60, 37), (3, 9, 7), (2, 64, 64), (1, 12, 30), (2, 1, 1), (1, 3, 200)])
def test_values_and_gradients_equal_the_reference(shape: tuple[int, ...]) -> None:
    target = torch.rand(shape)
    pred = (target + 0.2 * torch.randn(shape)).clamp(0, 1)
    weights = torch.rand(shape[0])
    value, gradient = value_and_gradient(plane_ssim, pred, target, weights)
    exact, slope = value_and_gradient(
        lambda x, y: losses.ssim_map(x, y).mean((-1, -2)), pred.double(), target.double(), weights
    )
    torch.testing.assert_close(value.double(), exact, atol=1e-6, rtol=0)
    assert (gradient - slope).norm() <= 1e-5 * slope.norm()


@pytest.mark.usefixtures("threads")
def test_the_number_of_threads_changes_no_bit() -> None:
    pred, target, weights = torch.rand(7, 30, 41), torch.rand(7, 30, 41), torch.rand(7)
    torch.set_num_threads(1)
    expected = value_and_gradient(plane_ssim, pred, target, weights)
    torch.set_num_threads(3)
    for found, known in zip(value_and_gradient(plane_ssim, pred, target, weights), expected):
        assert torch.equal(found, known)


@pytest.mark.usefixtures("threads")
def test_a_job_on_the_shared_threads_may_ask_for_it() -> None:
    """All threads busy with jobs that hand out work themselves: nobody waits for work that nobody can start."""
    torch.set_num_threads(3)
    pred, target = torch.rand(6, 30, 41), torch.rand(6, 30, 41)
    expected, found = plane_ssim(pred, target), []
    caller = threading.Thread(target=run, args=(lambda *_: found.append(plane_ssim(pred, target)), 12), daemon=True)
    caller.start()
    caller.join(timeout=120)
    assert len(found) == 12
    assert all(torch.equal(value, expected) for value in found)


def test_flat_images_give_finite_gradients() -> None:
    pred = torch.zeros(1, 20, 20, requires_grad=True)
    value = plane_ssim(pred, torch.zeros(1, 20, 20))
    value.sum().backward()
    assert value.item() == pytest.approx(1.0)
    assert pred.grad is not None
    assert pred.grad.isfinite().all()


def test_equal_images_score_one_and_do_not_pull() -> None:
    image = torch.rand(3, 32, 48)
    leaf = image.clone().requires_grad_()
    plane_ssim(leaf, image).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.abs().max() < 1e-6


def test_loss_takes_the_compiled_path_and_agrees_with_plain_torch() -> None:
    pred, target = torch.rand(2, 3, 3, 24, 20), torch.rand(2, 3, 3, 24, 20)
    torch.testing.assert_close(losses.ssim(pred, target), losses.ssim(pred, target, fused=False), atol=1e-5, rtol=0)


def test_a_target_with_gradient_still_gets_one() -> None:
    target = torch.rand(1, 2, 3, 16, 16, requires_grad=True)
    losses.ssim(torch.rand(1, 2, 3, 16, 16), target).sum().backward()
    assert target.grad is not None
