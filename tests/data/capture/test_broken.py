"""Captures with missing frames, damaged files and senseless entries."""

import math

import numpy as np
import pytest
import torch
from made.captures import edit
from PIL import Image

from tokengs_nerfstudio.data import NerfstudioCapture


def test_missing_images_are_reported_once_and_left_out(make_capture, caplog):
    gone = {i: {"file_path": f"images/gone_{i}.png"} for i in (1, 2, 4, 5)}
    capture = NerfstudioCapture(make_capture(count=6, frames=gone))
    assert len(caplog.messages) == 1
    message = caplog.messages[0]
    assert "4 of 6 images" in message
    assert "gone_1.png, images/gone_2.png, images/gone_4.png, ..." in message
    assert capture.file_names == ["images/frame_000.png", "images/frame_003.png"]
    assert capture.c2w.shape == (2, 4, 4)


def test_no_image_at_all_is_an_error(make_capture):
    folder = make_capture(frames={i: {"file_path": f"gone_{i}.png"} for i in range(3)})
    with pytest.raises(FileNotFoundError, match=r"3 of 3 images .* do not exist .*gone_0.png"):
        NerfstudioCapture(folder)


def test_a_folder_without_transforms_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"transforms\.json does not exist.*tokengs-pose"):
        NerfstudioCapture(tmp_path)


def test_a_file_that_is_no_image_is_named(make_capture):
    folder = make_capture()
    (folder / "images/frame_001.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"cannot read the image .*frame_001\.png"):
        NerfstudioCapture(folder)


def test_a_truncated_image_is_named_when_loaded(make_capture):
    folder = make_capture()
    path = folder / "images/frame_001.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    capture = NerfstudioCapture(folder)
    assert capture.load([0, 2]).num_views == 2
    with pytest.raises(ValueError, match=r"cannot read the image .*frame_001\.png"):
        capture.load([0, 1])


def test_frames_that_do_not_exist_cannot_be_loaded(make_capture):
    capture = NerfstudioCapture(make_capture())
    with pytest.raises(IndexError, match=r"frames 0 to 2, asked for \[3, -1\]"):
        capture.load([3, 0, -1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "a list called 'frames'"),
        ('{"frames": {}}', "a list called 'frames'"),
        ('{"frames": []}', "lists no frames"),
        ('{"frames": [{"transform_matrix": []}]}', "frame 0 of .* has no 'file_path'"),
        ('{"frames": [{"file_path": null}]}', "frame 0 of .* has no 'file_path'"),
        ('{"fl_x": 50, "frames": [], "fl_x": 20}', "transforms.json has 'fl_x' 2 times"),
    ],
)
def test_malformed_files(tmp_path, text, message):
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        NerfstudioCapture(tmp_path)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (..., "has no 'transform_matrix'"),
        ([[1, 2], [3]], "not a matrix of numbers"),
        (np.eye(3).tolist(), "must be 4x4 or 3x4"),
        (np.zeros((4, 4)).tolist(), "last row"),
        ([*np.eye(4).tolist()[:3], [0, 0, 1, 1]], "last row"),
        (np.diag([1.0, 1, 0, 1]).tolist(), "is singular"),
        (np.diag([0.0, 0, 0, 1]).tolist(), "is singular"),
        (np.diag([1.0, 1, 2, 1]).tolist(), "is not a rotation"),
        (np.diag([1.0, 1, -1, 1]).tolist(), "is not a rotation"),
        (np.full((4, 4), np.nan).tolist(), "is not finite"),
    ],
)
def test_impossible_poses_are_named(make_capture, matrix, message):
    folder = make_capture(frames={1: {"transform_matrix": matrix}})
    with pytest.raises(ValueError, match=message) as caught:
        NerfstudioCapture(folder)
    assert "frame_001.png" in str(caught.value)


def test_poses_written_with_few_digits_or_a_scale_become_rotations(make_capture):
    rounded = np.round(np.array([[0.8, -0.6, 0, 1], [0.6, 0.8, 0, 2], [0, 0, 1, 3]]), 3)
    rounded[0, 0] += 0.0004
    scaled = rounded * np.array([3.0, 3.0, 3.0, 1.0])
    capture = NerfstudioCapture(
        make_capture(frames={0: {"transform_matrix": rounded.tolist()}, 1: {"transform_matrix": scaled.tolist()}})
    )
    rotation = capture.c2w[:2, :3, :3]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(2, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(capture.c2w[0], capture.c2w[1])
    assert capture.c2w[0, :3, 3].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fl_x": ..., "fl_y": ...}, "has no focal length"),
        ({"fl_x": "50"}, "'fl_x' of frame .* must be a finite number, got '50'"),
        ({"fl_x": float("nan")}, "'fl_x' of frame .* must be a finite number"),
        ({"fl_x": -1.0}, "'fl_x' of frame .* must be positive"),
        ({"fl_x": ..., "camera_angle_x": 4.0}, "field of view"),
        ({"w": 0}, "'w' of frame .* must be positive"),
        ({"w": 30, "h": 40}, "recorded as 30x40, but .*frame_000.png is 40x30"),
        ({"camera_model": "EQUIRECTANGULAR"}, "'EQUIRECTANGULAR', known are PINHOLE"),
        ({"k4": 0.1}, "k4 = 0.1"),
        ({"distortion_params": [1, 2]}, "six numbers"),
        ({"train_filenames": "a"}, "must be a list of file paths"),
        ({"test_filenames": ["other.png"]}, "'test_filenames' .* names no frame of it: other.png"),
        ({"train_filenames": ["images/frame_000.png", "a.png", "b.png"]}, "names no frame of it: a.png, b.png;"),
        ({"test_filenames": [1, 2]}, "must be a list of file paths"),
    ],
)
def test_senseless_fields_are_named(make_capture, fields, message):
    folder = make_capture(shared=fields)
    with pytest.raises(ValueError, match=message):
        NerfstudioCapture(folder)


def test_times_must_be_given_to_all_frames_or_none(make_capture):
    with pytest.raises(ValueError, match=r"frame_001\.png' .* has no 'time'"):
        NerfstudioCapture(make_capture(frames={0: {"time": 0.0}, 2: {"time": 1.0}}))


@pytest.mark.parametrize("name", ["/", "", "x" * 5000, "images/\ud800.png", "a\0b"])
def test_names_of_no_file_are_left_out(make_capture, caplog, name):
    assert len(NerfstudioCapture(make_capture(frames={1: {"file_path": name}}))) == 2
    assert "1 of 3 images" in caplog.text
    assert len(caplog.text) < 700
    caplog.text.encode()


def test_suffixes_in_small_and_capital_letters_are_one(make_capture):
    folder = make_capture()
    for photo in (folder / "images").iterdir():
        photo.rename(photo.with_suffix(".PNG"))
    assert len(NerfstudioCapture(folder)) == 3


def test_a_byte_order_mark_is_read_over(make_capture):
    file = make_capture() / "transforms.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert len(NerfstudioCapture(file)) == 3


def test_what_is_not_used_is_said(make_capture, caplog):
    with caplog.at_level("INFO", logger="tokengs_nerfstudio"):
        NerfstudioCapture(make_capture(shared={"lens_maker": "unknown", "aabb_scale": 16}))
    assert [record.getMessage() for record in caplog.records if "lens_maker" in record.getMessage()]
    assert "aabb_scale" not in caplog.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_size": 0}, "max_size is 0; a whole number from 1"),
        ({"max_size": math.nan}, "max_size is nan; a finite number"),
        ({"background": [1, 2]}, r"background must be a grey or RGB in \[0, 1\], got \[1, 2\]"),
        ({"background": 255}, "background must be a grey or RGB"),
    ],
)
@pytest.mark.usefixtures("no_shape_checks")
def test_arguments_that_mean_nothing_are_named(make_capture, options, said):
    with pytest.raises(ValueError, match=said):
        NerfstudioCapture(make_capture(), **options)


def test_what_stands_where_it_is_not_looked_at_is_said(make_capture, caplog):
    NerfstudioCapture(make_capture(shared={"depth_file_path": "depths/all.png"}, frames={1: {"test_filenames": []}}))
    assert "depth_file_path of" in caplog.text
    assert "write that into each frame" in caplog.text
    assert "test_filenames of" in caplog.text
    assert "write that into the file, beside 'frames'" in caplog.text


def test_times_whose_span_no_float_holds(make_capture):
    times = {index: {"time": time} for index, time in enumerate((-1.7e308, 0.0, 1.7e308))}
    capture = NerfstudioCapture(make_capture(frames=times))
    assert capture.times is not None
    assert capture.times.tolist() == [0, 0.5, 1]


def test_masks_may_miss_where_a_frame_is_held_out(make_capture):
    folder = make_capture(shared={"test_filenames": ["images/frame_001.png"]})
    (folder / "masks").mkdir()
    Image.new("L", (40, 30)).save(folder / "masks/m.png")
    edit(folder, lambda meta: [meta["frames"][index].update(mask_path="masks/m.png") for index in (0, 2)])
    masks = NerfstudioCapture(folder).load([0, 1, 2]).masks
    assert masks is not None
    assert masks.mean(dim=(1, 2, 3)).tolist() == [0, 1, 0]
    edit(folder, lambda meta: meta.pop("test_filenames"))
    with pytest.raises(ValueError, match=r"frame_001\.png' in .* has no 'mask_path'"):
        NerfstudioCapture(folder)
