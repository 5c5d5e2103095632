import os
from pathlib import Path

import pytest
import torch
from made.datasets import HASHES, write_dl3dv, write_kubric, write_re10k
from made.training import write_captures

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.unpacking import scene_at, unpacked


@pytest.fixture
def said(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return []


def made(kind: str, folder: Path) -> Path:
    match kind:
        case "re10k":
            return write_re10k(folder, 1, 2, frames=4, form="JPEG") / "train/000000.torch#key-1"
        case "kubric":
            return write_kubric(folder, 1, cameras=2, moments=3) / "v0/scn00000"
        case _:
            return write_dl3dv(folder, 1, 4, benchmark=True) / f"{HASHES[0]}.zip"


@pytest.mark.parametrize("kind", ["dl3dv", "re10k", "kubric"])
def test_a_scene_becomes_a_capture_of_the_same_photos(tmp_path, said, kind):
    path = made(kind, tmp_path / kind)
    scene, folder = scene_at(path), unpacked(path, said.append)
    assert scene is not None
    capture = NerfstudioCapture(folder)
    theirs, ours = scene.load(range(len(scene))), capture.load(range(len(capture)))
    assert torch.equal(ours.images, theirs.images)
    torch.testing.assert_close(ours.intrinsics, theirs.intrinsics)
    torch.testing.assert_close(ours.c2w, theirs.c2w, atol=1e-6, rtol=0)
    assert (ours.times is None) == (theirs.times is None)
    if ours.times is not None and theirs.times is not None:
        torch.testing.assert_close(ours.times, theirs.times)
    assert ours.alphas is None
    assert {file.suffix for file in capture.image_paths} == {".jpg" if kind == "re10k" else ".png"}
    assert said == [f"Unpacking {len(scene)} images of {path} to {folder}"]


def test_what_was_unpacked_is_used_again_until_the_files_change(tmp_path, said):
    path = made("dl3dv", tmp_path / "data")
    first = unpacked(path, said.append)
    assert unpacked(path, said.append) == first
    assert len(said) == 1
    os.utime(path, ns=(1, 1))
    assert unpacked(path, said.append) != first
    assert len(said) == 2
    assert not [entry for entry in first.parent.iterdir() if entry.name.startswith(".")]


def test_a_scene_that_is_damaged_leaves_nothing(tmp_path, said):
    path = made("kubric", tmp_path / "data")
    file = path / "output_001.tar"
    file.write_bytes(file.read_bytes()[:6000] + bytes(len(file.read_bytes()) - 6000))
    with pytest.raises(UserError, match="cannot be read as a Kubric scene"):
        unpacked(path, said.append)
    assert not [*(tmp_path / "cache").rglob("*.json")]


def test_captures_stay_as_they_are_and_what_is_missing_is_said(tmp_path, said):
    folder = write_captures(tmp_path, 1, 3) / "capture-0"
    for path in (folder, folder / "transforms.json", tmp_path / "nowhere"):
        assert unpacked(path, said.append) == path
    chunk = made("re10k", tmp_path / "re10k").parent / "000000.torch"
    with pytest.raises(UserError, match=r"has no scene '' but key-0, key-1, \.\.\.; name one as CHUNK\.torch#KEY"):
        unpacked(chunk, said.append)
    with pytest.raises(MissingFileError, match="there is no DL3DV scene"):
        unpacked(tmp_path / "gone.zip", said.append)
    assert said == []
