import torch
from made.cameras import pinhole, random_cameras

from tokengs_nerfstudio.core.geometry.rays import pixel_points, pixel_rays, project


def test_rays_run_through_their_pixels() -> None:
    c2w = random_cameras(2)
    intrinsics = pinhole(torch.tensor([[20.0, 22.0, 6.5, 4.0], [15.0, 15.0, 5.0, 5.5]], dtype=torch.float64))
    origins, directions = pixel_rays(c2w, intrinsics, 8, 12)
    points = (origins + 3 * directions)[0].flatten(1).T
    pixels, z = project(points, c2w, intrinsics)
    rows, columns = torch.meshgrid(torch.arange(8) + 0.5, torch.arange(12) + 0.5, indexing="ij")
    torch.testing.assert_close(pixels[0], torch.stack([columns, rows], -1).reshape(-1, 2).double())
    assert (z[0] > 0).all()


def test_points_are_seen_at_their_pixels_and_depths() -> None:
    c2w = random_cameras(3)[None]
    intrinsics = pinhole(torch.tensor([[20.0, 22.0, 6.5, 4.0]] * 3, dtype=torch.float64))[None]
    depths = torch.linspace(0.5, 3.0, 3 * 8 * 12, dtype=torch.float64).reshape(1, 3, 1, 8, 12)
    points = pixel_points(c2w, intrinsics, depths)
    rows, columns = torch.meshgrid(torch.arange(8) + 0.5, torch.arange(12) + 0.5, indexing="ij")
    for view in range(3):
        pixels, z = project(points[0, view].flatten(1).T, c2w[0, view : view + 1], intrinsics[0, view : view + 1])
        torch.testing.assert_close(pixels[0], torch.stack([columns, rows], -1).reshape(-1, 2).double())
        torch.testing.assert_close(z[0], depths[0, view].flatten())
