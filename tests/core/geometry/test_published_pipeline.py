import json
import math

import pytest
import torch
from made.cameras import pinhole
from safetensors.torch import load_file
from torch import Tensor

from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.geometry.rays import pluecker
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.types import Views


@pytest.fixture(scope="module")
def golden(shared) -> tuple[dict[str, Tensor], dict]:
    tensors = load_file(shared / "golden" / "G4_data_pipeline.safetensors")
    return tensors, json.loads((shared / "golden" / "G4_info.json").read_text())


class TestGolden:
    """The published data pipeline, measured (golden G4)."""

    @pytest.mark.parametrize(
        "case", ["A_first_constant", "B_down_48x64", "C_portrait_70x50", "D_up_20x30", "E_same_32x48"]
    )
    def test_crop_frame_and_rays(self, golden, case: str) -> None:
        tensors, info = golden
        height, width = info[case]["dst_hw"]
        source = Views(tensors[f"{case}.in.rgbs"], tensors[f"{case}.in.c2w"], pinhole(tensors[f"{case}.in.intrinsics"]))
        views = crop_and_resize(source, height, width, published_rounding=True)
        torch.testing.assert_close(views.images, tensors[f"{case}.out.images_all"], atol=1e-5, rtol=0)
        torch.testing.assert_close(
            views.intrinsics, pinhole(tensors[f"{case}.out.intrinsics_all"]), atol=1e-4, rtol=1e-6
        )
        similarity = canonical_frame(views.c2w[:2], "first", "constant", info[case]["scene_scale"])
        cameras = similarity.cameras(views.c2w)
        torch.testing.assert_close(cameras[:2], tensors[f"{case}.out.cam_to_world_input"], atol=1e-5, rtol=1e-5)
        rays = pluecker(cameras, views.intrinsics, height, width)
        torch.testing.assert_close(rays, tensors[f"{case}.out.input"][:, -6:], atol=2e-5, rtol=1e-5)

    @pytest.mark.parametrize("frame", ["first", "mean"])
    @pytest.mark.parametrize("rule", ["constant", "distance", "bound"])
    def test_frames_and_scales(self, golden, frame: str, rule: str) -> None:
        tensors, info = golden
        case = f"S_{frame}_cam_{rule}"
        c2w = tensors["S_shared.in.c2w"].double()
        similarity = canonical_frame(c2w[:2], frame, rule, info[case]["scene_scale"])
        expected = tensors[f"{case}.out.cam_to_world_input"].double()
        torch.testing.assert_close(similarity.cameras(c2w)[:2], expected, atol=2e-5, rtol=1e-5)

    def test_pluecker_of_off_centre_cameras(self, golden) -> None:
        tensors, _ = golden
        rays = pluecker(tensors["F_rays.in.c2w"], pinhole(tensors["F_rays.in.intrinsics"]), 10, 14)
        torch.testing.assert_close(rays, tensors["F_rays.out.plucker"], atol=1e-5, rtol=1e-5)

    def test_exact_crop_moves_the_published_principal_point(self, golden) -> None:
        views = Views(
            torch.zeros(1, 3, 540, 960), torch.eye(4)[None], pinhole(torch.tensor([[500.0, 500.0, 480.0, 270.0]]))
        )
        exact = crop_and_resize(views, 256, 448).intrinsics[0, 0, 2].item()
        published = crop_and_resize(views, 256, 448, published_rounding=True).intrinsics[0, 0, 2].item()
        assert math.isclose(published - exact, 0.237, abs_tol=1e-3)
