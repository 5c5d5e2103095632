"""Photos that are kept in bytes or on disk: the same views, and tuning that goes on alike."""

from dataclasses import replace

import pytest
import torch
from made.cut_outs import cut_out_views
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import tuning_config

from tokengs_nerfstudio.core.checks import check_views
from tokengs_nerfstudio.core.reconstruct import reconstruct_scene
from tokengs_nerfstudio.core.stored_views import StoredViews, cut_out_by_masks, joined, stored
from tokengs_nerfstudio.core.types import Example, Views

SIZE = 3 * 32 * 32  # bytes of one photo in 8 bits a channel


def scene(count: int = 8) -> Views:
    return replace(photos(blobs(), arc_cameras(count)), times=torch.linspace(0, 1, count))


def kept(views: Views, memory: float) -> tuple[Views, list[int]]:
    """The views stored, and the numbers of those that are read again as they are read."""
    again: list[int] = []

    def read(number: int) -> Views:
        again.append(number)
        return views.select([number])

    singles = (views.select([number]) for number in range(views.num_views))
    return stored(singles, read, views.num_views, memory), again


def test_few_photos_stay_as_they_are() -> None:
    views = scene()
    same, again = kept(views, 16 * 8 * SIZE)
    assert not isinstance(same, StoredViews)
    for name, tensor in views.tensors():
        assert torch.equal(getattr(same, name), tensor)
    assert again == []
    assert isinstance(kept(views, 16 * 8 * SIZE - 1)[0], StoredViews)


@pytest.mark.parametrize(("photos_in_memory", "off"), [(8, 0.5 / 255), (3, 0.5 / 255), (0, 0.0)])
def test_photos_beyond_the_memory_are_read_when_they_are_looked_at(photos_in_memory: int, off: float) -> None:
    views = scene()
    some, again = kept(views, photos_in_memory * SIZE)
    assert isinstance(some, StoredViews)
    assert some.images.shape == views.images.shape
    assert again == []
    picked = some.select([7, 1])
    assert again == [number for number in (7, 1) if number >= photos_in_memory]
    assert float((picked.images - views.images[[7, 1]]).abs().max()) <= off + 1e-6
    for name in ("c2w", "intrinsics", "times"):
        assert torch.equal(getattr(picked, name), getattr(views, name)[[7, 1]])
    part = some.subset(slice(2, None, 2))
    assert len(again) == (photos_in_memory < 8) + (photos_in_memory < 2)
    assert torch.equal(part.c2w, views.c2w[2::2])
    assert float((part.select([2]).images - views.images[[6]]).abs().max()) <= off + 1e-6
    moved = some.map(lambda tensor: tensor.double())
    assert moved.c2w.dtype == torch.float64
    assert torch.equal(moved.select(torch.tensor([0])).images, some.select([0]).images)


def test_masks_and_opacities_are_kept() -> None:
    views = cut_out_views(6, 32)
    masks = torch.ones_like(views.alphas)
    masks[2], masks[3, :, :16] = 0, 0
    views = replace(views, masks=masks)
    some, _ = kept(views, 5 * SIZE)
    assert isinstance(some, StoredViews)
    assert some.masked
    assert some.cut_out
    assert some.usable() == views.usable() == [0, 1, 3, 4, 5]
    assert some.valid_share == pytest.approx(views.valid_share)
    picked = some.select([3, 2])
    assert torch.equal(picked.masks, masks[[3, 2]])
    torch.testing.assert_close(picked.alphas, views.alphas[[3, 2]], atol=0.5 / 255 + 1e-6, rtol=0)
    opaque, _ = kept(replace(views, alphas=torch.ones_like(masks)), 5 * SIZE)
    assert not opaque.cut_out
    assert opaque.select([0]).alphas is None


def test_opaque_photos_beside_cut_out_ones_get_opacities() -> None:
    views = cut_out_views(3, 16)
    singles = [views.select([0]), replace(views.select([1]), alphas=None)]
    both = joined(singles)
    assert torch.equal(both.alphas[0], views.alphas[0])
    assert (both.alphas[1] == 1).all()
    some = stored(iter(singles), lambda number: singles[number], 2, 2000)
    assert isinstance(some, StoredViews)
    assert (some.select([1]).alphas == 1).all()
    assert joined([singles[1]]).alphas is None


@pytest.mark.parametrize("made", [scene, cut_out_views])
def test_a_scene_is_tuned_on_stored_photos_as_on_others(made) -> None:
    views = replace(made(8), times=None)
    on_disk, again = kept(views, 0)
    config = tuning_config(space="gaussians", levels=((0.0, 2.0), (0.5, 1.0)), held_out_from=4, growth_every=4)
    context = views.select([0, 4])
    plain, same = (
        reconstruct_scene(small_network(), Example(context, target), config, 8).at() for target in (views, on_disk)
    )
    assert len(again) > 16
    for name, values in plain.tensors():
        assert torch.equal(values, getattr(same, name)), name


def test_the_pixels_of_stored_photos_need_not_be_where_the_cameras_are() -> None:
    some, _ = kept(scene(), 0)
    elsewhere = replace(some, images=torch.empty(some.images.shape, device="meta"))
    check_views(elsewhere, "target", torch.float32)
    with pytest.raises(ValueError, match=r"target\.c2w holds 128 values that are not finite"):
        check_views(replace(elsewhere, c2w=some.c2w * torch.nan), "target", torch.float32)


def test_what_masks_hide_is_cut_out_when_it_is_read() -> None:
    cut = cut_out_views(6, 32)
    assert cut.alphas is not None
    views = replace(cut, alphas=None, masks=(cut.alphas > 0.5).float())
    expected = cut_out_by_masks(views, 1.0)
    assert expected.masks is None
    assert expected.alphas is not None
    assert torch.equal(expected.alphas, views.masks)
    for photos_in_memory in (6, 0):
        some, again = kept(views, photos_in_memory * 4 * 32 * 32)
        some = cut_out_by_masks(some, 1.0)
        assert isinstance(some, StoredViews)
        assert some.cut_out
        assert not some.masked
        assert some.valid_share == 1.0
        assert again == []
        read = some.select([4, 1])
        assert read.masks is None
        assert read.alphas is not None
        assert torch.equal(read.alphas, expected.alphas[[4, 1]])
        assert float((read.images - expected.images[[4, 1]]).abs().max()) <= 0.5 / 255 + 1e-6
    plain = kept(scene(), 0)[0]
    assert not cut_out_by_masks(plain, 1.0).cut_out
