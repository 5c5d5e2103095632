import torch
from made.cameras import pinhole, random_cameras

from tokengs_nerfstudio.core.geometry.rays import pixel_rays, project


def test_rays_run_through_their_pixels() -> None:
    c2w = random_cameras(2)
    intrinsics = pinhole(torch.tensor([[20.0, 22.0, 6.5, 4.0], [15.0, 15.0, 5.0, 5.5]], dtype=torch.float64))
    origins, directions = pixel_rays(c2w, intrinsics, 8, 12)
    points = (origins + 3 * directions)[0].flatten(1).T
    pixels, z = project(points, c2w, intrinsics)
    rows, columns = torch.meshgrid(torch.arange(8) + 0.5, torch.arange(12) + 0.5, indexing="ij")
    torch.testing.assert_close(pixels[0], torch.stack([columns, rows], -1).reshape(-1, 2).double())
    assert (z[0] > 0).all()
