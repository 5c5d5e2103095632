"""Bundle adjustment with a prior of its own finding."""

import math

import pytest
import torch
from made.points import relative_error, shaken, sightings

from tokengs_nerfstudio.core.geometry.rays import with_focal
from tokengs_nerfstudio.core.poses.bundle import Bundle, Free, Uncertainty, bundled, sighting_errors, slopes
from tokengs_nerfstudio.core.poses.tracks import Tracks, triangulated
from tokengs_nerfstudio.core.rotation import invert_rigid, rigid_motion

POSES, FOCAL, BOTH = Free(poses=True, focal=False), Free(poses=False, focal=True), Free(poses=True, focal=True)


def adjusted(tracks: Tracks, given: torch.Tensor, intrinsics: torch.Tensor, free: Free = POSES) -> Bundle:
    start = Bundle(given, given, triangulated(tracks, given, intrinsics), Uncertainty.before(given))
    return bundled(start, tracks, intrinsics, 0.5, 20, free)


def test_cameras_two_degrees_wrong_are_found_among_mistaken_sightings() -> None:
    tracks, true, intrinsics = sightings(noise=0.2, wrong=0.1)
    given = shaken(true, 2.0)
    found = adjusted(tracks, given, intrinsics)
    assert relative_error(given, true) > 2.0
    assert relative_error(found.c2w, true) < 0.5
    assert 0.5 < math.degrees(found.uncertainty.turn) < 2.0


@pytest.mark.parametrize("factor", [0.9, 1.05])
def test_a_wrong_focal_length_is_found_among_mistaken_sightings(factor: float) -> None:
    tracks, true, intrinsics = sightings(noise=0.2, wrong=0.1)
    found = adjusted(tracks, true, with_focal(intrinsics, factor), FOCAL)
    assert abs(found.focal * factor - 1) < 0.015
    torch.testing.assert_close(found.c2w, true, atol=1e-12, rtol=0)


def test_poses_and_focal_length_are_found_together() -> None:
    tracks, true, intrinsics = sightings(noise=0.1)
    found = adjusted(tracks, shaken(true, 0.5), with_focal(intrinsics, 0.95), BOTH)
    alone = adjusted(tracks, shaken(true, 0.5), with_focal(intrinsics, 0.95), POSES)
    assert abs(found.focal * 0.95 - 1) < 0.025
    assert alone.focal == 1


def test_a_focal_length_of_which_little_is_known_stays_near_the_given_one() -> None:
    """Two points alone: what is found of many is mostly the prior's here."""
    many, true, intrinsics = sightings(noise=0.1)
    few = many.of_points(torch.arange(60) < 2)
    given = with_focal(intrinsics, 0.9)
    start = Bundle(true, true, triangulated(few, true, given), Uncertainty.before(true))
    found = bundled(start, few, given, 200.0, 20, FOCAL)
    assert abs(found.focal - 1) < 0.5 * abs(adjusted(many, true, given, FOCAL).focal - 1)


def test_right_cameras_stay_where_they_are() -> None:
    tracks, true, intrinsics = sightings(noise=0.2)
    found = adjusted(tracks, true, intrinsics)
    assert relative_error(found.c2w, true) < 0.05
    assert math.degrees(found.uncertainty.turn) < 0.1


def test_errors_are_those_of_the_best_points() -> None:
    tracks, true, intrinsics = sightings()
    assert sighting_errors(tracks, true, intrinsics).max() < 1e-6
    assert sighting_errors(tracks, shaken(true, 1.0), intrinsics).median() > 0.5


def test_slopes_are_those_of_the_projection() -> None:
    tracks, c2w, intrinsics = sightings(points=3, views=2)
    pose, matrix = c2w[tracks.view], intrinsics[tracks.view]
    points = triangulated(tracks, c2w, intrinsics)[tracks.point]

    def placed(change: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        motion, longer = change[:, :6], change[:, 6:].exp()
        moved = invert_rigid(pose @ rigid_motion(motion[:, :3], motion[:, 3:]))
        seen = (moved[:, :3, :3] @ (points + shift)[..., None])[..., 0] + moved[:, :3, 3]
        return matrix[:, :2, 2] + longer * (matrix[:, :2, :2] @ (seen[:, :2] / seen[:, 2:])[..., None])[..., 0]

    still = torch.zeros(len(points), 7, dtype=torch.float64), torch.zeros_like(points)
    by_camera, by_point = torch.autograd.functional.jacobian(lambda *moves: placed(*moves).sum(0), still)
    inverse = invert_rigid(pose)
    in_camera = (inverse[:, :3, :3] @ points[..., None])[..., 0] + inverse[:, :3, 3]
    found = slopes(pose, matrix, in_camera)
    torch.testing.assert_close(found[0], by_camera.transpose(0, 1))
    torch.testing.assert_close(found[1], by_point.transpose(0, 1))
