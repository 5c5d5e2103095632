"""What exporters of point clouds and meshes get: a ball of Gaussians, whose surface is known."""

import math

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle

from tokengs_nerfstudio.core.types import Gaussians, RenderConfig
from tokengs_nerfstudio.ray_bundles import outputs_along, surface_colors

GREY = torch.full((3,), 0.5)


def ball(count: int = 2000) -> Gaussians:
    """Of radius 1 round the origin, as thin flakes would be; red where x > 0, else green."""
    height = 1 - 2 * (torch.arange(count) + 0.5) / count
    turn = torch.arange(count) * math.pi * (3 - math.sqrt(5))
    flat = (1 - height**2).sqrt()
    means = torch.stack([flat * turn.cos(), flat * turn.sin(), height], dim=-1)
    red = (means[:, :1] > 0).float()
    return Gaussians(
        means=means,
        quats=torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        scales=torch.full((count, 3), 0.06),
        opacities=torch.full((count,), 0.999),
        colors=torch.cat([red, 1 - red, 0 * red], dim=-1),
    )


def picture_rays() -> RayBundle:
    """From z = 4 towards the ball."""
    pose = torch.eye(4)[None, :3].clone()
    pose[0, 2, 3] = 4.0
    return Cameras(pose, 64.0, 64.0, 32.0, 32.0, 64, 64).generate_rays(0, keep_shape=True)


def test_rays_meet_the_surface_and_know_its_normal():
    rays = picture_rays()
    outputs = outputs_along(ball(), rays, RenderConfig(), GREY)
    assert outputs["rgb"].shape == outputs["normals"].shape == (64, 64, 3)
    middle = slice(26, 38)
    points = (rays.origins + rays.directions * outputs["depth"])[middle, middle].reshape(-1, 3)
    assert float((points.norm(dim=-1) - 1).abs().mean()) < 0.05
    normals = 2 * outputs["normals"][middle, middle].reshape(-1, 3) - 1
    assert float((normals * points).sum(-1).mean()) > 0.9
    assert float(outputs["normals"].min()) >= 0
    assert float(outputs["normals"].max()) <= 1
    assert outputs["rgb"][32, 36].argmax() == 0
    assert outputs["rgb"][32, 27].argmax() == 1


def test_where_nothing_is_there_is_no_surface():
    outputs = outputs_along(ball(), picture_rays(), RenderConfig(), GREY)
    assert float(outputs["depth"][0, 0]) == 0
    assert float(outputs["accumulation"][0, 0]) == 0


def test_textures_have_the_colours_of_the_surface():
    """As nerfstudio textures a mesh: short rays through the surface, against its normal, in any order."""
    points = torch.nn.functional.normalize(torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    length = torch.full((6, 5, 1), 0.1)
    bundle = RayBundle(
        origins=points * 1.05, directions=-points, pixel_area=length, nears=torch.zeros_like(length), fars=length
    )
    outputs = outputs_along(ball(), bundle, RenderConfig(), GREY)
    clear = points[..., 0].abs() > 0.15
    assert (outputs["rgb"].argmax(-1)[clear] == (points[..., 0] < 0)[clear].long()).all()
    assert (outputs["accumulation"] == 1).all()


def test_far_from_everything_the_nearest_gaussian_counts():
    colors = surface_colors(ball(), torch.tensor([[50.0, 0, 0], [-50.0, 0, 0]]))
    assert colors.argmax(-1).tolist() == [0, 1]
    assert colors.sum(-1).tolist() == pytest.approx([1, 1], abs=1e-4)


def test_lines_of_sight_are_free():
    zero = torch.zeros(1, 3)
    outputs = outputs_along(ball(), RayBundle(zero, zero + 1, zero[:, :1]), RenderConfig(), GREY)
    assert outputs["depth"].tolist() == [[float("inf")]]
    assert outputs["normals"].tolist() == [[0.5, 0.5, 0.5]]


def test_rays_see_a_run_in_its_own_mode():
    small = ball(60)
    outputs = {
        mode: outputs_along(small, picture_rays(), RenderConfig(antialiased=mode), GREY)["accumulation"].mean()
        for mode in (False, True)
    }
    assert outputs[True] < 0.999 * outputs[False]
