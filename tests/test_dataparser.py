"""Captures as they are on people's disks, through `tokengs-data`."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made.captures import edit, write_blobs, write_capture, write_weights
from made.parsed import names, outputs
from nerfstudio.cameras.cameras import CameraType
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig
from PIL import Image

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig, tokengs_data

QUICK = os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "1"}


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_sound_captures_are_read_as_nerfstudio_reads_them(tmp_path, split):
    folder = write_capture(tmp_path, k1=0.05, p2=0.001, camera_model="OPENCV")
    options = {"eval_mode": "interval", "eval_interval": 4}
    ours = outputs(folder, split, **options)
    theirs = NerfstudioDataParserConfig(data=folder, **options).setup().get_dataparser_outputs(split)
    assert ours.image_filenames == theirs.image_filenames
    for name in ("camera_to_worlds", "fx", "fy", "cx", "cy", "width", "height", "distortion_params", "camera_type"):
        torch.testing.assert_close(getattr(ours.cameras, name), getattr(theirs.cameras, name), atol=1e-6, rtol=0)
    assert ours.dataparser_scale == pytest.approx(theirs.dataparser_scale)
    torch.testing.assert_close(ours.dataparser_transform, theirs.dataparser_transform, atol=1e-6, rtol=0)


def test_frames_without_image_are_left_out_and_reported_once(tmp_path, caplog):
    folder = write_capture(tmp_path)
    (folder / "images/frame_003.png").unlink()
    parser = TokenGSDataParserConfig(data=folder, eval_mode="all").setup()
    assert "003" not in names(parser.get_dataparser_outputs("train"))
    assert len(parser.get_dataparser_outputs("val").image_filenames) == 9
    assert len(caplog.messages) == 1
    assert "1 of 10 images" in caplog.text
    assert "images/frame_003.png" in caplog.text


def test_cameras_alone_are_enough_where_no_image_is_left(tmp_path):
    folder = write_capture(tmp_path)
    for image in (folder / "images").iterdir():
        image.unlink()
    parsed = outputs(folder, "test")
    assert names(parsed) == ["000", "008"]
    assert parsed.cameras.width.flatten().tolist() == [16, 16]


def test_no_images_and_no_size_is_an_error(tmp_path):
    folder = write_capture(tmp_path)
    edit(folder, lambda meta: (meta.pop("w"), meta.pop("h")))
    for image in (folder / "images").iterdir():
        image.unlink()
    with pytest.raises(FileNotFoundError, match=r"10 of 10 images .* do not exist"):
        outputs(folder)


def test_a_capture_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        outputs(tmp_path / "nowhere")


def test_times_are_read_and_brought_to_the_unit_interval(tmp_path):
    folder = write_capture(tmp_path)
    edit(folder, lambda meta: [frame.update(time=10.0 + i) for i, frame in enumerate(meta["frames"])])
    parser = TokenGSDataParserConfig(data=folder, eval_mode="interval", eval_interval=3).setup()
    assert parser.includes_time
    times = parser.get_dataparser_outputs("val").cameras.times
    assert times is not None
    assert times.flatten().tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_captures_without_times_have_none(tmp_path):
    parser = TokenGSDataParserConfig(data=write_capture(tmp_path)).setup()
    assert not parser.includes_time
    assert parser.get_dataparser_outputs("train").cameras.times is None
    assert not TokenGSDataParserConfig(data=tmp_path / "nowhere").setup().includes_time


def test_instant_ngp_form(tmp_path):
    """Field of view instead of focal lengths, no size, no suffixes, a path that begins with ./ ."""
    folder = write_capture(tmp_path)

    def change(meta):
        for key in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
            meta.pop(key)
        meta["camera_angle_x"] = 2 * np.arctan(0.5)
        for frame in meta["frames"]:
            frame["file_path"] = "./" + frame["file_path"].removesuffix(".png")

    edit(folder, change)
    cameras = outputs(folder).cameras
    assert cameras.fx.flatten().tolist() == pytest.approx([16.0] * len(cameras))
    assert cameras.fy.flatten().tolist() == pytest.approx([16.0] * len(cameras))
    assert (float(cameras.cx[0]), float(cameras.cy[0])) == (8.0, 6.0)


def test_intrinsics_follow_images_of_another_size(tmp_path):
    folder = write_capture(tmp_path, size=(8, 6))
    cameras = outputs(folder).cameras
    assert (float(cameras.fx[0]), float(cameras.fy[0]), float(cameras.cx[0])) == (10.0, 10.5, 4.0)
    assert (int(cameras.width[0]), int(cameras.height[0])) == (8, 6)


def test_reduced_images_are_read_where_asked_for(tmp_path):
    folder = write_capture(tmp_path)
    (folder / "images_2").mkdir()
    for image in (folder / "images").iterdir():
        Image.new("RGB", (8, 6)).save(folder / "images_2" / image.name)
    parsed = outputs(folder, downscale_factor=2)
    assert parsed.image_filenames[0].parent.name == "images_2"
    assert float(parsed.cameras.fx[0]) == 10.0
    # `ns-render dataset` asks for 2.0.
    assert outputs(folder, downscale_factor=2.0).image_filenames == parsed.image_filenames
    edit(folder, lambda meta: (meta.pop("w"), meta.pop("h")))
    cameras = outputs(folder, downscale_factor=2).cameras
    assert (float(cameras.fx[0]), float(cameras.cx[0]), int(cameras.width[0])) == (10.0, 4.0, 8)


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_senseless_factors_are_refused(tmp_path, factor):
    with pytest.raises(UserError, match="downscale-factor"):
        outputs(write_capture(tmp_path), downscale_factor=factor)


@pytest.mark.parametrize("factor", [2, 2.0, 4.0])
def test_a_factor_without_a_folder_is_left_to_whoever_reads(tmp_path, factor):
    parser = TokenGSDataParserConfig(data=write_capture(tmp_path), downscale_factor=factor).setup()
    parsed = parser.get_dataparser_outputs("train")
    assert parsed.image_filenames[0].parent.name == "images"
    assert parser.reduction == factor


def test_photos_too_long_are_read_reduced_where_they_are_there(tmp_path, caplog):
    folder = write_capture(tmp_path, count=2, size=(3400, 8), w=3400, h=8, fl_x=3000.0, fl_y=3000.0, cx=1700.0, cy=4.0)
    (folder / "images_2").mkdir()
    for image in (folder / "images").iterdir():
        Image.new("RGB", (1700, 4)).save(folder / "images_2" / image.name)
    with caplog.at_level("INFO", logger="tokengs_nerfstudio"):
        parsed = outputs(folder)
    assert parsed.image_filenames[0].parent.name == "images_2"
    assert len(caplog.messages) == 1
    assert "Reading images_2" in caplog.text
    assert outputs(folder, downscale_factor=1).image_filenames[0].parent.name == "images"


def test_own_intrinsics_of_frames_go_before_shared_ones(tmp_path):
    folder = write_capture(tmp_path, count=3)
    edit(folder, lambda meta: meta["frames"][1].update(fl_x=40.0))
    assert outputs(folder, eval_mode="all").cameras.fx.flatten().tolist() == [20.0, 40.0, 20.0]


def test_fisheye_captures_keep_their_kind(tmp_path):
    folder = write_capture(tmp_path, camera_model="OPENCV_FISHEYE", k1=0.1, k4=0.01)
    cameras = outputs(folder).cameras
    assert int(cameras.camera_type[0]) == CameraType.FISHEYE.value
    assert cameras.distortion_params is not None
    assert cameras.distortion_params[0].tolist() == pytest.approx([0.1, 0, 0, 0.01, 0, 0])


def test_splits_that_the_capture_names_are_kept(tmp_path):
    folder = write_capture(tmp_path)
    edit(folder, lambda meta: meta.update(train_filenames=["images/frame_001.png", "images/frame_004.png"]))
    assert names(outputs(folder, "train")) == ["001", "004"]
    assert names(outputs(folder, "val")) == ["000", "002", "003", "005", "006", "007", "008", "009"]
    edit(folder, lambda meta: meta.update(test_filenames=["images/frame_002.png"]))
    assert names(outputs(folder, "val")) == names(outputs(folder, "test")) == ["002"]


def test_only_the_test_images_named(tmp_path):
    folder = write_capture(tmp_path, count=4)
    edit(folder, lambda meta: meta.update(test_filenames=["images/frame_002.png"]))
    assert names(outputs(folder, "train")) == ["000", "001", "003"]


def test_few_images_are_all_used(tmp_path):
    folder = write_capture(tmp_path, count=5)
    assert names(outputs(folder, "train")) == names(outputs(folder, "test")) == [f"00{i}" for i in range(5)]


def test_one_view_is_a_capture(tmp_path):
    cameras = outputs(write_capture(tmp_path, count=1)).cameras
    assert len(cameras) == 1
    assert cameras.camera_to_worlds.isfinite().all()


def test_holding_everything_out_is_an_error(tmp_path):
    folder = write_capture(tmp_path, count=2)
    edit(folder, lambda meta: meta.update(test_filenames=[frame["file_path"] for frame in meta["frames"]]))
    with pytest.raises(ValueError, match="none is left"):
        outputs(folder)


def test_masks_are_handed_on_where_every_frame_has_one(tmp_path):
    folder = write_capture(tmp_path, count=3)
    (folder / "masks").mkdir()

    def change(meta):
        for index, frame in enumerate(meta["frames"]):
            frame["mask_path"] = f"masks/{index}.png"
            Image.new("L", (16, 12)).save(folder / frame["mask_path"])

    edit(folder, change)
    assert outputs(folder).mask_filenames == [folder / f"masks/{i}.png" for i in range(3)]


def test_masks_of_reduced_images_and_masks_on_some_frames_only(tmp_path):
    folder = write_capture(tmp_path, count=3)
    (folder / "images_2").mkdir()
    for image in (folder / "images").iterdir():
        Image.new("RGB", (8, 6)).save(folder / "images_2" / image.name)
    edit(folder, lambda meta: [frame.update(mask_path="masks/m.png") for frame in meta["frames"]])
    assert outputs(folder, downscale_factor=2).mask_filenames == [folder / "masks/m.png"] * 3
    (folder / "masks_2").mkdir()
    assert outputs(folder, downscale_factor=2).mask_filenames == [folder / "masks_2/m.png"] * 3
    edit(folder, lambda meta: meta["frames"][1].pop("mask_path"))
    with pytest.raises(ValueError, match=r"'images/frame_001\.png' .* has no 'mask_path'"):
        outputs(folder)


def test_photos_turned_by_exif_only_where_their_camera_is(tmp_path):
    folder = write_capture(tmp_path, count=2)
    photo = Image.new("RGB", (12, 16))
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(folder / "images/frame_000.png", exif=exif)
    assert outputs(folder).cameras.width.flatten().tolist() == [16, 16]
    Image.new("RGB", (12, 16)).save(folder / "images/frame_001.png")
    with pytest.raises(ValueError, match="recorded as 16x12"):
        outputs(folder)


HEAR = {
    "python": "from tokengs_nerfstudio.data import NerfstudioCapture; NerfstudioCapture({capture!r}).split()",
    "ns-eval": (
        "import nerfstudio.scripts.eval; from tokengs_nerfstudio.datamanager import SceneDataManagerConfig\n"
        "SceneDataManagerConfig(data={capture!r}).setup(device='cpu', test_mode='test')"
    ),
    "ns-train": (
        "from pathlib import Path; from tokengs_nerfstudio.configs import tokengs; config = tokengs.config\n"
        "config.output_dir, config.experiment_name, config.timestamp = Path({outputs!r}), 'heard', 'run'\n"
        "config.vis, config.pipeline.datamanager.data = 'tensorboard', Path({capture!r})\n"
        "config.pipeline.model.checkpoint = {weights!r}\n"
        "config.setup(local_rank=0, world_size=1).setup()"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("who", HEAR)
def test_whoever_reads_a_capture_hears_once_what_is_wrong_with_it(tmp_path, who):
    folder = write_blobs(tmp_path / "scene", count=6)
    (folder / "images/frame_00004.png").unlink()
    names = [f"images/frame_0000{index}.png" for index in range(4)]
    edit(folder, lambda meta: meta.update(train_filenames=names, test_filenames=names[2:3]))
    weights = write_weights(tmp_path / "small.safetensors")
    code = HEAR[who].format(capture=str(folder), weights=str(weights), outputs=str(tmp_path))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=QUICK, check=False)
    assert ran.returncode == 0, ran.stderr
    heard = " ".join(f"{ran.stdout} {ran.stderr}".split())  # the console breaks long lines
    assert heard.count("1 of 6 images that") == 1
    assert heard.count("lists 1 frames for training that") == 1


def test_the_module_does_not_lead_back_to_nerfstudios_configurations():
    """nerfstudio imports it while those are being made; any way back breaks every command."""
    code = (
        "import sys, tokengs_nerfstudio.dataparser\n"
        "bad = ('nerfstudio.configs.dataparser_configs', 'nerfstudio.configs.method_configs', 'nerfstudio.models')\n"
        "sys.exit(' '.join(m for m in sys.modules if m.startswith(bad)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert tokengs_data.config.data == Path()
