"""Which photos the encoder sees, which supervise, which stay unseen; images and cameras in step."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from made.captures import edit, write_capture
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.data.datamanagers.base_datamanager import VanillaDataManager
from nerfstudio.data.datamanagers.full_images_datamanager import FullImageDatamanagerConfig
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig
from PIL import Image

from tokengs_nerfstudio.datamanager import SceneDataManager, SceneDataManagerConfig
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig
from tokengs_nerfstudio.dataset import undistorted_cameras


def manager(folder: Path, test_mode: str = "val", **options) -> SceneDataManager:
    return SceneDataManagerConfig(data=folder, **options).setup(device="cpu", test_mode=test_mode)


def test_context_is_spread_over_the_train_photos(tmp_path):
    data = manager(write_capture(tmp_path))
    chosen = data.choose_context(3)
    assert len(set(chosen)) == 3
    assert all(0 <= position < len(data.train_dataset) for position in chosen)
    assert len(data.train_dataset) == 8
    assert data.num_held_out == 2


def test_a_network_trained_with_more_views_than_there_are_gets_all(tmp_path):
    assert sorted(manager(write_capture(tmp_path, count=3)).choose_context(6)) == [0, 1, 2]


def test_number_of_context_views_can_be_said(tmp_path):
    assert len(manager(write_capture(tmp_path), num_context=5).choose_context(4)) == 5


@pytest.mark.parametrize("wanted", [0, 9])
def test_a_number_of_context_views_that_cannot_be_is_refused(tmp_path, wanted):
    with pytest.raises(ValueError, match=f"num-context {wanted}.* 8 images"):
        manager(write_capture(tmp_path), num_context=wanted).choose_context(4)


def test_context_indices_count_the_whole_capture_by_name(tmp_path):
    data = manager(write_capture(tmp_path), context_indices=(7, 1, 9))
    names = [data.train_dataset.image_filenames[position].stem for position in data.choose_context(4)]
    assert names == ["frame_007", "frame_001", "frame_009"]


def test_context_indices_that_cannot_be_are_refused(tmp_path):
    folder = write_capture(tmp_path)
    with pytest.raises(ValueError, match=r"image 8 \(frame_008\.png\) is held out.* 1 2 3 4 5 6 7 9"):
        manager(folder, context_indices=(1, 8)).choose_context(4)
    with pytest.raises(ValueError, match=r"no image 10.* 0 to 9"):
        manager(folder, context_indices=(10,)).choose_context(4)
    with pytest.raises(ValueError, match="each of them once"):
        manager(folder, context_indices=(1, 1)).choose_context(4)


def test_views_are_the_photos_at_the_size_asked_for(tmp_path):
    data = manager(write_capture(tmp_path), max_image_size=8)
    height, width = data.supervised_size()
    assert (height, width) == (6, 8)
    views = data.views([2, 0], height, width)
    assert views.images.shape == (2, 3, 6, 8)
    grey = [int(data.train_dataset.image_filenames[i].stem[-3:]) / 255 for i in (2, 0)]
    torch.testing.assert_close(views.images.mean(dim=(1, 2, 3)), torch.tensor(grey), atol=1e-5, rtol=0)
    assert views.intrinsics[0, 0].tolist() == pytest.approx([10.0, 0.0, 4.0])


def test_small_photos_are_not_enlarged(tmp_path):
    assert manager(write_capture(tmp_path)).supervised_size() == (12, 16)


def test_the_commonest_size_is_supervised(tmp_path):
    folder = write_capture(tmp_path)
    edit(folder, lambda meta: [meta.pop(key) for key in ("w", "h", "cx", "cy")])
    Image.new("RGB", (32, 40)).save(folder / "images/frame_001.png")
    assert manager(folder).supervised_size() == (12, 16)


def test_what_nerfstudio_asks_of_a_data_manager(tmp_path):
    data = manager(write_capture(tmp_path))
    assert isinstance(data, VanillaDataManager)
    assert isinstance(data.config, FullImageDatamanagerConfig)
    assert data.get_train_rays_per_batch() == 16 * 12
    assert "cached_train" not in vars(data), "the trainer must not wait for images here"
    camera, batch = data.next_train(0)
    assert camera.shape == (1,)
    assert batch["image"].shape == (12, 16, 3)
    camera, batch = data.next_eval_image(0)
    assert camera.shape == (1,)
    assert [len(camera) for camera, _ in data.fixed_indices_eval_dataloader] == [1, 1]
    camera, batch = data.eval_dataloader.get_camera(image_idx=0)
    assert isinstance(camera, Cameras)
    assert data.get_datapath() == tmp_path
    assert data.train_dataparser_outputs.dataparser_scale > 0
    assert pickle.loads(pickle.dumps(data.config)) == data.config


def test_every_property_is_cheap_for_the_viewer(tmp_path):
    data = manager(write_capture(tmp_path))
    for image in (tmp_path / "images").iterdir():
        image.unlink()
    for name in dir(type(data)):
        if isinstance(getattr(type(data), name), property):
            getattr(data, name)


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

    data = manager(folder, dataparser=TokenGSDataParserConfig(eval_mode="all"))
    image = data.train_dataset[0]["image"][..., 0]
    camera = data.train_dataset.cameras[0]
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
    item = manager(folder).train_dataset.get_data(0, "uint8")
    assert item["image"].dtype == torch.uint8
    assert (item["image"] == 200).all()
    assert item["mask"].dtype == torch.bool
    assert item["mask"].all()


def write_masks(folder: Path, size: tuple[int, int] = (16, 12)) -> None:
    """Every photo's left half is masked."""
    (folder / "masks").mkdir()
    mask = Image.new("L", size, 255)
    mask.paste(0, (0, 0, size[0] // 2, size[1]))
    mask.save(folder / "masks/m.png")
    edit(folder, lambda meta: [frame.update(mask_path="masks/m.png") for frame in meta["frames"]])


def test_masks_come_with_the_views(tmp_path):
    write_masks(write_capture(tmp_path))
    views = manager(tmp_path, max_image_size=8).views([2, 0], 6, 8)
    assert views.masks is not None
    assert views.masks.shape == (2, 1, 6, 8)
    assert (views.masks[..., :4] == 0).all()
    assert (views.masks[..., 5:] == 1).all()
    assert manager(write_capture(tmp_path / "plain")).views([0], 12, 16).masks is None


def test_undistortion_moves_masks_with_their_photos(tmp_path):
    write_masks(write_capture(tmp_path, count=2, k1=-0.1))
    mask = manager(tmp_path).train_dataset.get_data(0, "uint8")["mask"]
    assert not mask[:, :8].any()
    assert mask[:, 9:].all()


def test_masks_that_do_not_fit_are_named_and_a_finished_run_needs_none(tmp_path):
    write_masks(write_capture(tmp_path), size=(8, 6))
    with pytest.raises(ValueError, match=r"m\.png has 8x6 pixels in 1 channels; expected 16x12"):
        manager(tmp_path).train_dataset.get_data(0)
    Image.new("RGB", (16, 12)).save(tmp_path / "masks/m.png")
    with pytest.raises(ValueError, match="in 3 channels"):
        manager(tmp_path).train_dataset.get_data(0)
    (tmp_path / "masks/m.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"m\.png does not exist"):
        manager(tmp_path).train_dataset.get_data(0)
    assert "mask" not in manager(tmp_path, test_mode="test").train_dataset.get_data(0)


def test_perspective_cameras_stay_what_they_are():
    cameras = Cameras(torch.eye(4)[None, :3], 50.0, 51.0, 15.5, 12.0, 31, 24, times=torch.tensor([0.25]))
    straight = undistorted_cameras(cameras)
    for name in ("camera_to_worlds", "fx", "fy", "cx", "cy", "width", "height", "times"):
        torch.testing.assert_close(getattr(straight, name), getattr(cameras, name))


def test_panoramas_are_refused():
    cameras = Cameras(torch.eye(4)[None, :3], 50.0, 50.0, 15.0, 12.0, 30, 24, camera_type=CameraType.EQUIRECTANGULAR)
    with pytest.raises(ValueError, match="EQUIRECTANGULAR"):
        undistorted_cameras(cameras)


def test_finished_runs_need_no_photos_but_evaluation_does(tmp_path):
    folder = write_capture(tmp_path)
    for image in (folder / "images").iterdir():
        image.unlink()
    data = manager(folder, test_mode="inference")
    assert data.train_dataset[0]["image"].shape == (12, 16, 3)
    with pytest.raises(FileNotFoundError, match=r"frame_000\.png"):
        data.fixed_indices_eval_dataloader[0]
    with pytest.raises(FileNotFoundError, match="frame_"):
        manager(folder, test_mode="val").views([0], 12, 16)


def test_images_that_do_not_fit_their_camera_are_named(tmp_path):
    folder = write_capture(tmp_path, size=(20, 12))
    parser = NerfstudioDataParserConfig(data=folder, downscale_factor=1)
    with pytest.raises(ValueError, match="20x12 pixels, but its camera is for 16x12"):
        manager(folder, dataparser=parser).views([0], 12, 16)


def test_photos_turned_by_exif_are_turned_where_their_camera_is(tmp_path):
    folder = write_capture(tmp_path, count=2)
    photo = Image.new("RGB", (12, 16))
    photo.putpixel((0, 0), (255, 255, 255))
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(folder / "images/frame_000.png", exif=exif)
    image = manager(folder).train_dataset[0]["image"]
    assert image.shape == (12, 16, 3)
    assert image[0, 15].tolist() == [1, 1, 1]


def test_other_dataparsers_serve_as_well(tmp_path):
    data = manager(write_capture(tmp_path), dataparser=NerfstudioDataParserConfig())
    assert data.num_held_out == 1
    assert data.views(data.choose_context(3), *data.supervised_size()).num_views == 3
