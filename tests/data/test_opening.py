import shutil

import numpy as np
import pytest
from made.datasets import HASHES, write_dl3dv
from made.training import write_captures
from made.walk import walk, write_photos
from PIL import Image

from tokengs_nerfstudio.core.errors import UserError
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


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            ("transforms_train.json", "transforms_test.json"),
            "transforms_test.json, transforms_train.json: .* blender-data`",
        ),
        (("sparse/0/cameras.bin", "sparse/0/images.bin"), r"sparse/0: .* colmap --colmap-path sparse/0`"),
        (("colmap/sparse/0/cameras.txt",), r"colmap/sparse/0: .* colmap --colmap-path colmap/sparse/0`"),
    ],
)
def test_photos_with_poses_of_another_form_are_not_posed_anew_unasked(tmp_path, files, said):
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "images/a.png")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert is_unposed(tmp_path)
    with pytest.raises(
        UserError, match=rf"poses of another form, {said} reads them.*; `tokengs-pose .*` finds new ones"
    ):
        capture_at(tmp_path)
