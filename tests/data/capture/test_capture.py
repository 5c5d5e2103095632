import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made.captures import intrinsics
from PIL import Image

from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.data import NerfstudioCapture, write_nerfstudio_capture


def pixels(folder: Path, name: str = "images/frame_000.png") -> torch.Tensor:
    return torch.from_numpy(np.asarray(Image.open(folder / name)).copy()).permute(2, 0, 1) / 255


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
    assert torch.equal(views.images[0], pixels(folder, "images/frame_002.png"))
    assert torch.equal(views.c2w, capture.c2w[[2, 0]])
    assert views.times is None


def test_poses_come_with_opencv_axes(make_capture):
    capture = NerfstudioCapture(make_capture())
    pixel, depth = project(torch.zeros(1, 3), capture.c2w, capture.intrinsics)
    # Every camera looks at the origin from the same distance, with z pointing up in the image.
    torch.testing.assert_close(depth, torch.full_like(depth, math.sqrt(10)))
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
    folder = make_capture(shared=missing | angles, frames={0: {"file_path": "./images/frame_000"}})
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
        ({"fl_x": 36.0, "camera_angle_x": 1.0, "camera_angle_y": math.pi / 2}, 36, 15),
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
    # Written for 83x60 while the files are 40x30: factors 0.482 and 0.5, for sizes are rounded.
    capture = NerfstudioCapture(make_capture(shared={"w": 83, "h": 60, "fl_y": 60.0, "cx": 41.5, "cy": 32.0}))
    assert intrinsics(capture) == pytest.approx([50 * 40 / 83, 30, 20, 16])


@pytest.mark.parametrize("size", [{"w": 80, "h": ...}, {"w": ..., "h": 60}])
def test_one_side_alone_is_enough(make_capture, size):
    capture = NerfstudioCapture(make_capture(shared=size | {"fl_y": 60.0, "cx": 41.0, "cy": 32.0}))
    assert intrinsics(capture) == pytest.approx([25, 30, 20.5, 16])


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


def test_max_size_reduces_images_and_intrinsics_together(make_capture):
    folder = make_capture(size=(40, 30), shared={"cx": 18.0, "cy": 15.5})
    capture = NerfstudioCapture(folder, max_size=20)
    assert capture.image_size == (15, 20)
    assert intrinsics(capture) == pytest.approx([25, 25, 9, 7.75])
    blocks = pixels(folder).reshape(3, 15, 2, 20, 2).mean(dim=(2, 4))
    assert (capture.load([0]).images[0] - blocks).abs().max() < 0.02


def test_photos_of_another_size_are_brought_to_the_common_one(make_capture, caplog):
    folder = make_capture(count=4)
    # 60x30 shows 10 more columns on both sides of the common 40x30, at the same focal length.
    Image.fromarray(np.pad(np.asarray(Image.open(folder / "images/frame_001.png")), ((0, 0), (10, 10), (0, 0)))).save(
        folder / "images/frame_001.png"
    )
    text = json.loads((folder / "transforms.json").read_text())
    text["frames"][1] |= {"w": 60, "h": 30, "cx": 29.0}
    (folder / "transforms.json").write_text(json.dumps(text))
    capture = NerfstudioCapture(folder)
    assert re.search("1 of 4 images .* are not 40x30", caplog.text)
    assert intrinsics(capture, 1) == pytest.approx([50, 50, 19, 15])
    shown = capture.load([1]).images[0]
    from_file = pixels(folder, "images/frame_001.png")[:, :, 10:50]
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
    times = NerfstudioCapture(folder).times
    assert times is not None
    assert times.tolist() == [0.0, 1.0]


# --- transparency and orientation


def test_transparent_pixels_show_the_background(make_capture):
    folder = make_capture(count=1)
    rgba = np.zeros((30, 40, 4), dtype=np.uint8)
    rgba[..., 0], rgba[:, 20:, 3], rgba[:, 30:, 3] = 255, 51, 255
    Image.fromarray(rgba).save(folder / "images/frame_000.png")
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
    picture.save(folder / "images/frame_000.png")
    image = NerfstudioCapture(folder).load([0]).images[0]
    torch.testing.assert_close(image, (torch.from_numpy(grey) / 255).expand(3, 30, 40))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_stored_pixels_are_not_turned_where_the_file_records_their_size(make_capture, orientation):
    folder = make_capture(count=1)
    picture = Image.open(folder / "images/frame_000.png")
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(folder / "images/frame_000.png", exif=exif)
    assert torch.equal(NerfstudioCapture(folder).load([0]).images[0], pixels(folder))


def test_a_photo_recorded_upright_is_turned_once(make_capture):
    # Stored as 30x40 with "turn by 90 degrees clockwise"; poses and intrinsics were made from the turned 40x30.
    folder = make_capture(count=1)
    upright = Image.open(folder / "images/frame_000.png")
    expected = pixels(folder)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "images/frame_000.png", exif=exif)
    capture = NerfstudioCapture(folder)
    assert capture.image_size == (30, 40)
    assert torch.equal(capture.load([0]).images[0], expected)
    assert intrinsics(capture) == [50, 50, 20, 15]


# --- distortion


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


def test_a_mask_of_the_file_is_one_of_every_photo(make_capture):
    """As of a rig whose own parts are in all photos; a frame's own goes before it."""
    folder = make_capture(shared={"mask_path": "masks/all.png"}, frames={1: {"mask_path": "masks/own.png"}})
    (folder / "masks").mkdir()
    mask = np.full((30, 40), 255, np.uint8)
    mask[:, :20] = 0
    Image.fromarray(mask).save(folder / "masks/all.png")
    Image.fromarray(255 - mask).save(folder / "masks/own.png")
    masks = NerfstudioCapture(folder).load([0, 1, 2]).masks
    assert masks is not None
    expected = torch.from_numpy(mask / 255).float()
    assert torch.equal(masks[:, 0], torch.stack([expected, 1 - expected, expected]))
