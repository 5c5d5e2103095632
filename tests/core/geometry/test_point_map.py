"""The scale by known depths against the published one."""

import json

import pytest
import torch
from made.cameras import pinhole
from safetensors.torch import load_file

from tokengs_nerfstudio.core.geometry.frame import CameraFrame, canonical_frame
from tokengs_nerfstudio.core.geometry.point_map import point_map_scale
from tokengs_nerfstudio.core.types import Views

CAMERA = torch.tensor([[[4.0, 0.0, 1.0], [0.0, 4.0, 1.0], [0.0, 0.0, 1.0]]])


@pytest.mark.parametrize("camera", ["first", "mean"])
def test_golden(shared, camera: CameraFrame) -> None:
    tensors = load_file(shared / "golden/G4_data_pipeline.safetensors")
    case = f"S_{camera}_cam_pointmap"
    value = json.loads((shared / "golden/G4_info.json").read_text())[case]["scene_scale"]
    ours = {name: tensors[f"S_shared.in.{name}"][:2].double() for name in ("c2w", "intrinsics", "depths")}
    photos = ours["depths"].expand(-1, 3, -1, -1)
    context = Views(photos, ours["c2w"], pinhole(ours["intrinsics"]), depths=ours["depths"])
    frame = canonical_frame(context.c2w, camera, "constant", point_map_scale(context, camera, value))
    expected = tensors[f"{case}.out.cam_to_world_input"].double()
    torch.testing.assert_close(frame.cameras(context.c2w), expected, atol=1e-6, rtol=1e-6)


def test_pixels_without_depth_do_not_count() -> None:
    depths = torch.zeros(1, 1, 3, 3)
    views = Views(torch.zeros(1, 3, 3, 3), torch.eye(4)[None], CAMERA, depths=depths)
    assert point_map_scale(views, "first", 0.5) == 0.5
    depths[0, 0, 1, 1] = 2.0  # on the axis, where x = y = 1 = cx
    assert point_map_scale(views, "first", 0.5) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="these have none"):
        point_map_scale(Views(views.images, views.c2w, CAMERA), "first", 0.5)
