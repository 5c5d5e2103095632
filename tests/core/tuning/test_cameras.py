"""Poses and exposures."""

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos
from made.tuning import PHOTOMETRY

from tokengs_nerfstudio.core.rotation import rigid_motion
from tokengs_nerfstudio.core.tuning.cameras import CameraVariables
from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig
from tokengs_nerfstudio.core.tuning.gaussian_variables import GaussianVariables
from tokengs_nerfstudio.core.tuning.stages import Drawing
from tokengs_nerfstudio.core.tuning.supervision import Supervision
from tokengs_nerfstudio.core.types import Views

RATES = GaussianStageConfig(means_rate=1e-2, means_decay=0.05)


def test_a_perturbed_camera_finds_back_and_the_first_one_stands_still() -> None:
    scene = blobs(80)
    truth = arc_cameras(4)
    views = photos(scene, truth, size=48)
    wrong = truth.clone()
    wrong[2] = truth[2] @ rigid_motion(torch.tensor([[0.01, 0.025, -0.01]]), torch.tensor([[0.02, -0.02, 0.01]]))[0]
    cameras = CameraVariables(wrong, extent=2.0, pose_rate=4e-3, exposure_rate=0.0)
    variables = GaussianVariables(scene, 2.0, RATES)
    supervision = Supervision(Views(views.images, wrong, views.intrinsics), [], seed=0)
    for step in range(60):
        PHOTOMETRY.backward(Drawing(variables.splats, 4), supervision.batch(4, 1.0), cameras)
        cameras.step(step / 60)
    found = cameras.cameras().detach()
    torch.testing.assert_close(found[0], truth[0])
    before, after = (pose_error(pose[2], truth[2]) for pose in (wrong, found))
    assert after < 0.35 * before


def test_moved_cameras_keep_their_spread_about_the_first_one_whoever_asks() -> None:
    given = arc_cameras(5)
    cameras = CameraVariables(given, extent=2.0, pose_rate=5e-2, exposure_rate=0.0)
    for step in range(10):
        (cameras.cameras()[:, :3, 3] * torch.tensor([1.0, -2.0, 3.0])).sum().backward()
        cameras.step(step / 10)
    with torch.no_grad():
        moved = cameras.cameras()
        torch.testing.assert_close(cameras.cameras(torch.tensor([3, 1])), moved[[3, 1]])
    offsets, before = (pose[:, :3, 3] - given[0, :3, 3] for pose in (moved, given))
    assert (offsets - before).norm(dim=-1)[1:].min() > 0.05
    torch.testing.assert_close(offsets.norm(), before.norm())


@pytest.mark.parametrize("count", [1, 3])
def test_cameras_in_one_place_have_finite_motions(count: int) -> None:
    cameras = CameraVariables(arc_cameras(2)[:1].repeat(count, 1, 1), extent=2.0, pose_rate=1e-2, exposure_rate=0.0)
    for step in range(3):
        cameras.cameras()[..., 3].square().sum().backward()
        cameras.step(step / 3)
    assert cameras.cameras().isfinite().all()


def pose_error(pose: torch.Tensor, truth: torch.Tensor) -> float:
    turn = torch.linalg.matrix_norm(pose[:3, :3] - truth[:3, :3])
    return float(turn + (pose[:3, 3] - truth[:3, 3]).norm())


def test_an_exposure_is_found() -> None:
    scene = blobs(80)
    views = photos(scene, arc_cameras(3))
    images = views.images.clone()
    images[1] = images[1] * 0.7
    cameras = CameraVariables(views.c2w, 2.0, pose_rate=0.0, exposure_rate=2e-2)
    variables = GaussianVariables(scene, 2.0, RATES)
    supervision = Supervision(Views(images, views.c2w, views.intrinsics), [], seed=0)
    for step in range(60):
        PHOTOMETRY.backward(Drawing(variables.splats, 3), supervision.batch(3, 1.0), cameras)
        cameras.step(step / 60)
    indices = torch.arange(3)
    with torch.no_grad():
        exposed = cameras.exposed(views.images, indices)
    assert (exposed - images)[1].abs().mean() < 0.3 * (views.images - images)[1].abs().mean()
