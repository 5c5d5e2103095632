"""Poses of one scene: any origin and unit, what cannot be, what is said."""

import numpy as np
import pytest
import torch
from made.captures import look_at_origin

from tokengs_nerfstudio.core.camera_checks import check_positions
from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.data.capture.poses import needs_64_bits, offset_and_unit

CIRCLE = np.stack([look_at_origin(0.5 * index)[:3, 3] for index in range(10)])
UTM = np.array([500_123.4, 4_649_776.2, 121.3])


def named(positions: np.ndarray) -> None:
    check_positions(positions, [f"{index}.png" for index in range(len(positions))], "somewhere")


@pytest.mark.parametrize("unit", [1e-300, 1e-9, 1.0, 1e12, 1e300])
def test_any_unit_is_fine(unit, caplog):
    named(CIRCLE * unit)
    assert not caplog.messages


@pytest.mark.parametrize("origin", [0.0, UTM, 1e8])
def test_one_place_is_none_wherever_it_is(origin):
    named(CIRCLE + origin)
    with pytest.raises(ValueError, match="all 10 cameras of somewhere are in one place"):
        named(CIRCLE * 0 + origin)
    with pytest.raises(ValueError, match="in one place"):
        named(CIRCLE * 1e-12 + UTM)


def test_positions_beyond_a_float_are_refused():
    with pytest.raises(ValueError, match="beyond what numbers hold"):
        named(np.array([[-1.7e308, 0, 0], [1.7e308, 0, 0], [1.7e308, 1, 0]]))


def test_one_camera_is_no_scene_yet():
    named(CIRCLE[:1])


@pytest.mark.parametrize("count", [3, 10])
def test_cameras_far_away_are_said_or_refused(count, caplog):
    positions = CIRCLE[:count].copy()
    positions[2, 0] += 500
    named(positions)
    assert "2.png: " in caplog.text
    positions[2, 0] += 1e7
    with pytest.raises(ValueError, match=r"2\.png: .*remove those frames"):
        named(positions)


def test_a_few_cameras_apart_from_many_in_one_place_are_no_fault(caplog):
    positions = np.zeros((10, 3))
    positions[:2] = CIRCLE[:2]
    named(positions)
    assert not caplog.messages


@pytest.mark.parametrize("origin", [np.zeros(3), np.array([5.0, -9.0, 3.0])])
def test_positions_near_the_origin_keep_their_origin(origin):
    offset, unit = offset_and_unit(CIRCLE + origin)
    assert not offset.any()
    assert 1 <= np.abs(CIRCLE - CIRCLE.mean(axis=0)).max() * unit < 2
    assert not needs_64_bits(CIRCLE + origin)


def test_positions_far_from_the_origin_or_of_extreme_units_need_64_bits():
    offset, _ = offset_and_unit(CIRCLE + UTM)
    np.testing.assert_allclose(offset, (CIRCLE + UTM).mean(axis=0))
    for positions in (CIRCLE + UTM, CIRCLE * 1e-30, CIRCLE * 1e30):
        assert needs_64_bits(positions)


def test_an_extent_whose_inverse_is_no_number_is_none():
    assert offset_and_unit(CIRCLE * 1e-310)[1] == 1


def test_a_capture_far_from_the_origin_keeps_all_its_digits(make_capture):
    frames = {}
    for index in range(3):
        pose = look_at_origin(0.5 * index)
        pose[:3, 3] += UTM
        frames[index] = {"transform_matrix": pose.tolist()}
    far = NerfstudioCapture(make_capture(frames=frames))
    assert far.c2w.dtype == torch.float64
    np.testing.assert_allclose(far.c2w[:, :3, 3] - far.c2w[0, :3, 3], CIRCLE[:3] - CIRCLE[0], atol=1e-8)


def test_scaled_axes_are_said_once(make_capture, caplog):
    pose = look_at_origin(0.0)
    pose[:3, :3] *= 2
    capture = NerfstudioCapture(make_capture(frames={0: {"transform_matrix": pose.tolist()}}))
    assert len(caplog.messages) == 1
    assert "1 frames" in caplog.text
    assert float(capture.c2w[0, :3, 0].norm()) == pytest.approx(1)
