import pytest
import torch
from torch import Tensor

from tokengs_nerfstudio.core.network.attention import attention


def inputs(biased: bool) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 3, 6, 8), (2, 3, 9, 8), (2, 3, 9, 8), *([(2, 1, 6, 9)] if biased else [])]
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def softmax_attention(q: Tensor, keys: Tensor, values: Tensor, *bias: Tensor) -> Tensor:
    return sum(bias, q @ keys.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ values


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-14), (torch.float32, 1e-6), (torch.bfloat16, 0.02)])
def test_every_way_gives_the_same_and_its_gradient(biased: bool, dtype: torch.dtype, error: float) -> None:
    exact = [part.requires_grad_() for part in inputs(biased)]
    expected = softmax_attention(*exact)
    rough = [part.to(dtype).detach().requires_grad_() for part in exact]
    found = attention(*rough)
    assert found.dtype == dtype
    weight = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wanted = torch.autograd.grad((expected * weight).sum(), exact)
    got = torch.autograd.grad((found * weight.to(dtype)).sum(), rough)
    for ours, theirs in zip((found, *got), (expected, *wanted)):
        assert (ours - theirs).norm() <= error * theirs.norm()
    with torch.no_grad():
        torch.testing.assert_close(attention(*rough), found, atol=0.02 if dtype == torch.bfloat16 else 1e-6, rtol=0)


def test_what_autocast_leaves_in_float32_is_read_in_the_values_precision() -> None:
    q, keys, values = (part.float() for part in inputs(False))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(
            attention(q.requires_grad_(), keys, values.bfloat16()),
            attention(q.bfloat16().detach().requires_grad_(), keys.bfloat16(), values.bfloat16()),
        )
