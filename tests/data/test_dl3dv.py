import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from made.datasets import HASHES, dl3dv_members, dl3dv_transforms, encoded, made_views, write_dl3dv, write_zip

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.dl3dv import DL3DVScene, dl3dv_scenes


def extracted(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder


def test_training_scenes_come_in_order_of_their_paths(tmp_path):
    for batch, names in (("2K", HASHES[1:2]), ("10K", HASHES[2:3]), ("1K", (HASHES[3], HASHES[0]))):
        for name in names:
            write_zip(tmp_path / batch / f"{name}.zip", {})
    (tmp_path / "1K/notes.txt").touch()
    assert [scene.name for scene in dl3dv_scenes(tmp_path)] == [HASHES[2], HASHES[0], HASHES[3], HASHES[1]]
    assert [scene.name for scene in dl3dv_scenes(tmp_path / "2K")] == [HASHES[1]]


@pytest.mark.parametrize("benchmark", [False, True])
def test_an_extracted_folder_is_the_same_scene_and_counts_before_its_zip(tmp_path, benchmark):
    (zipped,) = dl3dv_scenes(write_dl3dv(tmp_path / "zips", 1, benchmark=benchmark))
    folder = tmp_path / "folders"
    extracted(zipped.source, folder)
    (folder / zipped.source.name).write_bytes(zipped.source.read_bytes())
    (found,) = dl3dv_scenes(folder)
    assert (found.name, found.source) == (HASHES[0], folder / HASHES[0])
    ours, theirs = found.load(range(7)), zipped.load(range(7))
    assert torch.equal(ours.images, theirs.images)
    assert torch.equal(ours.c2w, theirs.c2w)


def test_one_of_several_image_folders_is_chosen(tmp_path):
    views = made_views(0, 3)
    members = dl3dv_members(views, "scene/gaussian_splat", "images_4", "images_8")
    file = write_zip(tmp_path / "scene.zip", members)
    usual, chosen, small = (DL3DVScene(file, images) for images in (None, "images_4", "images_8"))
    assert usual.image_size == chosen.image_size == (18, 32)
    assert small.image_size == (9, 16)
    assert torch.equal(small.load([1]).images, usual.load([1]).images[..., ::2, ::2])
    torch.testing.assert_close(small.intrinsics[:, :2], usual.intrinsics[:, :2] / 2)
    assert torch.equal(small.c2w, usual.c2w)
    with pytest.raises(MissingFileError, match=r"scene.zip has no images in images_2: there is images_4, images_8"):
        DL3DVScene(file, "images_2").load([0])


def test_intrinsics_of_a_frame_count_before_those_of_all(tmp_path):
    content = dl3dv_transforms(made_views(0, 2), times_as_large=1)
    content["frames"][1] |= {"fl_x": 50.0, "w": 64}
    members = {f"images/frame_{index:05d}.png": encoded(torch.zeros(3, 18, 32)) for index in range(2)}
    scene = DL3DVScene(write_zip(tmp_path / "a.zip", members | {"transforms.json": json.dumps(content).encode()}))
    assert scene.intrinsics[0, 0, 0] == pytest.approx(content["fl_x"])
    assert scene.intrinsics[1, 0, 0] == pytest.approx(25.0)


def broken(tmp_path: Path, change) -> DL3DVScene:
    content = dl3dv_transforms(made_views(0, 2))
    change(content)
    members = {f"images/frame_{index:05d}.png": encoded(torch.zeros(3, 18, 32)) for index in range(2)}
    return DL3DVScene(write_zip(tmp_path / "a.zip", members | {"transforms.json": json.dumps(content).encode()}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.pop("fl_x"), "KeyError: 'fl_x'"),
        (lambda content: content.update(frames=[]), "IndexError"),
        (lambda content: content["frames"][1].update(transform_matrix=[[1, 2], [3]]), "ValueError"),
        (
            lambda content: content["frames"][1].update(transform_matrix=np.diag([1.0, 2.0, 1.0, 1.0]).tolist()),
            "the axes of camera 1 are no rotation",
        ),
        (lambda content: content["frames"][0]["transform_matrix"][0].__setitem__(3, float("nan")), "not finite"),
        (lambda content: content.update(fl_y=0), "its focal length is not positive"),
    ],
)
def test_what_is_wrong_with_a_scene_is_one_line_that_names_the_file(tmp_path, change, said):
    with pytest.raises(UserError, match=rf"a\.zip cannot be read as a DL3DV scene \(.*{said}.*; replace it"):
        _ = broken(tmp_path, change).c2w


def test_an_image_that_is_not_there_is_said_when_it_is_asked_for(tmp_path):
    scene = broken(tmp_path, lambda content: content["frames"][1].update(file_path="images/gone.png"))
    assert len(scene) == 2
    scene.load([0])
    with pytest.raises(UserError, match=r"a\.zip cannot be read.*gone.png"):
        scene.load([1])


def test_folders_without_scenes_say_what_was_expected(tmp_path):
    with pytest.raises(MissingFileError, match=r"no DL3DV scenes in .*: expected <hash>\.zip"):
        dl3dv_scenes(tmp_path)
    with pytest.raises(MissingFileError, match="there is no DL3DV scene"):
        DL3DVScene(tmp_path / "gone.zip").load([0])
    with pytest.raises(MissingFileError, match=r"has no transforms\.json"):
        DL3DVScene(write_zip(tmp_path / "b.zip", {"b/images/1.png": b""})).load([0])
