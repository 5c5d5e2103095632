"""What the published readers return for the same files, measured (golden G7)."""

import hashlib
import json
import time
from pathlib import Path

import pytest
import torch
from made.cameras import pinhole
from safetensors.torch import load_file
from torch import Tensor

from tokengs_nerfstudio.core.geometry.frame import FrameRule
from tokengs_nerfstudio.core.geometry.placing import training_frame
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.data.dl3dv import dl3dv_scenes
from tokengs_nerfstudio.data.evaluation_index import EvaluationIndex
from tokengs_nerfstudio.data.kubric import KubricScene, kubric_scenes
from tokengs_nerfstudio.data.roots import scenes_below

Golden = tuple[Path, dict[str, Tensor], dict]


@pytest.fixture(scope="module")
def golden(shared) -> Golden:
    folder = shared / "golden"
    return folder, load_file(folder / "G7_readers.safetensors"), json.loads((folder / "G7_info.json").read_text())


@pytest.mark.parametrize("kind", ["dl3dv", "dl3dv_eval"])
@pytest.mark.parametrize("number", [0, 1])
def test_dl3dv(golden: Golden, kind: str, number: int) -> None:
    folder, tensors, info = golden
    about = info[f"reader.{kind}.scene{number}"]
    scenes = {scene.name: scene for scene in dl3dv_scenes(folder / "fake_datasets" / kind)}
    views = scenes[about["key"].removesuffix("/gaussian_splat")].load([0, 3, 7])
    pixels = (views.images * 255).round().byte().contiguous().numpy()
    assert list(views.images.shape) == about["image_shape"]
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == about["sha256_uint8_NCHW"]
    assert torch.equal(views.c2w, tensors[f"reader.{kind}.scene{number}.c2w"])
    torch.testing.assert_close(views.intrinsics, pinhole(tensors[f"reader.{kind}.scene{number}.intrinsics"]))


@pytest.mark.parametrize("number", [0, 1])
def test_kubric(golden: Golden, number: int) -> None:
    folder, tensors, info = golden
    name = f"reader.kubric.scene{number}"
    scene = kubric_scenes(folder / "fake_datasets/kubric")[number]
    assert scene.name == info[name]["key"]
    views = scene.load([camera * scene.moments + moment for camera in (2, 7) for moment in (0, 5, 23)])
    assert torch.equal(views.images, tensors[f"{name}.images"])
    torch.testing.assert_close(views.c2w, tensors[f"{name}.c2w"], atol=1e-7, rtol=0)
    torch.testing.assert_close(views.intrinsics, pinhole(tensors[f"{name}.intrinsics"]))
    # The published reader leaves the depths of the last moment that it is asked for, the target's, at zero.
    context = [0, 1, 3, 4]
    assert views.depths is not None
    assert torch.equal(views.depths[context], tensors[f"{name}.depth"][context])


def test_kubric_scenes_in_the_frame_of_the_weights(golden: Golden) -> None:
    """An item of the published training: three cameras at three moments, then the same cameras at the target's."""
    folder, tensors, info = golden
    item = info["provider.kubric_test"]
    scene = KubricScene(folder / "fake_datasets" / item["dataset_item"])
    cameras, (*moments, target) = item["view_indices"], item["frame_indices"]
    seen = [camera * scene.moments + moment for camera, moment in zip(cameras, moments)]
    views = scene.load([*seen, *(camera * scene.moments + target for camera in cameras)])
    frame = training_frame(FrameRule("mean", "pointmap", 1.0), views.select([0, 1, 2]).unsqueeze())
    c2w = frame.views(views.unsqueeze()).c2w[0]
    torch.testing.assert_close(c2w[:3], tensors["provider.kubric_test.cam_to_world_input"], atol=1e-5, rtol=1e-5)
    sized = crop_and_resize(views, 16, 16, published_rounding=True)
    torch.testing.assert_close(sized.images, tensors["provider.kubric_test.images_all"], atol=1e-5, rtol=0)
    torch.testing.assert_close(sized.intrinsics, pinhole(tensors["provider.kubric_test.intrinsics_all"]))


def test_order_of_scenes(golden: Golden) -> None:
    folder, _, info = golden
    for kind in ("dl3dv_train", "kubric"):
        listed = info[f"{kind}_sample_list"]
        scenes = scenes_below(folder / "fake_datasets" / listed[0].split("/")[0])
        assert [scene.name for scene in scenes] == [Path(entry).name.removesuffix(".zip") for entry in listed]
    index = EvaluationIndex(folder / "fake_datasets/dl3dv_eval/evaluation_fake.json")
    assert index.scenes == [Path(entry).stem for entry in info["dl3dv_eval_sample_list"]]
    scenes = {scene.name: scene for scene in scenes_below(folder / "fake_datasets/dl3dv_eval")}
    for name in index.scenes:
        selection = index.select(name, len(scenes[name].c2w))
        assert scenes[name].load(selection.context).num_views == 3


def test_a_benchmark_of_140_scenes_opens_in_seconds(golden: Golden, tmp_path: Path) -> None:
    (file, *_) = sorted((golden[0] / "fake_datasets/dl3dv_eval").glob("*.zip"))
    for number in range(140):
        (tmp_path / f"{number:064x}.zip").symlink_to(file)
    start = time.process_time()
    assert sum(len(scene.c2w) for scene in scenes_below(tmp_path)) == 140 * 12
    assert time.process_time() - start < 5
