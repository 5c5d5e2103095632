"""Bundle adjustment with a prior of its own finding."""

import math

import torch
from made.points import relative_error, shaken, sightings

from tokengs_nerfstudio.core.poses.bundle import Bundle, Uncertainty, bundled, sighting_errors, slopes
from tokengs_nerfstudio.core.poses.tracks import Tracks, triangulated
from tokengs_nerfstudio.core.rotation import invert_rigid, rigid_motion


def adjusted(tracks: Tracks, given: torch.Tensor, intrinsics: torch.Tensor, steps: int = 20) -> Bundle:
    start = Bundle(given, given, triangulated(tracks, given, intrinsics), Uncertainty.before(given))
    return bundled(start, tracks, intrinsics, 0.5, steps)


def test_cameras_two_degrees_wrong_are_found_among_mistaken_sightings() -> None:
    tracks, true, intrinsics = sightings(noise=0.2, wrong=0.1)
    given = shaken(true, 2.0)
    found = adjusted(tracks, given, intrinsics)
    assert relative_error(given, true) > 2.0
    assert relative_error(found.c2w, true) < 0.5
    assert 0.5 < math.degrees(found.uncertainty.turn) < 2.0


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

    def placed(motion: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        moved = invert_rigid(pose @ rigid_motion(motion[:, :3], motion[:, 3:]))
        seen = (moved[:, :3, :3] @ (points + shift)[..., None])[..., 0] + moved[:, :3, 3]
        return (matrix @ (seen / seen[:, 2:])[..., None])[:, :2, 0]

    still = torch.zeros(len(points), 6, dtype=torch.float64), torch.zeros_like(points)
    by_camera, by_point = torch.autograd.functional.jacobian(lambda *moves: placed(*moves).sum(0), still)
    inverse = invert_rigid(pose)
    in_camera = (inverse[:, :3, :3] @ points[..., None])[..., 0] + inverse[:, :3, 3]
    found = slopes(pose, matrix, in_camera)
    torch.testing.assert_close(found[0], by_camera.transpose(0, 1))
    torch.testing.assert_close(found[1], by_point.transpose(0, 1))
