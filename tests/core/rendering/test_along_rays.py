"""Pictures along rays of no pinhole camera, against what pinhole cameras see where both look."""

import math

import pytest
import torch
import torch.nn.functional as F

from tokengs_nerfstudio.core.geometry.rays import pixel_rays
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.rendering.along_rays import RayGrid, render_along
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig

GREY = RenderConfig(background=0.5)


def dots(count: int = 600, seed: int = 0) -> Gaussians:
    """Round Gaussians all over a sphere of radius 2 round the origin, apart from each other, in any colours.

    Where they overlapped, their order would depend on the direction that depth is measured in.
    """
    height = 1 - 2 * (torch.arange(count) + 0.5) / count
    turn = torch.arange(count) * math.pi * (3 - math.sqrt(5))
    flat = (1 - height**2).sqrt()
    return Gaussians(
        means=2 * torch.stack([flat * turn.cos(), flat * turn.sin(), height], dim=-1),
        quats=torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        scales=torch.full((count, 3), 0.06),
        opacities=torch.full((count,), 0.9),
        colors=torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)),
    )


def one_at(*position: float, scale: float = 0.02) -> Gaussians:
    return Gaussians(
        means=torch.tensor([position]),
        quats=torch.tensor([[1.0, 0, 0, 0]]),
        scales=torch.full((1, 3), scale),
        opacities=torch.tensor([0.95]),
        colors=torch.tensor([[1.0, 0, 0]]),
    )


def panorama(height: int) -> RayGrid:
    """All directions by longitude and latitude, z forward in the middle, y down."""
    longitude = ((torch.arange(2 * height) + 0.5) / height - 1) * math.pi
    latitude = (0.5 - (torch.arange(height) + 0.5) / height) * math.pi
    latitude, longitude = torch.meshgrid(latitude, longitude, indexing="ij")
    directions = [latitude.cos() * longitude.sin(), -latitude.sin(), latitude.cos() * longitude.cos()]
    return RayGrid(torch.zeros(height, 2 * height, 3), torch.stack(directions, dim=-1))


def looking(axis: tuple[float, float, float]) -> torch.Tensor:
    """A camera at the origin [1 4 4]."""
    z = torch.tensor(axis)
    x = torch.tensor([0.0, 0, 1]) if abs(axis[2]) < 0.5 else torch.tensor([1.0, 0, 0])
    pose = torch.eye(4)
    pose[:3, :3] = torch.stack([x, torch.linalg.cross(z, x), z], dim=1)
    return pose[None]


def seen_by_pinhole(splats: Gaussians, c2w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture of 53 degrees [3 64 64], and the directions of its pixels [64 64 3]."""
    intrinsics = torch.tensor([[[64.0, 0, 32], [0, 64, 32], [0, 0, 1]]])
    directions = pixel_rays(c2w, intrinsics, 64, 64)[1][0].movedim(0, -1)
    return render(splats, c2w, intrinsics, 64, 64).rgb[0], directions


def in_panorama(picture: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """The panorama between its pixels, at directions."""
    longitude = torch.atan2(directions[..., 0], directions[..., 2])
    latitude = -directions[..., 1].asin()
    at = torch.stack([longitude / math.pi, -2 * latitude / math.pi], dim=-1)
    return F.grid_sample(picture[None], at[None], padding_mode="border", align_corners=False)[0]


@pytest.mark.parametrize("axis", [(0.0, 0, 1), (0.0, 0, -1), (1.0, 0, 0), (-1.0, 0, 0), (0.0, 1, 0), (0.0, -1, 0)])
def test_a_panorama_shows_what_pinhole_cameras_see(axis) -> None:
    splats = dots()
    picture = render_along(splats, panorama(192), GREY)
    expected, directions = seen_by_pinhole(splats, looking(axis))
    shown = in_panorama(picture.rgb[0], directions)
    assert float((shown - expected).abs().mean()) < 0.01
    assert float((shown - expected).abs().max()) < 0.12
    # What is compared changes over the picture, and would not agree turned over.
    assert float((shown.flip(-1) - expected).abs().mean()) > 0.05


def test_depth_is_the_length_along_the_ray() -> None:
    renders = render_along(dots(), panorama(64), GREY)
    assert renders.depth is not None
    seen = renders.alpha > 0.5
    assert seen.float().mean() > 0.05
    assert float((renders.depth - 2.0)[seen].abs().max()) < 0.05
    assert (renders.depth[renders.alpha == 0] == 0).all()


def test_pinhole_rays_give_the_pinhole_picture() -> None:
    splats, c2w = dots(), looking((0.0, 0, 1))
    expected, directions = seen_by_pinhole(splats, c2w)
    picture = render_along(splats, RayGrid(torch.zeros_like(directions), directions), GREY)
    assert float((picture.rgb[0] - expected).abs().mean()) < 0.01


def parallel(size: int, width: float) -> RayGrid:
    """Rays along z from a square of `width` round the origin, x to the right, y down."""
    at = ((torch.arange(size) + 0.5) / size - 0.5) * width
    y, x = torch.meshgrid(at, at, indexing="ij")
    directions = torch.tensor([0.0, 0, 1]).expand(size, size, 3)
    return RayGrid(torch.stack([x, y, torch.zeros_like(x)], dim=-1), directions)


@pytest.mark.parametrize("distance", [0.3, 4.0])
def test_parallel_rays_show_everything_at_its_size(distance: float) -> None:
    """One sigma of the Gaussian is four pixels, wherever it is."""
    renders = render_along(one_at(0.25, -0.5, distance, scale=0.125), parallel(64, 2.0), GREY)
    assert renders.depth is not None
    row, column = divmod(int(renders.alpha.argmax()), 64)
    assert abs(row - 15.5) <= 0.5
    assert abs(column - 39.5) <= 0.5
    assert float(renders.alpha[0, 0, 15, 43] / renders.alpha[0, 0, 15, 39]) == pytest.approx(0.689, abs=0.01)
    assert float(renders.depth[0, 0, 15, 39]) == pytest.approx(distance, abs=0.01)


def test_parallel_rays_see_nothing_behind_their_plane() -> None:
    assert float(render_along(one_at(0.0, 0.0, -0.5, scale=0.1), parallel(32, 2.0), GREY).alpha.max()) == 0


def test_rays_from_a_circle_see_near_things_shifted() -> None:
    """A stereo panorama: each column's rays start on a circle of radius r, at a right angle to where they look.

    Something at distance d is where a tangent of the circle meets it: asin(r / d) beside its own direction.
    """
    rays = panorama(180)
    longitude = ((torch.arange(360) + 0.5) / 180 - 1) * math.pi
    start = 0.2 * torch.stack([longitude.cos(), torch.zeros(360), -longitude.sin()], dim=-1)
    rays = RayGrid(start.expand(180, 360, 3), rays.directions)
    alpha = render_along(one_at(0.0, 0.0, 1.0), rays, GREY).alpha[0, 0]
    column = float((alpha.sum(0) * torch.arange(360)).sum() / alpha.sum())
    assert column - 179.5 == pytest.approx(-math.degrees(math.asin(0.2)), abs=0.5)


def test_nothing_at_all_is_background() -> None:
    renders = render_along(one_at(0.0, 0.0, 1.0).select(slice(0, 0)), panorama(16), GREY)
    assert float((renders.rgb - 0.5).abs().max()) < 1e-6
    assert (renders.alpha == 0).all()


def test_rays_must_be_finite() -> None:
    rays = panorama(16)
    rays.origins[3, 4, 0] = math.nan
    with pytest.raises(ValueError, match="nan"):
        render_along(dots(10), rays, GREY)
