import pytest
import torch

from tokengs_nerfstudio.core.rendering.piecewise import gathered, slices
from tokengs_nerfstudio.core.types import Renders


def test_slices_cover_everything_once():
    assert [range(7)[part] for part in slices(7, 3)] == [range(0, 3), range(3, 6), range(6, 7)]
    assert list(slices(0, 3)) == []
    with pytest.raises(ValueError, match="got 0"):
        list(slices(7, 0))


def test_the_gradient_of_pieces_is_that_of_the_whole_and_goes_back_once():
    source = torch.rand(3, 2, 3, 4, 4, requires_grad=True)
    passes = []

    def made() -> Renders:
        squared = source.square()
        squared.register_hook(lambda slope: passes.append(slope))
        return Renders(squared, torch.zeros(3, 2, 1, 4, 4))

    (3 * made().rgb).sum().backward()
    expected, source.grad = source.grad, None
    passes.clear()
    with gathered(made()) as leaves:
        for part in slices(3, 2):
            (3 * leaves[part].rgb + leaves[part].alpha).sum().backward()
    torch.testing.assert_close(source.grad, expected)
    assert len(passes) == 1


def test_nothing_is_passed_on_where_no_loss_was():
    source = torch.rand(1, 1, 3, 2, 2, requires_grad=True)
    with gathered(Renders(source * 2, torch.zeros(1, 1, 1, 2, 2))):
        pass
    assert source.grad is None
