import json
import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tokengs_nerfstudio.core.cameras import project
from tokengs_nerfstudio.data import NerfstudioCapture, write_nerfstudio_capture


def pixels(folder: Path, name: str = "images/frame_00000.png") -> torch.Tensor:
    return torch.from_numpy(np.asarray(Image.open(folder / name)).copy()).permute(2, 0, 1) / 255


def intrinsics(capture: NerfstudioCapture, frame: int = 0) -> list[float]:
    k = capture.intrinsics[frame]
    return [float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])]


# --- cameras


def test_images_and_intrinsics_are_those_of_the_files(make_capture):
    folder = make_capture()
    capture = NerfstudioCapture(folder)
    views = capture.load([2, 0])
    assert capture.name == "capture"
    assert capture.image_size == (30, 40)
    assert len(capture) == 3
    assert intrinsics(capture) == [50, 50, 20, 15]
    assert torch.equal(views.images[1], pixels(folder))
    assert torch.equal(views.images[0], pixels(folder, "images/frame_00002.png"))
    assert torch.equal(views.c2w, capture.c2w[[2, 0]])
    assert views.times is None


def test_poses_come_with_opencv_axes(make_capture):
    capture = NerfstudioCapture(make_capture())
    pixel, depth = project(torch.zeros(1, 3), capture.c2w, capture.intrinsics)
    # Every camera looks at the origin from a distance of 2, with z pointing up in the image.
    torch.testing.assert_close(depth, torch.full_like(depth, 2.0))
    torch.testing.assert_close(pixel, torch.tensor([20.0, 15.0]).expand_as(pixel), atol=1e-4, rtol=0)
    above, _ = project(torch.tensor([[0.0, 0.0, 0.1]]), capture.c2w, capture.intrinsics)
    assert (above[..., 1] < 15).all()


def test_json_file_and_folder_name_the_same_capture(make_capture):
    folder = make_capture()
    (folder / "transforms_test.json").write_text((folder / "transforms.json").read_text())
    assert torch.equal(NerfstudioCapture(folder / "transforms.json").c2w, NerfstudioCapture(folder).c2w)
    assert NerfstudioCapture(str(folder / "transforms_test.json")).name == "capture/transforms_test"


def test_instant_ngp_form(make_capture):
    missing = {"fl_x": ..., "fl_y": ..., "cx": ..., "cy": ..., "w": ..., "h": ..., "camera_model": ...}
    angles = {"camera_angle_x": 0.8, "camera_angle_y": 0.5, "aabb_scale": 4}
    folder = make_capture(shared=missing | angles, frames={0: {"file_path": "./images/frame_00000"}})
    capture = NerfstudioCapture(folder)
    expected = [20 / math.tan(0.4), 15 / math.tan(0.25), 20, 15]
    assert intrinsics(capture) == pytest.approx(expected, rel=1e-6)
    assert torch.equal(capture.load([0]).images[0], pixels(folder))


@pytest.mark.parametrize(
    ("fields", "fx", "fy"),
    [
        ({"fl_x": 61.0}, 61, 61),
        ({"fl_y": 62.0}, 62, 62),
        ({"camera_angle_x": math.pi / 2}, 20, 20),
        ({"camera_angle_y": math.pi / 2}, 15, 15),
        ({"x_fov": 90.0}, 20, 20),
        ({"fl_x": 61.0, "camera_angle_x": 1.0, "camera_angle_y": math.pi / 2}, 61, 15),
    ],
)
def test_focal_length_from_whatever_is_given(make_capture, fields, fx, fy):
    folder = make_capture(shared={"fl_x": ..., "fl_y": ...} | fields)
    assert intrinsics(NerfstudioCapture(folder))[:2] == pytest.approx([fx, fy], rel=1e-6)


def test_a_frame_goes_before_what_is_shared(make_capture):
    own = {"fl_x": 70.0, "fl_y": 71.0, "cx": 19.0, "cy": 14.0}
    capture = NerfstudioCapture(make_capture(frames={1: own}))
    assert intrinsics(capture, 0) == [50, 50, 20, 15]
    assert intrinsics(capture, 1) == [70, 71, 19, 14]


def test_a_frame_with_its_own_angle_does_not_take_the_shared_focal_length(make_capture):
    capture = NerfstudioCapture(make_capture(frames={1: {"camera_angle_x": math.pi / 2}}))
    assert intrinsics(capture, 1)[0] == pytest.approx(20)


def test_intrinsics_follow_the_size_of_the_files(make_capture):
    # Written for 80x75 while the files are 40x30: factors 0.5 and 0.4.
    capture = NerfstudioCapture(make_capture(shared={"w": 80, "h": 75, "fl_y": 60.0, "cx": 41.0, "cy": 40.0}))
    assert intrinsics(capture) == pytest.approx([25, 24, 20.5, 16])


def test_masks_come_with_the_photos(make_capture):
    folder = make_capture(size=(40, 30), shared={"k1": -0.1, "camera_model": "OPENCV"})
    straight = NerfstudioCapture(folder).load([0, 1])
    masks = torch.ones(2, 1, 30, 40)
    masks[:, :, :, :18] = 0
    assert straight.masks is None
    again = write_nerfstudio_capture(folder.parent / "masked", replace(straight, masks=masks))
    assert torch.equal(NerfstudioCapture(again).load([1, 0]).masks, masks)
    halved = NerfstudioCapture(again, max_size=20).load([1]).masks
    assert (halved[..., :9] == 0).all()
    assert (halved[..., 10:] == 1).all()
    (again / "masks/frame_00001.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"masks/frame_00001\.png does not exist"):
        NerfstudioCapture(again)


def test_masks_of_distorted_photos_are_undistorted(make_capture):
    folder = make_capture(
        shared={"k1": -0.3, "camera_model": "OPENCV"}, frames={i: {"mask_path": "m.png"} for i in range(3)}
    )
    mask = np.full((30, 40), 255, np.uint8)
    mask[8:20, :15] = 0
    Image.fromarray(mask).save(folder / "m.png")
    Image.fromarray(mask).save(folder / "images/frame_00000.png")
    views = NerfstudioCapture(folder).load([0])
    valid = views.masks.expand_as(views.images) > 0
    assert (views.images[valid] > 0.998).all()
    assert (views.images[~valid] < 0.999).all()


def test_max_size_reduces_images_and_intrinsics_together(make_capture):
    folder = make_capture(size=(40, 30), shared={"cx": 18.0, "cy": 15.5})
    capture = NerfstudioCapture(folder, max_size=20)
    assert capture.image_size == (15, 20)
    assert intrinsics(capture) == pytest.approx([25, 25, 9, 7.75])
    blocks = pixels(folder).reshape(3, 15, 2, 20, 2).mean(dim=(2, 4))
    assert (capture.load([0]).images[0] - blocks).abs().max() < 0.02


def test_photos_of_another_size_are_brought_to_the_common_one(make_capture):
    folder = make_capture(count=4)
    # 60x30 shows 10 more columns on both sides of the common 40x30, at the same focal length.
    Image.fromarray(np.pad(np.asarray(Image.open(folder / "images/frame_00001.png")), ((0, 0), (10, 10), (0, 0)))).save(
        folder / "images/frame_00001.png"
    )
    text = json.loads((folder / "transforms.json").read_text())
    text["frames"][1] |= {"w": 60, "h": 30, "cx": 29.0}
    (folder / "transforms.json").write_text(json.dumps(text))
    with pytest.warns(UserWarning, match="1 of 4 images .* are not 40x30"):
        capture = NerfstudioCapture(folder)
    assert intrinsics(capture, 1) == pytest.approx([50, 50, 19, 15])
    shown = capture.load([1]).images[0]
    from_file = pixels(folder, "images/frame_00001.png")[:, :, 10:50]
    assert (shown - from_file).abs().max() < 0.01


# --- times


def test_times_are_mapped_to_the_unit_interval(make_capture):
    folder = make_capture(frames={0: {"time": 7}, 1: {"time": 3.0}, 2: {"time": 4.0}})
    capture = NerfstudioCapture(folder)
    assert capture.times is not None
    assert capture.times.tolist() == [1.0, 0.0, 0.25]
    loaded = capture.load([2, 0]).times
    assert loaded is not None
    assert loaded.tolist() == [0.25, 1.0]


def test_equal_times_are_zero(make_capture):
    capture = NerfstudioCapture(make_capture(frames={i: {"time": 5.0} for i in range(3)}))
    assert capture.times is not None
    assert capture.times.tolist() == [0.0, 0.0, 0.0]


def test_times_are_mapped_over_the_frames_that_are_there(make_capture):
    folder = make_capture(frames={0: {"time": 0}, 1: {"time": 1}, 2: {"time": 100, "file_path": "gone.png"}})
    with pytest.warns(UserWarning, match="do not exist"):
        times = NerfstudioCapture(folder).times
    assert times is not None
    assert times.tolist() == [0.0, 1.0]


# --- missing frames and broken files


def test_missing_images_are_reported_once_and_left_out(make_capture):
    gone = {i: {"file_path": f"images/gone_{i}.png"} for i in (1, 2, 4, 5)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        capture = NerfstudioCapture(make_capture(count=6, frames=gone))
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "4 of 6 images" in message
    assert "gone_1.png, images/gone_2.png, images/gone_4.png, ..." in message
    assert capture.file_names == ["images/frame_00000.png", "images/frame_00003.png"]
    assert capture.c2w.shape == (2, 4, 4)


def test_no_image_at_all_is_an_error(make_capture):
    folder = make_capture(frames={i: {"file_path": f"gone_{i}.png"} for i in range(3)})
    with pytest.raises(FileNotFoundError, match=r"3 of 3 images .* do not exist .*gone_0.png"):
        NerfstudioCapture(folder)


def test_a_folder_without_transforms_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"transforms\.json does not exist.*ns-process-data"):
        NerfstudioCapture(tmp_path)


def test_a_file_that_is_no_image_is_named(make_capture):
    folder = make_capture()
    (folder / "images/frame_00001.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"cannot read the image .*frame_00001\.png"):
        NerfstudioCapture(folder)


def test_a_truncated_image_is_named_when_loaded(make_capture):
    folder = make_capture()
    path = folder / "images/frame_00001.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    capture = NerfstudioCapture(folder)
    assert capture.load([0, 2]).num_views == 2
    with pytest.raises(ValueError, match=r"cannot read the image .*frame_00001\.png"):
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
    assert "frame_00001.png" in str(caught.value)


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
        ({"w": 30, "h": 40}, "recorded as 30x40, but its image is 40x30"),
        ({"camera_model": "EQUIRECTANGULAR"}, "'EQUIRECTANGULAR', known are PINHOLE"),
        ({"k4": 0.1}, "k4 = 0.1"),
        ({"distortion_params": [1, 2]}, "six numbers"),
        ({"train_filenames": "a"}, "must be a list of file paths"),
        ({"test_filenames": ["other.png"]}, "'test_filenames' .* names no frame of it: other.png"),
    ],
)
def test_senseless_fields_are_named(make_capture, fields, message):
    folder = make_capture(shared=fields)
    with pytest.raises(ValueError, match=message):
        NerfstudioCapture(folder)


def test_times_must_be_given_to_all_frames_or_none(make_capture):
    with pytest.raises(ValueError, match=r"frame_00001\.png' .* has no 'time'"):
        NerfstudioCapture(make_capture(frames={0: {"time": 0.0}, 2: {"time": 1.0}}))


# --- transparency and orientation


def test_transparent_pixels_show_the_background(make_capture):
    folder = make_capture(count=1)
    rgba = np.zeros((30, 40, 4), dtype=np.uint8)
    rgba[..., 0], rgba[:, 20:, 3], rgba[:, 30:, 3] = 255, 51, 255
    Image.fromarray(rgba).save(folder / "images/frame_00000.png")
    image = NerfstudioCapture(folder).load([0]).images[0]
    assert image[:, 0, 0].tolist() == [0.5, 0.5, 0.5]
    torch.testing.assert_close(image[:, 0, 25], torch.tensor([0.2 + 0.4, 0.4, 0.4]))
    assert image[:, 0, 35].tolist() == [1, 0, 0]
    blue = NerfstudioCapture(folder, background=(0, 0, 1)).load([0]).images[0]
    assert blue[:, 0, 0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "I;16"])
def test_other_pixel_formats_become_rgb(make_capture, mode):
    folder = make_capture(count=1)
    grey = np.tile(np.arange(40, dtype=np.uint8) * 6, (30, 1))
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
        assert picture.mode == mode
    else:
        picture = Image.fromarray(grey).convert(mode)
    picture.save(folder / "images/frame_00000.png")
    image = NerfstudioCapture(folder).load([0]).images[0]
    torch.testing.assert_close(image, (torch.from_numpy(grey) / 255).expand(3, 30, 40))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_stored_pixels_are_not_turned_where_the_file_records_their_size(make_capture, orientation):
    folder = make_capture(count=1)
    picture = Image.open(folder / "images/frame_00000.png")
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(folder / "images/frame_00000.png", exif=exif)
    assert torch.equal(NerfstudioCapture(folder).load([0]).images[0], pixels(folder))


def test_a_photo_recorded_upright_is_turned_once(make_capture):
    # Stored as 30x40 with "turn by 90 degrees clockwise"; poses and intrinsics were made from the turned 40x30.
    folder = make_capture(count=1)
    upright = Image.open(folder / "images/frame_00000.png")
    expected = pixels(folder)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "images/frame_00000.png", exif=exif)
    capture = NerfstudioCapture(folder)
    assert capture.image_size == (30, 40)
    assert torch.equal(capture.load([0]).images[0], expected)
    assert intrinsics(capture) == [50, 50, 20, 15]


# --- splits


def test_default_split_is_nerfstudios(make_capture):
    split = NerfstudioCapture(make_capture(count=20)).split()
    assert split.train == np.linspace(0, 19, 18, dtype=int).tolist()
    assert sorted(split.train + split.test) == list(range(20))
    assert len(split.test) == 2


def test_split_counts_frames_by_name_and_gives_indices_of_the_scene(make_capture):
    folder = make_capture(count=4)
    text = json.loads((folder / "transforms.json").read_text())
    text["frames"].reverse()
    (folder / "transforms.json").write_text(json.dumps(text))
    capture = NerfstudioCapture(folder)
    split = capture.split(interval=4)
    assert [capture.file_names[index] for index in split.test] == ["images/frame_00000.png"]
    assert split.train == [2, 1, 0]


def names(*indices: int) -> list[str]:
    return [f"images/frame_{index:05d}.png" for index in indices]


@pytest.mark.parametrize(
    ("lists", "train", "test"),
    [
        ({"train_filenames": names(0, 2), "test_filenames": names(3), "val_filenames": names(4)}, [0, 2], [3]),
        ({"train_filenames": names(0, 2), "val_filenames": names(4)}, [0, 2], [4]),
        ({"train_filenames": names(4, 2)}, [2, 4], [0, 1, 3]),
        ({"test_filenames": names(1)}, [0, 2, 3, 4], [1]),
        ({"test_filenames": names(1), "val_filenames": names(2)}, [0, 3, 4], [1]),
        ({"train_filenames": ["./images/frame_00001.png"], "test_filenames": []}, [1], []),
    ],
)
def test_listed_splits_are_honoured(make_capture, lists, train, test):
    split = NerfstudioCapture(make_capture(count=5, shared=lists)).split(interval=2)
    assert (split.train, split.test) == (train, test)


def test_listed_frames_without_image_are_left_out_of_the_split(make_capture):
    lists = {"train_filenames": [*names(0, 2), "images/gone.png"], "test_filenames": names(3)}
    folder = make_capture(count=4, shared=lists, frames={1: {"file_path": "images/gone.png"}})
    with pytest.warns(UserWarning, match="1 of 4 images"):
        split = NerfstudioCapture(folder).split()
    assert (split.train, split.test) == ([0, 1], [2])


def test_a_frame_in_both_lists_is_reported(make_capture):
    lists = {"train_filenames": names(0, 1), "test_filenames": names(1, 2)}
    capture = NerfstudioCapture(make_capture(shared=lists))
    with pytest.warns(UserWarning, match="lists 1 frames both for training and for evaluation"):
        assert capture.split().test == [1, 2]


def test_a_split_without_training_frames_is_an_error(make_capture):
    capture = NerfstudioCapture(make_capture(shared={"test_filenames": names(0, 1, 2)}))
    with pytest.raises(ValueError, match="leaves no frame to learn from"):
        capture.split()


# --- distortion


def test_undistorted_capture_is_what_a_pinhole_camera_sees(make_capture):
    """The picture is a function of the viewing direction, so the true undistorted image is known."""
    folder = make_capture(size=(160, 120), count=1, shared={"fl_x": 120.0, "fl_y": 118.0, "cx": 83.0, "cy": 57.5})
    k1, k2, p1, p2 = -0.12, 0.03, 0.004, -0.003
    text = json.loads((folder / "transforms.json").read_text())
    text |= {"camera_model": "OPENCV", "k1": k1, "k2": k2, "p1": p1, "p2": p2}
    (folder / "transforms.json").write_text(json.dumps(text))

    def picture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 0.5 + 0.4 * np.stack([np.sin(9 * x), np.cos(8 * y), np.sin(6 * (x + y))], axis=-1)

    u, v = np.meshgrid((np.arange(160) + 0.5 - 83.0) / 120.0, (np.arange(120) + 0.5 - 57.5) / 118.0)
    x, y = u.copy(), v.copy()
    for _ in range(60):
        r2 = x * x + y * y
        radial = 1 + k1 * r2 + k2 * r2 * r2
        x = (u - 2 * p1 * x * y - p2 * (r2 + 2 * x * x)) / radial
        y = (v - p1 * (r2 + 2 * y * y) - 2 * p2 * x * y) / radial
    Image.fromarray(np.round(255 * picture(x, y)).astype(np.uint8)).save(folder / "images/frame_00000.png")

    capture = NerfstudioCapture(folder)
    assert capture.image_size == (120, 160)
    fx, fy, cx, cy = intrinsics(capture)
    # Barrel distortion pulls in what lies beyond a pinhole's edge: the view gets wider.
    assert fx < 120
    columns, rows = np.meshgrid((np.arange(160) + 0.5 - cx) / fx, (np.arange(120) + 0.5 - cy) / fy)
    expected = torch.from_numpy(picture(columns, rows)).permute(2, 0, 1)
    error = (capture.load([0]).images[0] - expected).abs()
    # 8 bits and bilinear sampling at 1/32 pixel; half a pixel of shift would give 0.015 on average.
    assert error.mean() < 0.003
    assert error.max() < 0.02


def test_each_frame_may_have_its_own_lens(make_capture):
    capture = NerfstudioCapture(make_capture(frames={1: {"k1": -0.1}, 2: {"distortion_params": [-0.1, 0, 0, 0, 0, 0]}}))
    assert intrinsics(capture, 0) == [50, 50, 20, 15]
    assert intrinsics(capture, 1) == intrinsics(capture, 2)
    assert intrinsics(capture, 1)[0] < 50


def test_fisheye_photos_are_undistorted(make_capture):
    fisheye = {"camera_model": "OPENCV_FISHEYE", "fl_x": 25.0, "fl_y": 25.0}
    capture = NerfstudioCapture(make_capture(shared=fisheye | {"k1": 0.01, "k2": 0.0, "k3": 0.0, "k4": 0.0}))
    assert capture.load([0]).images.shape == (1, 3, 30, 40)
    by_flag = {"camera_model": ..., "is_fisheye": True, "fl_x": 25.0, "fl_y": 25.0, "k1": 0.01}
    other = make_capture(shared=by_flag, folder=capture.file.parent.parent / "flagged")
    assert torch.equal(NerfstudioCapture(other).intrinsics, capture.intrinsics)


# --- real captures


@pytest.mark.parametrize(("scene", "count"), [("banana", 15), ("skull", 31), ("fox", 50)])
def test_real_captures(shared, scene, count):
    folder = shared / "scenes" / scene
    text = json.loads((folder / "transforms.json").read_text())
    capture = NerfstudioCapture(folder)
    assert len(capture) == count
    assert capture.image_size == (text["h"], text["w"])
    raw = torch.tensor([frame["transform_matrix"] for frame in text["frames"]])
    torch.testing.assert_close(capture.c2w[:, :3, 3], raw[:, :3, 3])
    torch.testing.assert_close(capture.c2w[:, :3, 0], raw[:, :3, 0])
    torch.testing.assert_close(capture.c2w[:, :3, 1:3], -raw[:, :3, 1:3])
    views = capture.load([0, count - 1])
    assert 0.05 < float(views.images.mean()) < 0.95
    # These captures look inward: the origin is in front of every camera.
    _, depth = project(torch.zeros(1, 3), capture.c2w, capture.intrinsics)
    assert (depth > 0).all()
