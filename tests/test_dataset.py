"""Photos and cameras in step, without lens distortion, and the same whether nerfstudio or Python reads them."""

import dataclasses
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from made.captures import edit, mask_left_half, wavy_picture, write_capture
from nerfstudio.cameras.cameras import Cameras, CameraType
from PIL import Image

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.data import NerfstudioCapture, SplitRule
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig
from tokengs_nerfstudio.dataset import SceneDataset, undistorted_cameras


def dataset(folder: Path, split: str = "train", images_needed: bool = True, **options) -> SceneDataset:
    outputs = TokenGSDataParserConfig(data=folder, **options).setup().get_dataparser_outputs(split)
    return SceneDataset(outputs, images_needed=images_needed)


# --- one reader


def plain(folder: Path) -> None:
    write_capture(folder, picture=wavy_picture)


def webp_without_suffix(folder: Path) -> None:
    plain(folder)
    for photo in (folder / "images").iterdir():
        Image.open(photo).save(photo.with_suffix(".webp"), lossless=True)
        photo.unlink()
    edit(folder, lambda meta: [f.update(file_path=f["file_path"].removesuffix(".png")) for f in meta["frames"]])


def instant_ngp(folder: Path) -> None:
    no = dict.fromkeys(("fl_x", "fl_y", "cx", "cy", "w", "h"), ...)
    write_capture(folder, picture=wavy_picture, **(no | {"camera_angle_x": 0.9}))
    edit(folder, lambda meta: [f.update(file_path="./" + f["file_path"].removesuffix(".png")) for f in meta["frames"]])


def backslashes(folder: Path) -> None:
    write_capture(folder, picture=wavy_picture, test_filenames=["images/frame_001.png", ".\\images\\frame_004.png"])
    edit(folder, lambda meta: [f.update(file_path=f["file_path"].replace("/", "\\")) for f in meta["frames"]])


def only_val(folder: Path) -> None:
    write_capture(folder, picture=wavy_picture, val_filenames=["images/frame_002.png", "images/frame_005.png"])


def empty_test_list(folder: Path) -> None:
    only_val(folder)
    edit(folder, lambda meta: meta.update(train_filenames=[], test_filenames=[]))


def only_train(folder: Path) -> None:
    write_capture(folder, picture=wavy_picture, train_filenames=["images/frame_002.png", "images/frame_005.png"])


def listed_both_ways(folder: Path) -> None:
    only_train(folder)
    edit(
        folder,
        lambda meta: meta.update(test_filenames=["images/frame_005.png"], val_filenames=["images/frame_003.png"]),
    )


def own_lenses(folder: Path) -> None:
    own = {1: {"fl_x": 30.0, "cx": 7.0}, 2: {"k1": -0.1, "p2": 0.01}, 3: {"w": 32, "h": 24}}
    write_capture(folder, picture=wavy_picture, frames=own, k1=0.05, camera_model="OPENCV")


def fisheye(folder: Path) -> None:
    write_capture(folder, picture=wavy_picture, k1=0.1, k4=0.01, camera_model="OPENCV_FISHEYE")


def moving_backwards(folder: Path) -> None:
    plain(folder)
    edit(folder, lambda meta: [f.update(time=7.0 - i * i) for i, f in enumerate(meta["frames"])])
    edit(folder, lambda meta: meta["frames"].reverse())


def masked_and_distorted(folder: Path) -> None:
    write_capture(folder, picture=wavy_picture, k1=-0.1)
    mask_left_half(folder)


def some_gone(folder: Path) -> None:
    plain(folder)
    edit(folder, lambda meta: [f.update(time=float(i)) for i, f in enumerate(meta["frames"])])
    for number in (0, 3):
        (folder / f"images/frame_{number:03d}.png").unlink()


def turned_by_exif(folder: Path) -> None:
    plain(folder)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = folder / "images/frame_001.png"
    Image.open(photo).transpose(Image.Transpose.ROTATE_90).save(photo, exif=exif)


def reduced(folder: Path) -> None:
    masked_and_distorted(folder)
    for kind in ("images", "masks"):
        (folder / f"{kind}_2").mkdir()
        for file in (folder / kind).iterdir():
            Image.open(file).resize((8, 6)).save(folder / f"{kind}_2" / file.name)


def reduced_of_unknown_size(folder: Path) -> None:
    reduced(folder)
    edit(folder, lambda meta: [meta.pop(key) for key in ("w", "h")])


CAPTURES = (
    plain, webp_without_suffix, instant_ngp, backslashes, only_val, empty_test_list, only_train, listed_both_ways,
    own_lenses, fisheye, moving_backwards, masked_and_distorted, some_gone, turned_by_exif, reduced,
    reduced_of_unknown_size,
)  # fmt: skip


@pytest.mark.parametrize("write", CAPTURES, ids=lambda write: write.__name__)
def test_nerfstudio_and_python_read_the_same(tmp_path, write):
    write(tmp_path)
    factor = 2 if "reduced" in write.__name__ else 1
    capture = NerfstudioCapture(tmp_path, downscale_factor=factor)
    split = capture.split()
    assert split.test
    assert not set(split.train) & set(split.test)
    for part, indices in (("train", split.train), ("val", split.test), ("test", split.test)):
        photos, views = dataset(tmp_path, part, downscale_factor=factor), capture.load(indices)
        assert photos.image_filenames == [capture.image_paths[index] for index in indices]
        torch.testing.assert_close(bridge.camera_matrices(photos.cameras)[1], views.intrinsics, atol=1e-4, rtol=1e-5)
        assert (photos.cameras.times is None) == (views.times is None)
        if photos.cameras.times is not None and views.times is not None:
            torch.testing.assert_close(photos.cameras.times.flatten(), views.times)
        items = [photos[place] for place in range(len(indices))]
        images = torch.stack([item["image"] for item in items]).movedim(-1, 1)
        torch.testing.assert_close(images, views.images, atol=1e-5, rtol=0)
        assert ("mask" in items[0]) == (views.masks is not None)
        if views.masks is not None:
            assert torch.equal(torch.stack([item["mask"] for item in items]).movedim(-1, 1).float(), views.masks)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"eval_mode": "interval", "eval_interval": 3}, SplitRule(interval=3)),
        ({"eval_mode": "fraction", "train_split_fraction": 0.5}, SplitRule("fraction", fraction=0.5)),
        ({"eval_mode": "filename"}, SplitRule("filename")),
    ],
)
def test_rules_of_the_split_mean_the_same(tmp_path, options, rule):
    names = {i: f"images/{'eval' if i in (2, 3) else 'train'}_{i}.png" for i in range(10)}
    plain(tmp_path)
    for index, name in names.items():
        (tmp_path / f"images/frame_{index:03d}.png").rename(tmp_path / name)
    edit(tmp_path, lambda meta: [f.update(file_path=names[i]) for i, f in enumerate(meta["frames"])])
    capture = NerfstudioCapture(tmp_path)
    split = capture.split(rule)
    assert split.test
    for part, indices in (("train", split.train), ("test", split.test)):
        assert dataset(tmp_path, part, **options).image_filenames == [capture.image_paths[index] for index in indices]


# --- photos and cameras in step


@pytest.mark.parametrize("kind", ["OPENCV", "OPENCV_FISHEYE"])
def test_undistorted_images_fit_the_cameras(tmp_path, kind):
    """A point seen through the lens lands where the undistorted camera says, within a third of a pixel."""
    size, k1 = (120, 90), -0.12
    folder = write_capture(tmp_path, count=2, size=size, camera_model=kind, k1=k1, w=120, h=90)
    edit(folder, lambda meta: meta.update(fl_x=90.0, fl_y=90.0, cx=58.0, cy=47.0))
    point = np.array([[[0.25, -0.15, 1.0]]])
    matrix = np.array([[90.0, 0, 57.5], [0, 90.0, 46.5], [0, 0, 1]])
    zero = np.zeros(3)
    if kind == "OPENCV":
        seen = cv2.projectPoints(point, zero, zero, matrix, np.array([k1, 0, 0, 0]))[0].reshape(2)
    else:
        seen = cv2.fisheye.projectPoints(point, zero, zero, matrix, np.array([k1, 0, 0, 0]))[0].reshape(2)
    photo = np.zeros((90, 120, 3), np.uint8)
    column, row = np.meshgrid(np.arange(120), np.arange(90))
    photo[...] = (255 * np.exp(-((column - seen[0]) ** 2 + (row - seen[1]) ** 2) / 8))[..., None]
    Image.fromarray(photo).save(folder / "images/frame_000.png")

    photos = dataset(folder, eval_mode="all")
    image = photos[0]["image"][..., 0]
    camera = photos.cameras[0]
    assert int(camera.camera_type) == CameraType.PERSPECTIVE.value
    rows, columns = torch.meshgrid(torch.arange(90) + 0.5, torch.arange(120) + 0.5, indexing="ij")
    found = torch.stack([(columns * image).sum(), (rows * image).sum()]) / image.sum()
    expected = torch.tensor([float(camera.fx * 0.25 + camera.cx), float(camera.fy * -0.15 + camera.cy)])
    torch.testing.assert_close(found, expected, atol=0.34, rtol=0)


def test_undistortion_keeps_transparency_and_masks(tmp_path):
    folder = write_capture(tmp_path, count=2, k1=-0.1)
    pixels = np.full((12, 16, 4), 200, np.uint8)
    Image.fromarray(pixels, "RGBA").save(folder / "images/frame_000.png")
    (folder / "masks").mkdir()
    Image.new("L", (16, 12), 255).save(folder / "masks/m.png")
    edit(folder, lambda meta: [frame.update(mask_path="masks/m.png") for frame in meta["frames"]])
    item = dataset(folder).get_data(0, "uint8")
    assert item["image"].dtype == torch.uint8
    assert (item["image"] == 200).all()
    assert item["mask"].dtype == torch.bool
    assert item["mask"].all()


def test_undistortion_moves_masks_with_their_photos(tmp_path):
    mask_left_half(write_capture(tmp_path, count=2, k1=-0.1))
    mask = dataset(tmp_path).get_data(0, "uint8")["mask"]
    assert not mask[:, :8].any()
    assert mask[:, 9:].all()


def test_masks_that_do_not_fit_are_named_and_a_finished_run_needs_none(tmp_path):
    mask_left_half(write_capture(tmp_path), size=(8, 6))
    with pytest.raises(ValueError, match=r"m\.png has 8x6 pixels in 1 channels; expected 16x12"):
        dataset(tmp_path).get_data(0)
    Image.new("RGB", (16, 12)).save(tmp_path / "masks/m.png")
    with pytest.raises(ValueError, match="in 3 channels"):
        dataset(tmp_path).get_data(0)
    (tmp_path / "masks/m.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"m\.png does not exist"):
        dataset(tmp_path).get_data(0)
    assert "mask" not in dataset(tmp_path, images_needed=False).get_data(0)


def test_perspective_cameras_stay_what_they_are():
    cameras = Cameras(torch.eye(4)[None, :3], 50.0, 51.0, 15.5, 12.0, 31, 24, times=torch.tensor([0.25]))
    straight = undistorted_cameras(cameras)
    for name in ("camera_to_worlds", "fx", "fy", "cx", "cy", "width", "height", "times"):
        torch.testing.assert_close(getattr(straight, name), getattr(cameras, name))


def test_panoramas_are_refused():
    cameras = Cameras(torch.eye(4)[None, :3], 50.0, 50.0, 15.0, 12.0, 30, 24, camera_type=CameraType.EQUIRECTANGULAR)
    with pytest.raises(ValueError, match="EQUIRECTANGULAR"):
        undistorted_cameras(cameras)


def test_photos_turned_by_exif_are_turned_where_their_camera_is(tmp_path):
    folder = write_capture(tmp_path, count=2)
    photo = Image.new("RGB", (12, 16))
    photo.putpixel((0, 0), (255, 255, 255))
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(folder / "images/frame_000.png", exif=exif)
    image = dataset(folder)[0]["image"]
    assert image.shape == (12, 16, 3)
    assert image[0, 15].tolist() == [1, 1, 1]


# --- what ns-render names its pictures by, and how large they are


def test_the_only_photo_of_a_split_keeps_its_name(tmp_path):
    """`ns-render dataset` takes names relative to the photos' common path."""
    photos = dataset(write_capture(tmp_path, test_filenames=["images/frame_003.png"]), "test").image_filenames
    assert len(photos) == 1
    assert photos[0].relative_to(os.path.commonpath(photos)) == Path("frame_003.png")
    assert photos[0].relative_to(tmp_path).as_posix() == "images/frame_003.png"
    assert photos[0].is_file()


def test_a_single_camera_may_come_without_its_axis(tmp_path):
    """As nerfstudio's instant-ngp-data hands it over."""
    outputs = TokenGSDataParserConfig(data=write_capture(tmp_path, count=1)).setup().get_dataparser_outputs("train")
    flat = dataclasses.replace(outputs, cameras=outputs.cameras[0])
    assert flat.cameras.ndim == 0
    one = SceneDataset(flat)
    assert len(one.cameras) == 1
    assert one.get_data(0)["image"].shape[-1] == 3
