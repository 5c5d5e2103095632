"""Points that photos agree on."""

from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras
from made.textured_walls import true_depths, walls

from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.stereo.surface_points import surface_points
from tokengs_nerfstudio.core.stored_views import stored
from tokengs_nerfstudio.core.types import Views

VIEWS = walls(arc_cameras(7, radius=2.2, span=0.6))


def wrong(points: torch.Tensor, views: Views) -> torch.Tensor:
    """By which share points miss the surface that a photo shows in their place; nan where it shows none of them."""
    place, depth = project(points, views.c2w[3:4], views.intrinsics[3:4])
    index = place[0].floor().long()
    inside = ((index >= 0) & (index < views.width)).all(-1)
    index = index.clamp(0, views.width - 1)
    found = (depth[0] / true_depths(views)[3, index[:, 1], index[:, 0]] - 1).abs()
    return found.where(inside & (found < 0.1), torch.nan)  # beyond: hidden behind the board


def test_points_lie_on_surfaces_in_their_colours() -> None:
    points = surface_points(VIEWS, photos=7, seed=0)
    assert points is not None
    assert points.count > 0.5 * 7 * 96 * 96
    found = wrong(points.places, VIEWS)
    assert found.nanmedian() < 0.005
    assert found.nanquantile(0.9) < 0.03
    middle = project(points.places, VIEWS.c2w[3:4], VIEWS.intrinsics[3:4])[0][0]
    near = ((middle - 30.5).abs() < 0.5).all(-1)
    assert near.any()
    torch.testing.assert_close(points.colors[near].mean(0), VIEWS.images[3, :, 30, 30], atol=0.1, rtol=0)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_units_of_length_do_not_count(unit: float) -> None:
    c2w = VIEWS.c2w.clone()
    c2w[:, :3, 3] *= unit
    points, usual = (surface_points(views, photos=7, seed=0) for views in (replace(VIEWS, c2w=c2w), VIEWS))
    assert points is not None
    assert usual is not None
    assert points.count == pytest.approx(usual.count, rel=0.02)
    torch.testing.assert_close(points.places.median(0).values / unit, usual.places.median(0).values, atol=0.05, rtol=0)


def test_some_of_many_photos_are_looked_at() -> None:
    few, all_of_them = (surface_points(VIEWS, photos, seed=0) for photos in (3, 7))
    assert few is not None
    assert all_of_them is not None
    assert few.count < 0.6 * all_of_them.count


def test_photos_that_are_not_in_memory_are_read_one_by_one() -> None:
    read = list[int]()

    def reader(number: int) -> Views:
        read.append(number)
        return VIEWS.select([number])

    outside = stored((VIEWS.select([number]) for number in range(7)), reader, 7, memory=1)
    assert not outside.in_memory
    here, there = (surface_points(views, photos=4, seed=0) for views in (VIEWS, outside))
    assert here is not None
    assert there is not None
    assert torch.equal(here.places, there.places)
    assert read == [0, 2, 4, 6]


def test_masked_pixels_and_what_is_cut_away_tell_nothing() -> None:
    left = torch.ones_like(VIEWS.images[:, :1])
    left[..., 48:] = 0
    for hidden in (replace(VIEWS, masks=left), replace(VIEWS, alphas=left, images=VIEWS.images * left)):
        points = surface_points(hidden, photos=7, seed=0)
        assert points is not None
        place = project(points.places, VIEWS.c2w, VIEWS.intrinsics)[0]
        shown = ((place[..., 0] > 0) & (place[..., 0] < 49)).any(0)
        assert shown.float().mean() > 0.99


@pytest.mark.parametrize(
    "views",
    [
        VIEWS.select([0]),
        replace(VIEWS, images=torch.full_like(VIEWS.images, 0.3)),
        replace(VIEWS, images=torch.rand(VIEWS.images.shape, generator=torch.Generator().manual_seed(0))),
        replace(VIEWS, times=torch.linspace(0, 1, 7)),
        replace(VIEWS, c2w=VIEWS.c2w[:1].repeat(7, 1, 1)),
    ],
    ids=["one photo", "plain", "unlike", "moving", "one place"],
)
def test_where_photos_tell_nothing_there_are_no_points(views: Views) -> None:
    assert surface_points(views, photos=20, seed=0) is None


def test_photos_of_one_moment_and_few_photos_tell_points_too() -> None:
    assert surface_points(replace(VIEWS, times=torch.ones(7)), photos=20, seed=0) is not None
    few = surface_points(VIEWS.select([1, 3, 5]), photos=20, seed=0)
    assert few is not None
    assert wrong(few.places, VIEWS).nanmedian() < 0.01
