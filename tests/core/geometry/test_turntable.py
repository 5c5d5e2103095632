import math

import pytest
import torch
from made.cameras import random_similarity
from made.cut_outs import ball, cut_out_views
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.geometry.turntable import focus_point, object_center, object_size
from tokengs_nerfstudio.core.types import Similarity, Views


def orbit(count: int, distance: float, arc: float = 2 * math.pi) -> Tensor:
    """Cameras at one height around the origin, which they look at; y points down."""
    poses = []
    for index in range(count):
        angle = torch.tensor(arc * index / count, dtype=torch.float64)
        pose = torch.eye(4, dtype=torch.float64)
        pose[0, 0], pose[0, 2], pose[2, 0], pose[2, 2] = angle.cos(), angle.sin(), -angle.sin(), angle.cos()
        pose[:3, 3] = -distance * pose[:3, 2]
        poses.append(pose)
    return torch.stack(poses)


@pytest.mark.parametrize("arc", [2 * math.pi, 1.0])
def test_the_first_camera_of_an_orbit_looks_at_the_origin_from_the_front(arc: float) -> None:
    """c2w <- T(0, 0, -D) inv(c2w[0]) c2w, D being how far the first camera is from the object (Object TokenGS)."""
    made, world = orbit(16, 2.5, arc), random_similarity()
    world = Similarity(world.rotation, world.translation, torch.ones_like(world.scale))
    c2w = world.cameras(made)
    away = torch.eye(4, dtype=torch.float64)
    away[2, 3] = -2.5
    expected = away @ torch.linalg.inv(c2w[0]) @ c2w
    found = canonical_frame(c2w, "orbit", "constant", 1.0).cameras(c2w)
    torch.testing.assert_close(found, expected, atol=3e-4 * 2.5, rtol=0)
    halved = canonical_frame(c2w, "orbit", "constant", 0.5).cameras(c2w)
    torch.testing.assert_close(halved[:, :3, 3], 0.5 * found[:, :3, 3])


def test_scenes_of_a_batch_have_orbits_of_their_own() -> None:
    batch = torch.stack([orbit(6, 1.0), orbit(6, 4.0)])
    found = canonical_frame(batch, "orbit", "distance", 1.0)
    for scene in range(2):
        one = canonical_frame(batch[scene], "orbit", "distance", 1.0)
        torch.testing.assert_close(found.cameras(batch)[scene], one.cameras(batch[scene]))


def test_cameras_that_do_not_look_at_one_point_are_no_orbit() -> None:
    outward = orbit(8, -2.0)
    parallel = torch.eye(4).repeat(4, 1, 1)
    parallel[:, 0, 3] = torch.arange(4.0)
    for cameras in (outward, parallel, parallel[:1]):
        with pytest.raises(UserError, match="do not look at one point"):
            object_center(cameras)
    torch.testing.assert_close(focus_point(parallel)[2], torch.tensor(0.0))


def test_an_object_is_as_large_as_its_cut_outs() -> None:
    views, points = cut_out_views(12, 96), ball().means
    sides = points.amax(0) - points.amin(0)
    assert float(sides.amax()) < object_size(views) < 1.4 * float(sides.amax())  # Gaussians have a size too
    opaque = object_size(Views(views.images, views.c2w, views.intrinsics))
    distance = float(views.c2w[0, :3, 3].norm())
    assert opaque == pytest.approx(distance / 1.4, rel=0.05)
    empty = Views(views.images, views.c2w, views.intrinsics, alphas=torch.zeros_like(views.images[:, :1]))
    with pytest.raises(UserError, match="no context photo shows anything of the object"):
        object_size(empty)


def test_one_pixel_is_one_pixel_wide() -> None:
    views = cut_out_views(4, 40)
    alphas = torch.zeros_like(views.images[:, :1])
    alphas[2, 0, 7, 30] = 1.0
    size = object_size(Views(views.images, views.c2w, views.intrinsics, alphas=alphas))
    depth = float((-views.c2w[2, :3, 3] * views.c2w[2, :3, 2]).sum())
    assert size == pytest.approx(depth / (1.4 * 40), rel=1e-3)
