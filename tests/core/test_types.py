from dataclasses import replace

import pytest
import torch

from tokengs_nerfstudio.core.types import Example, Gaussians, RenderConfig, Renders, Similarity, Views


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


def test_records_combine_tensor_by_tensor() -> None:
    first, second = views(2, times=True), views(2, times=True)
    mean = first.zip(second, lambda a, b: (a + b) / 2)
    torch.testing.assert_close(mean.images, (first.images + second.images) / 2)
    assert mean.masks is None
    with pytest.raises(ValueError, match="'times' is present in one Views and missing"):
        first.zip(views(2), torch.maximum)
    assert Views.cat([first, second]).num_views == 4
    with pytest.raises(ValueError, match="there are none"):
        Views.cat([])


def test_records_inside_records_go_along_and_plain_values_stay() -> None:
    example = Example(views(2), views(3)).to(torch.float64)
    assert example.target.images.dtype == torch.float64
    assert [name for name, _ in example.tensors()][:2] == ["context.images", "context.c2w"]
    batch = Example.stack([example, example])
    assert batch.num_scenes == 2
    assert batch[1:].target.images.shape == (1, 3, 3, 4, 6)
    cameras = views(3).cameras[1:]
    assert (cameras.c2w.shape[0], cameras.width, cameras.height) == (2, 6, 4)


def test_leaves_start_a_graph_of_their_own() -> None:
    renders = Renders(torch.rand(1, 3, 2, 2, requires_grad=True) * 2, torch.rand(1, 1, 2, 2))
    leaves = renders.leaves()
    leaves.rgb.sum().backward()
    assert leaves.rgb.is_leaf
    assert leaves.rgb.grad is not None


def test_depths_follow_a_similarity() -> None:
    deep = replace(views(2), depths=torch.full((2, 1, 4, 6), 3.0))
    moved = Similarity(torch.eye(3), torch.zeros(3), torch.tensor(0.5)).views(deep)
    assert moved.depths is not None
    assert moved.depths.unique().tolist() == [1.5]


def test_planes_follow_the_scale_of_a_frame() -> None:
    assert RenderConfig(0.5, 10.0, 0.25).scaled(2.0) == RenderConfig(1.0, 20.0, 0.25)


def test_gaussians_with_a_value_that_is_no_number_are_not_finite() -> None:
    gaussians = Gaussians(torch.zeros(4, 3), torch.ones(4, 4), torch.ones(4, 3), torch.ones(4), torch.ones(4, 3))
    gaussians.means[0, 1] = float("nan")
    gaussians.opacities[2] = float("inf")
    gaussians.quats[3, 3] = float("-inf")
    assert gaussians.finite.tolist() == [False, True, False, False]
    assert gaussians.unsqueeze().finite.tolist() == [[False, True, False, False]]
