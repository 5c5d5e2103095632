import pytest
import torch
from made.cameras import pinhole, random_cameras
from made.scenes import arc_cameras, blobs, photos

from tokengs_nerfstudio.core.geometry.resize import crop_and_resize, level_size, resized
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.types import Views


def test_crop_keeps_points_on_their_pixels() -> None:
    c2w = random_cameras(1)
    intrinsics = pinhole(torch.tensor([[40.0, 40.0, 31.0, 22.0]], dtype=torch.float64))
    images = torch.rand(1, 3, 45, 64, dtype=torch.float64)
    cropped = crop_and_resize(Views(images, c2w, intrinsics), 45, 45)
    torch.testing.assert_close(cropped.images, images[..., 10:55])
    assert (intrinsics - cropped.intrinsics)[0, 0, 2].item() == pytest.approx(10.0)


def test_resized_photos_show_the_same_rays() -> None:
    views = photos(blobs(), arc_cameras(2), size=64)
    small = resized(views, 30, 16)
    size = (small.width, small.height)
    again = render(blobs(), small.c2w, small.intrinsics, *size, depth=False).rgb
    assert (again - small.images).abs().mean() < 0.02
    shifted = small.intrinsics.clone()
    shifted[:, 0, 2] += 1.0
    worse = render(blobs(), small.c2w, shifted, *size, depth=False).rgb
    assert (worse - small.images).abs().mean() > 2 * (again - small.images).abs().mean()


def test_levels_stop_at_32_pixels() -> None:
    assert level_size(455, 256, 4.0) == (114, 64)
    assert level_size(100, 64, 8.0) == (50, 32)
    assert level_size(20, 16, 4.0) == (20, 16)
