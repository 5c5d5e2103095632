import pytest
import torch
from made.cameras import pinhole, random_cameras

from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.types import Views


def test_crop_keeps_points_on_their_pixels() -> None:
    c2w = random_cameras(1)
    intrinsics = pinhole(torch.tensor([[40.0, 40.0, 31.0, 22.0]], dtype=torch.float64))
    images = torch.rand(1, 3, 45, 64, dtype=torch.float64)
    cropped = crop_and_resize(Views(images, c2w, intrinsics), 45, 45)
    torch.testing.assert_close(cropped.images, images[..., 10:55])
    assert (intrinsics - cropped.intrinsics)[0, 0, 2].item() == pytest.approx(10.0)
