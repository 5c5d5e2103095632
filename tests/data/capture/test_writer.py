import json
import math
from pathlib import Path

import pytest
import torch
from PIL import Image

from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data import NerfstudioCapture, write_nerfstudio_capture
from tokengs_nerfstudio.data.capture import writer


def some_views(count: int = 4, times: bool = False, shared: bool = True) -> Views:
    generator = torch.Generator().manual_seed(3)
    rotation = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator, dtype=torch.float64)).Q
    c2w = torch.eye(4).repeat(count, 1, 1)
    c2w[:, :3, :3] = rotation * torch.linalg.det(rotation)[:, None, None]
    c2w[:, :3, 3] = torch.randn(count, 3, generator=generator)
    intrinsics = torch.tensor([[31.5, 0, 13.0], [0, 30.5, 9.25], [0, 0, 1]]).repeat(count, 1, 1)
    if not shared:
        intrinsics[:, 0, 0] += torch.arange(count)
    images = torch.randint(0, 256, (count, 3, 18, 26), generator=generator) / 255
    return Views(images, c2w, intrinsics, torch.linspace(0, 1, count) if times else None)


@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_what_is_written_is_read_again(tmp_path, times, shared):
    views = some_views(times=times, shared=shared)
    folder = write_nerfstudio_capture(tmp_path / "deep" / "scene", views)
    capture = NerfstudioCapture(folder)
    again = capture.load(range(4))
    assert torch.equal(again.images, views.images)
    torch.testing.assert_close(again.c2w, views.c2w, atol=1e-6, rtol=0)
    assert torch.equal(again.intrinsics, views.intrinsics)
    assert (again.times is None) == (views.times is None)
    if again.times is not None and views.times is not None:
        torch.testing.assert_close(again.times, views.times)
    assert capture.name == "scene"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["scene"]


@pytest.mark.parametrize(
    ("given", "train", "test"),
    [
        ({"train": [0, 2], "test": [3]}, [0, 2], [3]),
        ({"test": [1]}, [0, 2, 3], [1]),
        ({"train": [0, 1, 2]}, [0, 1, 2], [3]),
    ],
)
def test_splits(tmp_path, given, train, test):
    folder = write_nerfstudio_capture(tmp_path / "scene", some_views(), **given)
    split = NerfstudioCapture(folder).split()
    assert (split.train, split.test) == (train, test)
    # Nerfstudio's own reader refuses a capture where one of the three lists is missing.
    assert {"train_filenames", "val_filenames", "test_filenames"} <= set(
        json.loads((folder / "transforms.json").read_text())
    )


def test_nerfstudio_reads_the_same_cameras(tmp_path):
    dataparser = pytest.importorskip("nerfstudio.data.dataparsers.nerfstudio_dataparser")
    folder = write_nerfstudio_capture(tmp_path / "scene", some_views(), test=[3])
    capture = NerfstudioCapture(folder)
    as_written = {"orientation_method": "none", "center_method": "none", "auto_scale_poses": False}
    config = dataparser.NerfstudioDataParserConfig(data=folder, **as_written)
    cameras = config.setup().get_dataparser_outputs(split="train").cameras
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    theirs = cameras.camera_to_worlds.clone()
    theirs[:, :, :3] = theirs[:, :, :3] @ flip
    torch.testing.assert_close(capture.c2w[:3, :3], theirs, atol=1e-6, rtol=0)
    for ours, their in (((0, 0), cameras.fx), ((1, 1), cameras.fy), ((0, 2), cameras.cx), ((1, 2), cameras.cy)):
        torch.testing.assert_close(capture.intrinsics[:3, ours[0], ours[1]], their.flatten())


def test_an_existing_capture_is_kept_unless_told_otherwise(tmp_path):
    folder = write_nerfstudio_capture(tmp_path / "scene", some_views(4))
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_nerfstudio_capture(folder, some_views(2))
    assert len(NerfstudioCapture(folder)) == 4
    write_nerfstudio_capture(folder, some_views(2), overwrite=True)
    assert len(NerfstudioCapture(folder)) == 2
    assert len(list((folder / "images").iterdir())) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["scene"]


@pytest.mark.parametrize("content", ["notes.txt", "transforms.json"])
def test_what_others_wrote_is_never_replaced(tmp_path, content):
    (tmp_path / "scene").mkdir()
    (tmp_path / "scene" / content).write_text('{"frames": []}')
    with pytest.raises(FileExistsError, match="was not written by"):
        write_nerfstudio_capture(tmp_path / "scene", some_views(), overwrite=True)
    assert (tmp_path / "scene" / content).read_text() == '{"frames": []}'


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / "scene").write_text("mine")
    with pytest.raises(FileExistsError, match="in the way"):
        write_nerfstudio_capture(tmp_path / "scene", some_views())


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(images: torch.Tensor, paths: list[Path]) -> None:
        Image.new("RGB", (2, 2)).save(paths[0])
        raise OSError("no space left on device")

    old = write_nerfstudio_capture(tmp_path / "old", some_views(3))
    monkeypatch.setattr(writer, "_write_images", fail)
    for folder in (tmp_path / "new", old):
        with pytest.raises(OSError, match="no space left"):
            write_nerfstudio_capture(folder, some_views(4), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert len(NerfstudioCapture(old)) == 3


def test_an_empty_folder_is_used(tmp_path):
    assert len(NerfstudioCapture(write_nerfstudio_capture(tmp_path, some_views()))) == 4


@pytest.mark.parametrize(("split", "wrong"), [({"train": [0, 4]}, 4), ({"test": [-1]}, -1)])
def test_splits_of_views_that_do_not_exist(tmp_path, split, wrong):
    with pytest.raises(ValueError, match=rf"views \[{wrong}\], but there are views 0 to 3"):
        write_nerfstudio_capture(tmp_path / "scene", some_views(), **split)


def test_views_that_cannot_be_written(tmp_path):
    views = some_views()
    with pytest.raises(ValueError, match="one scene's views"):
        write_nerfstudio_capture(tmp_path / "scene", views.unsqueeze())
    views.intrinsics[2, 0, 1] = 0.5
    with pytest.raises(ValueError, match="skew"):
        write_nerfstudio_capture(tmp_path / "scene", views)
    views.intrinsics[2, 0, 1] = 0
    views.c2w[1, 0, 3] = math.nan
    with pytest.raises(ValueError, match="finite"):
        write_nerfstudio_capture(tmp_path / "scene", views)
    assert list(tmp_path.iterdir()) == []
