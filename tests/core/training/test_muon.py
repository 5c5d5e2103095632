import pytest
import torch
from torch import nn

from tokengs_nerfstudio.core.training.muon import QUINTIC, Muon, orthogonalised


@pytest.mark.parametrize("shape", [(16, 16), (3, 12, 40), (40, 12)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, dtype=torch.float64) * 37.0
    result = orthogonalised(matrices)
    assert result.shape == matrices.shape
    values = torch.linalg.svdvals(result)
    assert 0.3 < float(values.min()) <= float(values.max()) < 1.3
    assert float(values.median()) > 0.6
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inner = left.mT @ result @ right.mT
    off_diagonal = inner - torch.diag_embed(inner.diagonal(dim1=-2, dim2=-1))
    assert float(off_diagonal.abs().max()) < 1e-9


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (30, 24)])
def test_iterates_are_those_of_the_definition(shape: tuple[int, ...]) -> None:
    """Five times x = a x + b (x x') x + c (x x')^2 x, whichever way is cheaper; values down to 1e-4 of the largest."""
    left, _, right = torch.linalg.svd(torch.randn(shape, dtype=torch.float64), full_matrices=False)
    matrix = left @ torch.diag(torch.logspace(0, -4, min(shape), dtype=torch.float64)) @ right
    x = matrix / matrix.norm()
    a, b, c = QUINTIC
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    torch.testing.assert_close(orthogonalised(matrix), x, rtol=0, atol=1e-6)
    torch.testing.assert_close(orthogonalised(matrix.float()).double(), x, rtol=0, atol=1e-3)


def test_a_zero_gradient_moves_nothing() -> None:
    assert float(orthogonalised(torch.zeros(4, 6)).abs().max()) == 0.0


def test_one_step_by_hand() -> None:
    tall = nn.Parameter(torch.randn(8, 2))
    before = tall.detach().clone()
    gradient = torch.randn(8, 2)
    tall.grad = gradient.clone()
    Muon([tall], lr=0.1, momentum=0.9, weight_decay=0.5).step()
    # The first momentum is 0.1 g; looking ahead mixes 0.1 g and 0.9 of that: a multiple of g, whatever its size.
    expected = before * (1 - 0.1 * 0.5) - 0.1 * 2.0 * orthogonalised(gradient)
    torch.testing.assert_close(tall.detach(), expected)


def test_matrices_alike_do_not_mix() -> None:
    together = [nn.Parameter(torch.randn(6, 4)) for _ in range(3)]
    alone = [nn.Parameter(p.detach().clone()) for p in together]
    both, single = Muon(together), [Muon([p]) for p in alone]
    for _ in range(3):
        for ours, theirs in zip(together, alone):
            ours.grad = torch.randn(6, 4)
            theirs.grad = ours.grad.clone()
        together[1].grad = alone[1].grad = None
        both.step()
        for optimizer in single:
            optimizer.step()
    for ours, theirs in zip(together, alone):
        torch.testing.assert_close(ours.detach(), theirs.detach())


def test_a_linear_map_is_found() -> None:
    truth, inputs = torch.randn(10, 6), torch.randn(200, 6)
    weight = nn.Parameter(torch.zeros(10, 6))
    optimizer = Muon([weight])
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 300)
        weight.grad = None
        (inputs @ (weight - truth).T).square().mean().backward()
        optimizer.step()
    assert float((weight.detach() - truth).abs().max()) < 0.05


def test_only_matrices() -> None:
    with pytest.raises(ValueError, match=r"matrices only.*\(5,\)"):
        Muon([nn.Parameter(torch.zeros(5))])
