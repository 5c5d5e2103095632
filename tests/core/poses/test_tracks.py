"""Matches between pairs of photos, joined to points."""

import torch
from made.points import sightings
from made.scenes import arc_cameras

from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.poses.features import Features
from tokengs_nerfstudio.core.poses.tracks import Tracks, distinct, partners, tracks_between, triangulated


def test_points_are_found_from_exact_sightings() -> None:
    tracks, c2w, intrinsics = sightings(points=20)
    points = triangulated(tracks, c2w, intrinsics)
    seen, _ = project(points, c2w, intrinsics)
    torch.testing.assert_close(seen[tracks.view, tracks.point], tracks.place)
    odd = torch.arange(20) % 2 == 1
    some = tracks.of_points(odd)
    assert some.points == 10
    torch.testing.assert_close(triangulated(some, c2w, intrinsics), points[odd])


def test_what_three_photos_show_is_one_track_and_what_one_shows_twice_none() -> None:
    tracks, c2w, intrinsics = sightings(points=12, views=3)
    descriptors = torch.nn.functional.normalize(torch.randn(12, 128, generator=torch.Generator().manual_seed(0)), dim=1)
    places = tracks.place.view(12, 3, 2)
    found = [Features(places[:, view], descriptors) for view in range(3)]
    joined = tracks_between(found, c2w, intrinsics, 2.0)
    assert joined.points == 12
    assert joined.view.tolist() == [0, 1, 2] * 12
    # Two places in the last photo look like the first point: neither is taken for it.
    double = Features(places[:, 2], descriptors[[0, 0, *range(2, 12)]])
    unsure = tracks_between([*found[:2], double], c2w, intrinsics, 500.0)
    assert torch.bincount(unsure.view).tolist() == [12, 12, 10]


def test_a_point_that_a_photo_shows_twice_is_none() -> None:
    view, point = torch.tensor([0, 1, 0, 0, 1, 1, 2]), torch.tensor([0, 0, 1, 1, 1, 2, 2])
    kept = distinct(Tracks(view, point, torch.arange(14.0).view(7, 2)))
    assert kept.view.tolist() == [0, 1, 1, 2]
    assert kept.point.tolist() == [0, 0, 1, 1]
    assert kept.place[:, 0].tolist() == [0.0, 2.0, 10.0, 12.0]


def test_every_camera_has_partners_that_look_its_way() -> None:
    pairs = partners(arc_cameras(30).double())
    assert all(first < second for first, second in pairs)
    assert {view for pair in pairs for view in pair} == set(range(30))
    assert max(second - first for first, second in pairs) <= 10
