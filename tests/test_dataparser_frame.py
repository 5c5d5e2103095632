"""Where the dataparser puts a capture in nerfstudio's world, and the way back."""

import numpy as np
import pytest
import torch
from made.captures import edit, look_at_origin, write_capture
from made.parsed import outputs


def test_original_coordinates_can_be_recovered(tmp_path):
    folder = write_capture(tmp_path, applied_transform=[[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]])
    parsed = outputs(folder, eval_mode="all")
    poses = parsed.transform_poses_to_original_space(parsed.cameras.camera_to_worlds, camera_convention="opengl")
    written = torch.tensor(look_at_origin(0.0)[:3, 3]).float()
    undo = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    torch.testing.assert_close(poses[0, :, 3], undo @ written, atol=1e-5, rtol=0)


def test_what_was_scaled_before_is_undone_too(tmp_path):
    """x = 0.25 (turn @ original + shift): what the run makes of x it makes of the original as well."""
    applied = torch.tensor([[1, 0, 0, 0.3], [0, 0, 1, -0.7], [0, -1, 0, 2.0]])
    folder = write_capture(tmp_path, applied_transform=applied.tolist(), applied_scale=0.25)
    parsed = outputs(folder, eval_mode="all")
    written = torch.tensor(np.stack([look_at_origin(0.5 * index)[:3, 3] for index in range(10)])).float()
    original = (written / 0.25 - applied[:, 3]) @ applied[:, :3]
    turned = original @ parsed.dataparser_transform[:, :3].T + parsed.dataparser_transform[:, 3]
    placed = parsed.cameras.camera_to_worlds[:, :, 3]
    torch.testing.assert_close(parsed.dataparser_scale * turned, placed, atol=1e-5, rtol=0)


def test_georeferenced_captures_are_placed_as_others(tmp_path):
    utm = np.array([500_123.4, 4_649_776.2, 121.3])
    near, far = (write_capture(tmp_path / name) for name in ("near", "far"))
    poses = [look_at_origin(0.5 * index) for index in range(10)]
    for pose in poses:
        pose[:3, 3] = 1000 * pose[:3, 3] + utm
    edit(far, lambda meta: [f.update(transform_matrix=p.tolist()) for f, p in zip(meta["frames"], poses)])
    expected, parsed = outputs(near), outputs(far)
    torch.testing.assert_close(parsed.cameras.camera_to_worlds, expected.cameras.camera_to_worlds, atol=1e-5, rtol=0)
    assert parsed.dataparser_scale == pytest.approx(expected.dataparser_scale / 1000)
    back = parsed.transform_poses_to_original_space(parsed.cameras.camera_to_worlds, camera_convention="opengl")
    assert back.dtype == torch.float64
    np.testing.assert_allclose(back[0, :, 3], poses[1][:3, 3], atol=1e-2)


@pytest.mark.parametrize("exponent", [-30, 12])
@pytest.mark.parametrize("method", ["up", "pca", "vertical"])
def test_powers_of_two_change_nothing(tmp_path, exponent, method):
    plain, other = (write_capture(tmp_path / name) for name in ("plain", "other"))
    poses = [look_at_origin(0.5 * index) for index in range(10)]
    for pose in poses:
        pose[:3, 3] *= 2.0**exponent
    edit(other, lambda meta: [f.update(transform_matrix=p.tolist()) for f, p in zip(meta["frames"], poses)])
    options = {"orientation_method": method, "center_method": "focus"}
    first, second = (outputs(folder, **options).cameras.camera_to_worlds for folder in (plain, other))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"applied_scale": "big"}, "'applied_scale' of .* must be a positive number, got 'big'"),
        ({"applied_scale": 0}, "'applied_scale' of .* must be a positive number, got 0"),
        ({"applied_transform": [[1, 0], [0, 1]]}, "'applied_transform' of .* must be 3x4"),
        ({"applied_transform": "abc"}, "'applied_transform' of .* must be 3x4"),
        ({"orientation_override": "None"}, "'orientation_override' of .* one of pca, up, vertical, none, got 'None'"),
        ({"orientation_override": ["up"]}, "'orientation_override' of .* one of"),
    ],
)
def test_what_was_applied_before_is_checked(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        outputs(write_capture(tmp_path, **fields))
