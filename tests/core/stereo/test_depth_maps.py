"""Depths of pixels, from photos alone."""

from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras
from made.textured_walls import true_depths, walls

from tokengs_nerfstudio.core.compiled import kernels_first
from tokengs_nerfstudio.core.stereo.depth_maps import Matching, depth_maps, partners, seconds_of_photo, torch_costs

VIEWS = walls(arc_cameras(5, radius=2.2, span=0.5))
TRUTH = true_depths(VIEWS)


def off(maps) -> torch.Tensor:
    """How far depths are from the true ones, as a share."""
    return (maps.planes[..., 0] * TRUTH - 1).abs()


def test_depths_are_those_of_slanted_walls_a_floor_and_what_stands_before_them() -> None:
    maps = depth_maps(VIEWS, seed=0)
    inside = off(maps)[:, 8:-8, 8:-8]
    assert inside.median() < 0.005
    assert (inside < 0.02).float().mean() > 0.75  # the rest: borders, and what the board hides
    alike = maps.costs[:, 8:-8, 8:-8] < 0.1
    assert (inside[alike] < 0.02).float().mean() > 0.85
    points, c2w = maps.points[:, :, 48, 48], VIEWS.c2w
    depths = ((points - c2w[:, :3, 3]) * c2w[:, :3, 2]).sum(1)
    torch.testing.assert_close(depths, TRUTH[:, 48, 48], atol=0, rtol=0.04)


def test_planes_slant_as_the_floor_does() -> None:
    planes = depth_maps(VIEWS, seed=0).planes
    change = (1 / TRUTH)[:, 84:92, 30:60] - (1 / TRUTH)[:, 83:91, 30:60]
    error = (planes[:, 84:92, 30:60, 2] / change - 1).abs()
    assert error.median() < 0.2


def test_kernels_cost_planes_as_the_readable_formula_does() -> None:
    matching = Matching.of(VIEWS, partners(VIEWS.c2w), seed=3)
    for planes in (matching.guessed(), depth_maps(VIEWS, seed=0).planes):
        costs, read = matching.assessed(planes), torch_costs(matching, planes)
        apart = (costs - read).abs()
        assert apart.median() < 1e-4
        assert (apart > 1e-2).float().mean() < 2e-3  # on the rim of a photo, where rounding decides


def test_the_same_seed_gives_the_same_depths_on_any_number_of_threads() -> None:
    first = depth_maps(VIEWS, seed=0)
    with kernels_first():
        second = depth_maps(VIEWS, seed=0)
    assert torch.equal(first.planes, second.planes)
    assert not torch.equal(first.planes, depth_maps(VIEWS, seed=1).planes)


def test_improving_never_makes_a_plane_worse() -> None:
    matching = Matching.of(VIEWS, partners(VIEWS.c2w), seed=0)
    planes = matching.guessed()
    before = matching.assessed(planes)
    after = matching.improved(planes, rounds=2, vary=0.5, anew=True)
    assert (after <= before).all()
    torch.testing.assert_close(matching.assessed(planes), after, atol=1e-5, rtol=0)


def test_through_long_lenses_that_converge_depths_are_found_too() -> None:
    """What is infinitely far away lies far outside of the other photos."""
    c2w = arc_cameras(5, radius=2.2, span=0.5)
    c2w[:, :3, 3] -= 8 * c2w[:, :3, 2]
    far = walls(c2w, focal=6.0)
    inside = (depth_maps(far, seed=0).planes[..., 0] * true_depths(far) - 1).abs()[:, 8:-8, 8:-8]
    assert inside.median() < 0.005


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_length_do_not_count(unit: float) -> None:
    c2w = VIEWS.c2w.clone()
    c2w[:, :3, 3] *= unit
    scaled = depth_maps(replace(VIEWS, c2w=c2w), seed=0)
    error = (scaled.planes[..., 0] * unit * TRUTH - 1).abs()[:, 8:-8, 8:-8]
    assert error.median() < 0.005


def test_large_photos_are_looked_at_small_and_two_photos_are_enough() -> None:
    large = walls(arc_cameras(2, radius=2.2, span=0.15), size=160)
    maps = depth_maps(large, seed=0)
    assert maps.planes.shape == (2, 128, 128, 3)
    assert maps.partners.tolist() == [[1], [0]]
    truth = torch.nn.functional.interpolate(true_depths(large)[None], (128, 128), mode="nearest-exact")[0]
    inside = (maps.planes[..., 0] * truth - 1).abs()[:, 16:-16, 16:-16]
    assert inside.median() < 0.02


def test_time_is_reckoned_from_a_look() -> None:
    readings = iter([10.0, 10.5])
    assert seconds_of_photo(VIEWS, lambda: next(readings)) == pytest.approx(0.5 / 4 * (41 + 22 * 4) * 4 / 3)
