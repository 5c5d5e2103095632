import shutil

import pytest
import torch
from made.datasets import HASHES, write_dl3dv, write_kubric, write_re10k
from made.training import write_captures

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.roots import CaptureScene, capture_scenes, scenes_below
from tokengs_nerfstudio.data.scene import Scene


def names(scenes: list[Scene]) -> list[str]:
    return [scene.name for scene in scenes]


def test_every_layout_is_recognised(tmp_path):
    captures = write_captures(tmp_path / "captures", 2)
    (captures / "photos.zip").touch()
    (captures / "capture-0/index.json").touch()
    assert names(scenes_below(captures)) == ["capture-0", "capture-1"]
    for benchmark in (False, True):
        root = write_dl3dv(tmp_path / f"dl3dv-{benchmark}", 2, 2, benchmark)
        assert names(scenes_below(root)) == list(HASHES[:2])
    write_re10k(tmp_path / "re10k", 1, 2, 2)
    write_re10k(tmp_path / "re10k", 1, 1, 2, split="test")
    assert names(scenes_below(tmp_path / "re10k")) == ["key-0", "key-1"]
    assert names(scenes_below(tmp_path / "re10k", split="test")) == ["key-0"]
    assert names(scenes_below(tmp_path / "re10k/test")) == ["key-0"]
    assert names(scenes_below(write_kubric(tmp_path / "kubric", 2, 1, 1))) == ["scn00000", "scn00001"]


def test_an_extracted_data_set_is_no_folder_of_captures(tmp_path):
    root = write_dl3dv(tmp_path, 1, 3)
    shutil.unpack_archive(root / f"1K/{HASHES[0]}.zip", tmp_path / "extracted")
    (scene,) = scenes_below(tmp_path / "extracted", images="images")
    assert torch.equal(scene.load([0, 2]).images, scenes_below(root)[0].load([0, 2]).images)


def test_what_is_no_root_says_what_was_expected(tmp_path):
    with pytest.raises(MissingFileError, match=r"no captures in .*gone, and no data set: there is no such folder"):
        scenes_below(tmp_path / "gone")
    expected = r"no captures in .*: expected .*captures\).*\(DL3DV\).*\(RealEstate10K.*\(Kubric 4D\)$"
    with pytest.raises(MissingFileError, match=expected) as said:
        scenes_below(tmp_path)
    assert "\n" not in str(said.value)


def test_a_capture_is_read_when_it_is_asked_for(tmp_path):
    root = write_captures(tmp_path, 1, frames=4)
    (root / "broken").mkdir()
    (root / "broken/transforms.json").write_text("no JSON")
    broken, sound = capture_scenes(root, max_size=16)
    assert isinstance(sound, Scene)
    assert (sound.image_size, len(sound.c2w), sound.times) == ((10, 16), 4, None)
    assert sound.load([1, 3]).intrinsics.equal(sound.intrinsics[[1, 3]])
    with pytest.raises(UserError, match="is not valid JSON"):
        _ = broken.c2w
    with pytest.raises(MissingFileError, match="no capture at"):
        _ = CaptureScene(tmp_path / "gone").c2w
