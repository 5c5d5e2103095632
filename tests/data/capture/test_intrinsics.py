"""Intrinsics against the photo that they are for."""

import math

import pytest
import torch
from made.captures import edit
from PIL import Image

from tokengs_nerfstudio.core.camera_checks import check_view
from tokengs_nerfstudio.core.errors import UserError
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
        (
            {"camera_model": "OPENCV", "is_fisheye": True},
            r"'is_fisheye' of .* is true, its camera model OPENCV is none of",
        ),
        ({"camera_model": "OPENCV_FISHEYE", "is_fisheye": False}, r"is false, its camera model OPENCV_FISHEYE is one"),
        (
            {"w": ..., "h": ..., "cx": 15.0, "cy": 20.0},
            r"turned by a quarter, .* 40x30 pixels as it is stored; give 'w'",
        ),
        ({"cx": 15.0, "cy": 20.0}, r"turned by a quarter, .* 40x30 pixels as it is recorded; correct them"),
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


NULLS = dict.fromkeys(("k1", "k2", "k3", "k4", "p1", "p2", "distortion_params", "camera_model", "is_fisheye"))
NULLS |= dict.fromkeys(("w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x", "x_fov", "time", "k5", "mask_path"))


@pytest.mark.parametrize("null", NULLS)
def test_null_is_as_good_as_nothing(make_capture, tmp_path, null):
    """Of a frame and of the file, for every field by itself: a null hides neither a shared value nor another key."""
    shared = {"camera_model": "OPENCV", "k1": -0.1, "distortion_params": None, "depth_file_path": None}
    plain, own = (
        NerfstudioCapture(make_capture(shared=shared, frames={1: fields}, folder=tmp_path / name))
        for name, fields in (("plain", {}), ("own", {null: None}))
    )
    assert torch.equal(own.intrinsics, plain.intrinsics)
    assert torch.equal(own.load([1]).images, plain.load([1]).images)
    assert own.load([1]).masks is None
    assert own.times is None
    lens = own._photos[1].lens
    assert lens.coefficients == (-0.1, 0, 0, 0, 0)


def test_intrinsics_of_a_lying_photo_are_none_of_a_standing_one(make_capture):
    """A frame with a size of its own that is turned against the shared one: cx and cy say nothing of it."""
    turned = {"w": 30, "h": 40}
    folder = make_capture(frames={1: turned}, shared={"cx": 21.5, "cy": 13.0})
    photo = folder / "images/frame_001.png"
    Image.open(photo).transpose(Image.Transpose.ROTATE_90).save(photo)
    said = r"frame_001.* is 30x40, turned against the 40x30 that cx, cy of the file are written for; give the frame its"
    with pytest.raises(UserError, match=said):
        NerfstudioCapture(folder)
    edit(folder, lambda meta: meta["frames"][1].update(cx=13.0, cy=18.5))
    assert NerfstudioCapture(folder)._photos[1].frame.lens.cy == 18.5
    edit(folder, lambda meta: [meta.update(fl_y=51.0)])
    with pytest.raises(UserError, match="that fl_x, fl_y of the file"):
        NerfstudioCapture(folder)


def test_a_standing_photo_among_lying_ones_has_its_middle_where_it_is(make_capture):
    folder = make_capture(frames={1: {"w": 30, "h": 40}}, shared={"cx": ..., "cy": ...})
    photo = folder / "images/frame_001.png"
    Image.open(photo).transpose(Image.Transpose.ROTATE_90).save(photo)
    lens = NerfstudioCapture(folder)._photos[1].frame.lens
    assert (lens.fx, lens.fy, lens.cx, lens.cy) == (50, 50, 15, 20)


def test_long_and_wide_lenses_are_no_fault():
    check_view(Lens(2000.0, 2000.0, 20.0, 15.0).matrix, 40, 30, "a telescope")
    check_view(Lens(6.4, 6.4, 20.0, 15.0).matrix, 40, 40, "a fisheye")
    check_view(Lens(900.0, 900.0, 850.0, 4.0).matrix, 1700, 8, "a strip")


def test_the_middle_of_the_turned_photo_gives_it_away():
    assert is_of_the_turned(Lens(50, 50, 15.1, 20.0), (40, 30))
    assert not is_of_the_turned(Lens(50, 50, 20.0, 15.0), (40, 30))
    assert not is_of_the_turned(Lens(50, 50, 20.0, 20.0), (40, 40))
