"""Points of a scene as cameras see them, to a fraction of a pixel."""

import torch
from made.scenes import arc_cameras
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.poses.tracks import Tracks
from tokengs_nerfstudio.core.rotation import rigid_motion

SIZE = 128


def sightings(
    points: int = 60, views: int = 6, noise: float = 0.0, wrong: float = 0.0
) -> tuple[Tracks, Tensor, Tensor]:
    """Tracks of points that every one of an arc of cameras sees, a share of the sightings `wrong`; c2w, intrinsics."""
    generator = torch.Generator().manual_seed(0)
    c2w = arc_cameras(views).double()
    spread = torch.tensor([1.2, 1.2, 1.0], dtype=torch.float64)
    place = (torch.rand(points, 3, generator=generator, dtype=torch.float64) - 0.5) * spread
    place[:, 2] += 2.0
    intrinsics = torch.tensor([[SIZE, 0, SIZE / 2], [0, SIZE, SIZE / 2], [0, 0, 1]], dtype=torch.float64)
    intrinsics = intrinsics.repeat(views, 1, 1)
    pixels = project(place, c2w, intrinsics)[0].transpose(0, 1).flatten(0, 1)
    pixels = pixels + noise * torch.randn(pixels.shape, generator=generator, dtype=torch.float64)
    mistaken = torch.rand(len(pixels), generator=generator) < wrong
    pixels[mistaken] = SIZE * torch.rand(int(mistaken.sum()), 2, generator=generator, dtype=torch.float64)
    view = torch.arange(views).repeat(points)
    return Tracks(view, torch.arange(points).repeat_interleave(views), pixels), c2w, intrinsics


def shaken(c2w: Tensor, degrees: float) -> Tensor:
    """Cameras turned, and moved by as many hundredths, about random axes."""
    generator = torch.Generator().manual_seed(1)
    turn, shift = torch.nn.functional.normalize(
        torch.randn(2, len(c2w), 3, generator=generator, dtype=torch.float64), dim=-1
    )
    return c2w @ rigid_motion(torch.deg2rad(degrees * turn), 0.01 * degrees * shift)


def relative_error(found: Tensor, true: Tensor) -> float:
    """Degrees: how far the cameras are turned against each other, in the root mean square over all pairs."""
    between = found[:, None, :3, :3].mT @ found[None, :, :3, :3]
    truly = true[:, None, :3, :3].mT @ true[None, :, :3, :3]
    trace = (between.mT @ truly).diagonal(dim1=-2, dim2=-1).sum(-1)
    return float(torch.rad2deg(((trace - 1) / 2).clamp(-1, 1).arccos()).square().mean().sqrt())
