import pytest
import torch

from tokengs_nerfstudio.core.types import Gaussians, Renders, Views


def views(count: int, times: bool = False) -> Views:
    return Views(
        images=torch.rand(count, 3, 4, 6),
        c2w=torch.eye(4).repeat(count, 1, 1),
        intrinsics=torch.eye(3).repeat(count, 1, 1),
        times=torch.linspace(0, 1, count) if times else None,
    )


def test_select_takes_the_same_views_of_every_tensor() -> None:
    item = views(5, times=True)
    chosen = item.select([3, 0])
    torch.testing.assert_close(chosen.images, item.images[[3, 0]])
    assert chosen.times is not None
    assert chosen.times.tolist() == pytest.approx([0.75, 0.0])
    assert item.select(slice(1, 3)).num_views == 2


def test_stack_adds_a_batch_axis_and_squeeze_takes_it_away() -> None:
    first, second = views(3), views(3)
    batch = Views.stack([first, second])
    assert batch.images.shape == (2, 3, 3, 4, 6)
    assert batch.num_views == 3
    torch.testing.assert_close(batch.select([2]).images[1], second.images[2:])
    torch.testing.assert_close(first.unsqueeze().squeeze().images, first.images)
    with pytest.raises(ValueError, match="batch of one scene, got 2"):
        batch.squeeze()


def test_stack_refuses_items_with_and_without_times() -> None:
    with pytest.raises(ValueError, match="'times' is present in some items"):
        Views.stack([views(2, times=True), views(2)])


def test_records_move_between_dtypes_and_keep_missing_fields() -> None:
    renders = Renders(torch.rand(1, 3, 2, 2), torch.rand(1, 1, 2, 2)).to(torch.float64)
    assert renders.rgb.dtype == torch.float64
    assert renders.depth is None


def test_detach_cuts_the_graph() -> None:
    means = torch.zeros(4, 3, requires_grad=True)
    gaussians = Gaussians(means, torch.ones(4, 4), torch.ones(4, 3), torch.ones(4), torch.ones(4, 3))
    assert not gaussians.detach().means.requires_grad
    assert gaussians.select(torch.tensor([True, False, False, True])).count == 2
