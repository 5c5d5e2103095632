"""The scenes of a protocol below a folder."""

import json

import pytest
from made.datasets import HASHES, dl3dv_members, made_views, write_dl3dv, write_kubric, write_re10k, write_zip
from made.evaluations import write_captures

from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.evaluation.benchmark import Benchmark, benchmark
from tokengs_nerfstudio.evaluation.protocols import PROTOCOLS


def opened(preset: str, root, index=None, images: str | None = None, background: float = 0.5) -> Benchmark:
    return benchmark(PROTOCOLS[preset], root, index, images, background)


def write_index(file, *scenes: str):
    file.write_text(json.dumps({scene: {"context": [0, 4], "target": [1, 4]} for scene in scenes}))
    return file


def test_scenes_have_the_order_of_the_index_and_missing_ones_are_known(tmp_path):
    root = write_dl3dv(tmp_path / "data", benchmark=True)
    index = write_index(tmp_path / "index.json", HASHES[2], "gone", HASHES[0])
    found = opened("dl3dv-2view", root, index)
    assert list(found.scenes) == [HASHES[2], HASHES[0]]
    assert found.missing == ("gone",)
    assert found.case(HASHES[0], True).views.target == [1, 4]
    assert found.case(HASHES[0], False).views.target == [1]


def test_a_folder_without_any_scene_of_the_index_is_refused(tmp_path):
    root = write_dl3dv(tmp_path / "data", benchmark=True)
    with pytest.raises(ValueError, match=f"has none of the 140 scenes of .*, only {HASHES[0]}, .*, {HASHES[2]}$"):
        opened("dl3dv-6view", root)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere of DL3DV"):
        opened("dl3dv-6view", tmp_path / "nowhere")


def test_images_may_be_those_of_another_folder(tmp_path):
    members = dl3dv_members(made_views(1), f"{HASHES[0]}/gaussian_splat", "images_4", "images_8")
    write_zip(tmp_path / "data" / f"{HASHES[0]}.zip", members)
    index = write_index(tmp_path / "index.json", HASHES[0])
    sizes = [
        opened("dl3dv-2view", tmp_path / "data", index, images).case(HASHES[0], True).scene.image_size
        for images in (None, "images_8")
    ]
    assert sizes == [(18, 32), (9, 16)]


def test_re10k_is_its_test_set_and_needs_an_index(tmp_path):
    root = write_re10k(tmp_path / "data", split="test")
    write_re10k(tmp_path / "data", chunks=3)
    found = opened("re10k-2view", root, write_index(tmp_path / "index.json", "key-1", "key-5"))
    assert list(found.scenes) == ["key-1"]
    assert found.missing == ("key-5",)
    with pytest.raises(ValueError, match=r"name its file with --index"):
        opened("re10k-2view", root)


def test_kubric_scenes_of_one_name_are_told_apart(tmp_path):
    root = write_kubric(tmp_path, count=2)
    (root / "v1/scn00001").rename(root / "v1/scn00000")
    found = opened("kubric", root)
    assert list(found.scenes) == ["v0/scn00000", "v1/scn00000"]
    assert len(found.case("v1/scn00000", True).views.context) == 4


def test_captures_are_those_in_the_folder_or_the_folder_itself(tmp_path):
    root = write_captures(tmp_path / "data")
    found = opened("captures", root, background=1.0)
    assert list(found.scenes) == ["blobs6", "blobs7", "blobs8"]
    capture = found.case("blobs8", True).scene
    assert isinstance(capture, NerfstudioCapture)
    assert capture.background.tolist() == [1.0] * 3
    assert list(opened("captures", root / "blobs7").scenes) == ["blobs7"]
