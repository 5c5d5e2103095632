"""Photos of lenses that bend lines, read as a pinhole camera would have taken them."""

import json

import numpy as np
import torch
from made.captures import intrinsics
from PIL import Image

from tokengs_nerfstudio.data import NerfstudioCapture


def test_masks_of_distorted_photos_are_undistorted(make_capture):
    folder = make_capture(
        shared={"k1": -0.3, "camera_model": "OPENCV"}, frames={i: {"mask_path": "m.png"} for i in range(3)}
    )
    mask = np.full((30, 40), 255, np.uint8)
    mask[8:20, :15] = 0
    Image.fromarray(mask).save(folder / "m.png")
    Image.fromarray(mask).save(folder / "images/frame_000.png")
    views = NerfstudioCapture(folder).load([0])
    valid = views.masks.expand_as(views.images) > 0
    assert (views.images[valid] > 0.998).all()
    assert (views.images[~valid] < 0.999).all()


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
    Image.fromarray(np.round(255 * picture(x, y)).astype(np.uint8)).save(folder / "images/frame_000.png")

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
    own = {1: {"k1": -0.1}, 2: {"distortion_params": [-0.1, 0, 0, 0, 0, 0]}}
    capture = NerfstudioCapture(make_capture(shared={"camera_model": "OPENCV"}, frames=own))
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
