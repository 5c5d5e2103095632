"""Which photos the encoder sees, which supervise, which stay unseen; images and cameras in step."""

import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from made.captures import edit, mask_left_half, write_capture
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.data.datamanagers.base_datamanager import VanillaDataManager
from nerfstudio.data.datamanagers.full_images_datamanager import FullImageDatamanagerConfig
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig
from PIL import Image

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.stored_views import StoredViews
from tokengs_nerfstudio.datamanager import SceneDataManager, SceneDataManagerConfig
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig


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
    with pytest.raises(ValueError, match=r"num-context 3 beside 2 .*give one of the two"):
        manager(folder, context_indices=(1, 2), num_context=3).choose_context(4)


def test_photos_keep_their_names_when_the_split_changes(tmp_path):
    data = manager(write_capture(tmp_path))
    names = data.names([2, 0])
    assert names == ["images/frame_003.png", "images/frame_001.png"]
    assert data.positions(names) == [2, 0]
    everything = manager(tmp_path / "transforms.json", dataparser=TokenGSDataParserConfig(eval_mode="all"))
    assert everything.positions(names) == [3, 1]
    assert everything.names([3, 1]) == names


def test_photos_keep_their_names_when_the_capture_moves(tmp_path, monkeypatch):
    write_capture(tmp_path / "here")
    names = manager(tmp_path / "here").names([4])
    (tmp_path / "here").rename(tmp_path / "there")
    monkeypatch.chdir(tmp_path)
    assert manager(Path("there")).positions(names) == [4]


def test_photos_outside_their_capture_have_absolute_names(tmp_path):
    folder = write_capture(tmp_path / "capture")
    (folder / "images").rename(tmp_path / "images")
    edit(folder, lambda meta: [f.update(file_path=f"{tmp_path}/{f['file_path']}") for f in meta["frames"]])
    data = manager(folder)
    assert data.names([0]) == [f"{tmp_path.as_posix()}/images/frame_001.png"]
    assert data.positions(data.names([1])) == [1]


def test_photos_that_are_gone_are_named(tmp_path):
    data = manager(write_capture(tmp_path))
    with pytest.raises(ValueError, match=r"images/frame_008\.png \(held out for evaluation now\), images/no\.png; put"):
        data.positions(["images/frame_001.png", "images/frame_008.png", "images/no.png"])


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
    assert data.next_train(0)[0].shape == (12, 16)
    camera, _ = data.next_eval_image(0)
    assert camera.shape == (1,)
    assert [len(camera) for camera, _ in data.fixed_indices_eval_dataloader] == [1, 1]
    camera, _ = data.eval_dataloader.get_camera(image_idx=0)
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


def test_masks_come_with_the_views(tmp_path):
    mask_left_half(write_capture(tmp_path))
    views = manager(tmp_path, max_image_size=8).views([2, 0], 6, 8)
    assert views.masks is not None
    assert views.masks.shape == (2, 1, 6, 8)
    assert (views.masks[..., :4] == 0).all()
    assert (views.masks[..., 5:] == 1).all()
    assert manager(write_capture(tmp_path / "plain")).views([0], 12, 16).masks is None


def test_finished_runs_need_no_photos_but_evaluation_does(tmp_path):
    folder = write_capture(tmp_path)
    for image in (folder / "images").iterdir():
        image.unlink()
    data = manager(folder, test_mode="inference")
    assert data.train_dataset[0]["image"].shape == (12, 16, 3)
    with pytest.raises(FileNotFoundError, match=r"frame_000\.png"):
        data.fixed_indices_eval_dataloader[0]
    with pytest.raises(UserError, match="8 of 8 images do not exist"):
        manager(folder, test_mode="val")


def test_images_that_do_not_fit_their_camera_are_named(tmp_path):
    folder = write_capture(tmp_path, size=(20, 12))
    parser = NerfstudioDataParserConfig(data=folder, downscale_factor=1)
    with pytest.raises(ValueError, match="20x12 pixels, but its camera is for 16x12"):
        manager(folder, dataparser=parser).views([0], 12, 16)


def test_other_dataparsers_serve_as_well(tmp_path):
    data = manager(write_capture(tmp_path), dataparser=NerfstudioDataParserConfig())
    assert data.num_held_out == 1
    assert data.views(data.choose_context(3), *data.supervised_size()).num_views == 3


def test_a_factor_without_a_folder_reduces_photos_and_cameras_alike(tmp_path):
    """As `ns-render dataset --downscale-factor 2` asks, which hands over 2.0."""
    data = manager(write_capture(tmp_path), test_mode="test", dataparser=TokenGSDataParserConfig(downscale_factor=2.0))
    full = manager(write_capture(tmp_path), test_mode="test")
    camera, item = data.fixed_indices_eval_dataloader[0]
    assert item["image"].shape[:2] == (int(camera.height), int(camera.width))
    assert int(camera.width) == int(full.eval_dataset.cameras.width[0]) // 2
    assert float(camera.fx) == float(full.eval_dataset.cameras.fx[0]) / 2


@pytest.mark.parametrize("test_mode", ["val", "test", "inference"])
def test_photos_of_which_no_pixel_is_left_are_refused(tmp_path, test_mode):
    """By `ns-render dataset --downscale-factor 100`, or by the option of `ns-train` that works the other way."""
    folder, said = write_capture(tmp_path), r"frame_.*has 16x12 pixels, of which none .* {} times as small; .*factor"
    parser = TokenGSDataParserConfig(downscale_factor=12.5)
    with pytest.raises(UserError, match=said.format("12.5")):
        manager(folder, test_mode=test_mode, dataparser=parser)
    with pytest.raises(UserError, match=said.format("20")):
        manager(folder, test_mode=test_mode, camera_res_scale_factor=0.05)
    smallest = manager(folder, test_mode=test_mode, camera_res_scale_factor=1 / 12)
    assert smallest.fixed_indices_eval_dataloader[0][1]["image"].shape == (1, 1, 3)


def test_exporters_of_points_get_the_rays_of_picture_after_picture(tmp_path):
    """`ns-export pointcloud` and `poisson` ask for them; in the second round they lie elsewhere in their pixels."""
    data = manager(write_capture(tmp_path, count=3), test_mode="test")
    data.train_pixel_sampler.num_rays_per_batch = 32768
    bundles = [data.next_train(0)[0] for _ in range(6)]
    camera = data.train_dataset.cameras[1]
    assert bundles[1].origins.shape == (int(camera.height), int(camera.width), 3)
    expected = camera.camera_to_worlds[:, 3].expand(bundles[1].origins.shape)
    torch.testing.assert_close(bundles[1].origins, expected)
    torch.testing.assert_close(bundles[4].origins, expected)
    step = (bundles[1].directions[0, 1] - bundles[1].directions[0, 0]).norm()
    assert 0 < float((bundles[4].directions - bundles[1].directions).norm(dim=-1).max()) < float(step)


def test_photos_are_kept_at_the_size_that_is_looked_at(tmp_path):
    folder = write_capture(tmp_path, size=(160, 120), w=160, h=120, fl_x=200.0, fl_y=200.0, cx=80.0, cy=60.0)
    data = manager(folder, max_image_size=16, photo_memory=3 * 16 * 12 / 2**30)
    size, train = data.supervised_size(), range(len(data.train_dataset))
    few = data.views(train, *size)
    assert isinstance(few, StoredViews)
    assert few.images.shape == (len(train), 3, 12, 16)
    whole = manager(folder, max_image_size=16).views(train, *size)
    assert not isinstance(whole, StoredViews)
    read = few.select(list(train))
    torch.testing.assert_close(read.images[0], whole.images[0], atol=0.5 / 255 + 1e-6, rtol=0)
    assert torch.equal(read.images[1:], whole.images[1:])  # read from disk, as floats
    assert torch.equal(read.intrinsics, whole.intrinsics)


def test_points_of_the_dataparser_are_those_of_the_scene(tmp_path):
    data = manager(write_capture(tmp_path))
    assert data.points() is None
    data.train_dataparser_outputs.metadata |= {
        "points3D_xyz": torch.rand(5, 3), "points3D_rgb": torch.full((5, 3), 51, dtype=torch.uint8),
    }  # fmt: skip
    points = data.points()
    assert points is not None
    assert torch.equal(points.places, data.train_dataparser_outputs.metadata["points3D_xyz"])
    torch.testing.assert_close(points.colors, torch.full((5, 3), 0.2))


@pytest.mark.parametrize("train", [range(10), range(1, 10)])
def test_no_dataparser_may_train_on_what_is_held_out(tmp_path, train):
    names = [f"images/frame_{index:03d}.png" for index in range(10)]
    lists = {"train_filenames": [names[index] for index in train], "val_filenames": names[:4]}
    folder = write_capture(tmp_path, **lists, test_filenames=names[:4])
    with pytest.raises(UserError, match="photos are in the train split and held out"):
        manager(folder, dataparser=NerfstudioDataParserConfig())


@pytest.mark.parametrize("made_by", [os.link, shutil.copy])
def test_no_dataparser_may_train_on_a_copy_of_what_is_held_out(tmp_path, made_by):
    names = [f"images/frame_{index:03d}.png" for index in range(10)]
    lists = {"train_filenames": [*names[4:], "images/other.png"], "val_filenames": names[:4]}
    folder = write_capture(tmp_path, **lists, test_filenames=names[:4])
    made_by(folder / names[1], folder / "images/other.png")
    edit(folder, lambda meta: meta["frames"].append(meta["frames"][1] | {"file_path": "images/other.png"}))
    with pytest.raises(UserError, match=r"1 photos are in the train split and held out for evaluation \(.*\.png\)"):
        manager(folder, dataparser=NerfstudioDataParserConfig())
