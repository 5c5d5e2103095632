"""Intrinsics against the photo that they are for."""

import math

import pytest

from tokengs_nerfstudio.core.camera_checks import check_view
from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.data.capture.intrinsics import is_of_the_turned
from tokengs_nerfstudio.data.capture.lens import Lens


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cx": 41.0}, r"outside of its photo: 'cx' is 41, the photo has 40 pixels"),
        ({"cy": -1.0}, r"outside of its photo: 'cy' is -1"),
        ({"cx": 0.5, "cy": 0.5}, r"in the corner of its photo: .* in pixels"),
        ({"fl_x": 2.0, "fl_y": 2.0}, r"'fl_x' of frame .* is 2 pixels, a field of view of 16\d degrees"),
        ({"fl_y": 1e300}, r"'fl_y' of frame .* a field of view of \S+ degrees"),
        ({"fl_y": 200.0}, r"too far apart: 'fl_x' is 50, 'fl_y' 200"),
        ({"camera_angle_x": 2.0}, r"'fl_x' and 'camera_angle_x' of .* contradict each other"),
        ({"fl_x": ..., "fl_y": ..., "x_fov": 0.8}, r"'x_fov' of .* is in degrees, 0\.8 looks like radians"),
        ({"w": 60, "h": 30}, r"recorded as 60x30, but .* is 40x30"),
        ({"is_fisheye": "false"}, r"'is_fisheye' of .* must be true or false, got 'false'"),
        ({"k6": 0.1}, r"'k6' of .* not known"),
        ({"k1": 0.1}, r"camera model PINHOLE, which has no distortion, and 'k1'"),
        ({"fl_x": 10**400}, r"'fl_x' of .* must be a finite number"),
    ],
)
def test_what_cannot_be_is_named(make_capture, fields, message):
    with pytest.raises(ValueError, match=message):
        NerfstudioCapture(make_capture(shared=fields))


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"fl_x": 70.0}, (70, 70, 20, 15)),
        ({"camera_angle_x": math.pi / 2}, (20, 20, 20, 15)),
        ({"cx": 18.0}, (50, 50, 18, 15)),
        ({"w": 80}, (25, 25, 10, 7.5)),
    ],
)
def test_what_belongs_together_comes_from_one_place(make_capture, own, expected):
    capture = NerfstudioCapture(make_capture(shared={"cy": 14.0} if "cx" in own else None, frames={1: own}))
    matrix = capture.intrinsics[1]
    assert [float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2))] == pytest.approx(expected)


def test_long_and_wide_lenses_are_no_fault():
    check_view(Lens(2000.0, 2000.0, 20.0, 15.0).matrix, 40, 30, "a telescope")
    check_view(Lens(6.4, 6.4, 20.0, 15.0).matrix, 40, 40, "a fisheye")
    check_view(Lens(900.0, 900.0, 850.0, 4.0).matrix, 1700, 8, "a strip")


def test_the_middle_of_the_turned_photo_gives_it_away():
    assert is_of_the_turned(Lens(50, 50, 15.1, 20.0), (40, 30))
    assert not is_of_the_turned(Lens(50, 50, 20.0, 15.0), (40, 30))
    assert not is_of_the_turned(Lens(50, 50, 20.0, 20.0), (40, 40))
