import json

import pytest
import torch
from made.datasets import made_views, re10k_item, write_re10k

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data import re10k
from tokengs_nerfstudio.data.re10k import RE10KScene, re10k_scenes


def test_scenes_come_in_order_of_chunks_and_keys(tmp_path):
    write_re10k(tmp_path, 2, 2)
    write_re10k(tmp_path, 1, 1, split="test")
    assert [scene.name for scene in re10k_scenes(tmp_path)] == ["key-0", "key-1", "key-2", "key-3"]
    assert [scene.name for scene in re10k_scenes(tmp_path, "test")] == ["key-0"]
    assert [scene.name for scene in re10k_scenes(tmp_path / "train")] == ["key-0", "key-1", "key-2", "key-3"]


def test_a_chunk_is_read_once_for_scenes_in_order_and_few_stay_in_memory(tmp_path, monkeypatch):
    read: list[str] = []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda file, **options: read.append(file.name) or load(file, **options))
    scenes = re10k_scenes(write_re10k(tmp_path, 6, 2, frames=3))
    for scene in scenes:
        scene.load([0, 1])
    assert read == [f"{chunk:06d}.torch" for chunk in range(6)]
    assert re10k._chunk.cache_info().currsize <= 4


def test_chunks_hold_no_code_that_is_run(tmp_path):
    class Sly:
        def __reduce__(self):
            return print, ("run",)

    torch.save([re10k_item(made_views(0, 2), "a") | {"url": Sly()}], tmp_path / "a.torch")
    with pytest.raises(UserError, match=r"a\.torch cannot be read as a RealEstate10K chunk"):
        RE10KScene(tmp_path / "a.torch", "a").load([0])


def test_a_chunk_in_the_old_format_is_read_too(tmp_path):
    torch.save([re10k_item(made_views(0, 2), "a")], tmp_path / "a.torch", _use_new_zipfile_serialization=False)
    torch.testing.assert_close(RE10KScene(tmp_path / "a.torch", "a").load([1]).images, made_views(0, 2).images[1:])


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(MissingFileError, match=r"no .*index\.json for the RealEstate10K scenes: expected train/"):
        re10k_scenes(tmp_path)
    write_re10k(tmp_path, 1, 2, frames=2)
    chunk = tmp_path / "train/000000.torch"
    with pytest.raises(UserError, match=r"000000\.torch has no scene 'key-9' but key-0, key-1, "):
        RE10KScene(chunk, "key-9").load([0])
    with pytest.raises(MissingFileError, match="there is no chunk"):
        RE10KScene(tmp_path / "gone.torch", "key-0").load([0])
    (tmp_path / "train/index.json").write_text(json.dumps(["key-0"]))
    with pytest.raises(UserError, match=r"index\.json cannot be read as an index of RealEstate10K"):
        re10k_scenes(tmp_path)
    (tmp_path / "train/index.json").write_text("{}")
    with pytest.raises(UserError, match=r"index\.json lists no scenes"):
        re10k_scenes(tmp_path)


def test_images_and_cameras_must_be_as_many(tmp_path):
    item = re10k_item(made_views(0, 3), "a")
    torch.save([item | {"images": item["images"][:2]}], tmp_path / "a.torch")
    with pytest.raises(UserError, match="scene a has 2 images and 3 cameras"):
        _ = RE10KScene(tmp_path / "a.torch", "a").c2w
