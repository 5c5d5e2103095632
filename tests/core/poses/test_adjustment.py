"""Cameras of photos: mended where they are wrong, to the bit as given where they are right."""

from dataclasses import replace

import pytest
import torch
from made.points import relative_error
from made.scenes import arc_cameras, blobs, photos

from tokengs_nerfstudio.core.geometry.disturbance import disturbed
from tokengs_nerfstudio.core.geometry.rays import with_focal
from tokengs_nerfstudio.core.poses import adjusted_cameras, adjustment, with_adjusted_cameras
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.samples import sample_capture


@pytest.fixture(scope="module")
def views() -> Views:
    return NerfstudioCapture(sample_capture()).load(range(8))


def test_right_cameras_are_left_alone(views: Views) -> None:
    found = adjusted_cameras(views, poses=True, focal=True)
    assert not found.accepted
    assert torch.equal(found.c2w, views.c2w)
    assert found.before < 1.0
    assert "as given" in found.text


def test_wrong_cameras_come_back_and_those_of_the_context_with_them(views: Views) -> None:
    wrong = disturbed(views, 1.0, 0.01, seed=0)
    context = replace(wrong.select([0, 3, 6]), images=torch.zeros(3, 3, 32, 32))
    example, found = with_adjusted_cameras(Example(context, wrong), poses=True, focal=False)
    assert found.accepted
    assert found.after < 0.7 * found.before
    # Turning and moving look alike through this long lens: what is left of the one goes with some of the other.
    assert relative_error(example.target.c2w, views.c2w) < 0.6 * relative_error(wrong.c2w, views.c2w)
    assert torch.equal(example.context.c2w, example.target.c2w[[0, 3, 6]])
    assert example.context.images is context.images
    assert torch.equal(example.target.intrinsics, wrong.intrinsics)


@pytest.mark.parametrize("factor", [0.9, 1.05])
@pytest.mark.parametrize("poses", [False, True])
def test_a_wrong_focal_length_comes_back_and_poses_stay(views: Views, factor: float, poses: bool) -> None:
    wrong = replace(views, intrinsics=with_focal(views.intrinsics, factor))
    other = replace(wrong.select([0]), c2w=torch.eye(4)[None])
    example, found = with_adjusted_cameras(Example(other, wrong), poses, focal=True)
    assert abs(found.focal * factor - 1) < 0.01
    assert torch.equal(example.target.c2w, views.c2w)
    for some in (example.context, example.target):
        torch.testing.assert_close(some.intrinsics, with_focal(wrong.intrinsics, found.focal)[: some.num_views])
    assert f"{found.focal:.4f} times" in found.text


def test_wrong_poses_are_not_taken_for_a_wrong_focal_length(views: Views) -> None:
    wrong = disturbed(views, 1.0, 0.01, seed=0)
    assert not adjusted_cameras(wrong, poses=False, focal=True).accepted
    assert adjusted_cameras(wrong, poses=True, focal=True).focal == 1


def test_the_context_is_known_among_many_photos(monkeypatch) -> None:
    many = photos(blobs(), arc_cameras(40), size=8)
    moved = many.c2w.clone()
    moved[:, :3, 3] += 0.01
    monkeypatch.setattr(adjustment, "adjusted_cameras", lambda *_: adjustment.Adjustment(moved, 1.0, 2.0, 1.0, True))
    other = replace(many.select([5]), c2w=torch.eye(4)[None])
    example, _ = with_adjusted_cameras(Example(Views.cat([many.select([0, 20, 39]), other]), many), True, False)
    assert torch.equal(example.context.c2w[:3], moved[[0, 20, 39]])
    assert torch.equal(example.context.c2w[3:], other.c2w)


def test_photos_that_say_nothing_change_nothing(views: Views) -> None:
    plain = replace(views, images=torch.full_like(views.images, 0.5))
    moving = replace(views, times=torch.linspace(0, 1, 8))
    for some in (plain, moving, views.select([0, 1])):
        found = adjusted_cameras(some, poses=True, focal=True)
        assert not found.accepted
        assert torch.equal(found.c2w, some.c2w)
        assert found.before != found.before
