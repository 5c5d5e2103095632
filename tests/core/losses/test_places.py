"""The pull of Gaussians to the places of what moves, against every pixel by itself."""

import math
from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.losses.places import place_error
from tokengs_nerfstudio.core.types import Views

ROWS, COLUMNS = 6, 8


@pytest.fixture
def views() -> Views:
    """Two scenes of three views; one pixel in three moves, one of those has no depth."""
    c2w = arc_cameras(3).expand(2, 3, 4, 4)
    intrinsics = torch.tensor([[9.0, 0.0, 4.2], [0.0, 8.0, 3.1], [0.0, 0.0, 1.0]]).expand(2, 3, 3, 3)
    moving = (torch.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) % 3 == 0).float().expand(2, 3, 1, ROWS, COLUMNS)
    depths = 1.0 + torch.rand(2, 3, 1, ROWS, COLUMNS)
    depths[:, 1, 0, 0, 3] = 0.0
    return Views(torch.zeros(2, 3, 3, ROWS, COLUMNS), c2w, intrinsics, depths=depths, moving=moving)


def places(views: Views, scene: int) -> torch.Tensor:
    """What moves in the pixels, one by one."""
    found = []
    for view in range(3):
        (fx, _, cx), (_, fy, cy), _ = views.intrinsics[scene, view].tolist()
        for row in range(ROWS):
            for column in range(COLUMNS):
                z = float(views.depths[scene, view, 0, row, column])
                if views.moving[scene, view, 0, row, column] and z > 0:
                    own = torch.tensor([(column + 0.5 - cx) / fx * z, (row + 0.5 - cy) / fy * z, z, 1.0])
                    found.append((views.c2w[scene, view] @ own)[:3])
    return torch.stack(found)


def test_it_is_the_distance_there_and_back(views):
    means = torch.randn(2, 5, 3)
    found = place_error(means, views)
    for scene in range(2):
        points = places(views, scene)
        assert len(points) == 3 * 16 - 1
        unit = 0.02 * (points[:, None] - views.c2w[scene, :, :3, 3]).norm(dim=-1).mean()
        apart = (means[scene, :, None] - points).norm(dim=-1) / unit
        expected = apart.amin(1).log1p().mean() + apart.amin(0).log1p().mean()
        assert float(found[scene]) == pytest.approx(float(expected), rel=1e-4)


def test_gaussians_come_from_anywhere_to_what_moves(views):
    means = (5.0 * torch.randn(2, 40, 3)).requires_grad_()
    optimizer = torch.optim.Adam([means], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        place_error(means, views).sum().backward()
        optimizer.step()
    for scene in range(2):
        apart = torch.cdist(means.detach()[scene], places(views, scene))
        assert apart.amin(1).median() < 0.1


def test_few_pixels_stand_for_many(views):
    means = torch.randn(2, 5, 3)
    few, all_ = place_error(means, views, most=12), place_error(means, views, most=47)
    assert not torch.equal(few, all_)
    torch.testing.assert_close(few, all_, atol=0.0, rtol=0.2)


def test_nothing_pulls_where_nothing_moves(views):
    means = torch.randn(2, 5, 3, requires_grad=True)
    error = place_error(means, replace(views, moving=torch.zeros_like(views.moving)))
    error.sum().backward()
    assert error.tolist() == [0.0, 0.0]
    assert not means.grad.any()


@pytest.mark.parametrize("unknown", [{"moving": None}, {"depths": None}])
def test_what_is_not_known_is_said(views, unknown):
    with pytest.raises(UserError, match="with depths and with what moves"):
        place_error(torch.randn(2, 5, 3), replace(views, **unknown))


def test_it_is_finite_where_a_gaussian_is_in_its_place(views):
    means = places(views, 0)[None, :4].expand(2, 4, 3).clone().requires_grad_()
    error = place_error(means, views)
    error.sum().backward()
    assert means.grad.isfinite().all()
    assert math.isfinite(float(error.sum()))
