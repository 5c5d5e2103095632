import shutil

import pytest
from made.datasets import HASHES, write_dl3dv
from made.training import write_captures
from made.walk import walk, write_photos

from tokengs_nerfstudio.data import capture_at, load_capture
from tokengs_nerfstudio.data.posing.posing import is_unposed


def test_photos_open_as_the_capture_of_their_poses(tmp_path, monkeypatch):
    pytest.importorskip("pycolmap", reason="structure from motion is pycolmap's")
    folder = write_photos(tmp_path / "photos", walk(6))
    said: list[str] = []
    capture = load_capture(folder, max_size=160, say=said.append)
    assert capture.load([0, 5]).images.shape == (2, 3, 120, 160)
    assert len(capture) == 6
    assert said[0] == f"{folder} has no poses yet: finding them"
    said.clear()
    assert load_capture(str(folder), say=said.append).image_size == (240, 320)
    assert said == []


def test_captures_and_scenes_of_data_sets_are_not_posed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_captures(tmp_path, 1, 3) / "capture-0"
    assert capture_at(folder) == folder
    scene = write_dl3dv(tmp_path / "dl3dv", 1, 4, benchmark=True) / f"{HASHES[0]}.zip"
    assert not is_unposed(scene)
    shutil.unpack_archive(scene, tmp_path / "unpacked")
    assert not is_unposed(tmp_path / "unpacked" / HASHES[0])
