"""Points of a scene, and what is made of them."""

import torch
from made.cameras import random_similarity
from made.scenes import arc_cameras, blobs, photos

from tokengs_nerfstudio.core.geometry.points import PointCloud


def cloud(places: torch.Tensor) -> PointCloud:
    return PointCloud(places, torch.rand(len(places), 3))


def test_gaussians_are_half_as_large_as_their_neighbours_are_far() -> None:
    grid = torch.cartesian_prod(*[torch.arange(4.0)] * 3)
    points = cloud(torch.cat([grid, torch.tensor([[300.0, 0.0, 0.0]])]))
    gaussians = points.gaussians()
    torch.testing.assert_close(gaussians.scales[:64], torch.full((64, 3), 0.5))
    torch.testing.assert_close(gaussians.scales[64], torch.full((3,), 2.5))
    assert torch.equal(gaussians.means, points.places)
    assert torch.equal(gaussians.colors, points.colors)


def test_two_points_have_one_neighbour_each() -> None:
    torch.testing.assert_close(
        cloud(torch.tensor([[0.0, 0, 0], [4.0, 0, 0]])).gaussians().scales, torch.full((2, 3), 2.0)
    )


def test_a_large_cloud_is_thinned_evenly() -> None:
    points = cloud(torch.arange(3000.0).view(1000, 3))
    some = points.thinned(100, seed=1)
    assert some.count == 100
    assert (some.places.diff(dim=0) > 0).all()
    assert abs(float(some.places.mean()) - 1500) < 300
    assert points.thinned(1000, seed=1) is points


def test_points_move_with_the_cameras_of_their_world() -> None:
    there, points = random_similarity(), cloud(torch.randn(5, 3))
    moved = points.moved(there)
    assert moved.places.dtype == torch.float32
    torch.testing.assert_close(moved.places.double(), there.points(points.places.double()), atol=1e-5, rtol=1e-5)
    assert torch.equal(moved.colors, points.colors)


def test_points_that_fewer_than_two_photos_can_see_are_left_out() -> None:
    views = photos(blobs(), arc_cameras(2, span=1.5))
    middle, aside, behind = torch.tensor([[0.0, 0.0, 2.0], [1.2, 0.0, 2.6], [0.0, 0.0, -9.0]])
    points = cloud(torch.stack([middle, aside, behind]))
    assert torch.equal(points.seen_by(views).places, middle[None])
    assert points.seen_by(views, least=1).count == 2
    assert points.seen_by(views.select([0])).count + points.seen_by(views.select([1])).count == 3
