"""Which frames are seen and asked for, and how they are read."""

import json
from dataclasses import replace

import pytest
import torch
from made.cameras import pinhole
from made.captures import edit, write_blobs
from made.datasets import write_kubric
from made.evaluations import OWN, WHOLE, Sequence
from safetensors.torch import load_file

from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.geometry.point_map import point_map_scale
from tokengs_nerfstudio.data import EvaluationIndex, NerfstudioCapture, ViewSelection, spread_views
from tokengs_nerfstudio.data.dl3dv import dl3dv_scenes
from tokengs_nerfstudio.data.kubric import KubricScene, kubric_scenes
from tokengs_nerfstudio.evaluation.cases import Case, filmed_at_once, held_out, indexed, load, scored
from tokengs_nerfstudio.evaluation.protocols import Framing, Scaling


def test_of_a_capture_every_fourth_frame_by_name_is_held_out(tmp_path):
    folder = write_blobs(tmp_path / "blobs", count=11, height=24, width=32)
    edit(folder, lambda meta: meta["frames"].reverse())
    capture = NerfstudioCapture(folder)
    case = held_out(capture, 3)
    names = [capture.file_names[index] for index in case.views.target]
    assert [name[-9:-4] for name in names] == ["00002", "00006", "00010"]
    assert set(case.known) == set(range(11)) - set(case.views.target)
    assert case.views.context == spread_views(capture.c2w, 3, case.known)
    assert [capture.file_names[index] for index in case.sequence] == sorted(capture.file_names)


def test_a_capture_of_three_frames_is_too_small(tmp_path):
    capture = NerfstudioCapture(write_blobs(tmp_path / "blobs", count=3, height=24, width=32))
    with pytest.raises(ValueError, match="'blobs' has 3 frames: at least 4"):
        held_out(capture, 2)


def test_an_index_decides_and_must_fit_the_scene(tmp_path):
    file = tmp_path / "index.json"
    file.write_text(json.dumps({"procedural-3": {"context": [0, 9], "target": [4, 0, 2]}}))
    case = indexed(Sequence(12), EvaluationIndex(file))
    assert case.views == ViewSelection([0, 9], [4, 0, 2])
    assert case.known == case.sequence == (0, 2, 4, 9)
    with pytest.raises(ValueError, match=r"asks for frame 9 .* which has 5 frames"):
        indexed(Sequence(5), EvaluationIndex(file))


def test_of_what_moves_cameras_and_moments_are_spread_and_all_cameras_asked(tmp_path):
    scene = kubric_scenes(write_kubric(tmp_path, count=1, cameras=5, moments=6))[0]
    case = filmed_at_once(scene, 3)
    cameras, moments = zip(*(divmod(frame, 6) for frame in case.views.context))
    assert len(set(cameras)) == 3
    assert moments == (0, 2, 5)
    assert case.views.target == [3, 9, 15, 21, 27]
    assert case.sequence == ()
    with pytest.raises(ValueError, match="has 5 cameras and 6 moments, 7 are needed"):
        filmed_at_once(scene, 7)


def test_context_frames_count_or_not():
    case = Case(Sequence(), ViewSelection([0, 4], [0, 2, 4]), (0, 2, 4))
    assert scored(case, True).views.target == [0, 2, 4]
    assert scored(case, False).views == ViewSelection([0, 4], [2])
    with pytest.raises(ValueError, match="no target outside its context"):
        scored(replace(case, views=ViewSelection([0, 4], [4])), False)


def test_photos_are_read_a_few_at_a_time_in_their_order():
    scene = Sequence(12)
    views = ViewSelection([3, 0], [11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
    loaded = load(Case(scene, views, ()), views, Framing((16, 16), 128, False), OWN)
    assert scene.loaded == [[3, 0], [11, 10, 9, 8, 7, 6, 5, 4], [3, 2]]
    assert loaded.example.context.images.shape == loaded.supervised.images.shape == (2, 3, 16, 16)
    assert torch.equal(loaded.example.target.c2w, scene.c2w[views.target])
    assert loaded.novel == (0, 1, 2, 3, 4, 5, 6, 7, 9)
    assert loaded.scale is None


def test_whole_photos_are_seen_at_their_size_and_compared_smaller():
    views = ViewSelection([0], [1])
    loaded = load(Case(Sequence(), views, ()), views, replace(WHOLE, short_side=12), OWN)
    assert loaded.example.context.images.shape[-2:] == (24, 32)
    assert loaded.example.target.images.shape == loaded.supervised.images.shape


def test_times_span_what_is_seen_and_asked_for(tmp_path):
    scene = kubric_scenes(write_kubric(tmp_path, count=1))[0]
    views = ViewSelection([1, 9], [8])  # moments 1, 3 and 2 of 6
    loaded = load(Case(scene, views, ()), views, WHOLE, OWN)
    assert loaded.example.context.times is not None
    assert loaded.example.target.times is not None
    assert loaded.example.context.times.tolist() == pytest.approx([0.0, 1.0])
    assert loaded.example.target.times.tolist() == pytest.approx([0.5])
    at_once = ViewSelection([1, 7], [13])
    again = load(Case(scene, at_once, ()), at_once, WHOLE, OWN)
    assert again.example.target.times is not None
    assert again.example.target.times.tolist() == [0.0]


@pytest.mark.parametrize("number", [0, 1])
def test_golden_dl3dv_is_read_cropped_and_placed_as_published(shared, number):
    tensors = load_file(shared / "golden/G7_readers.safetensors")
    info = json.loads((shared / "golden/G7_info.json").read_text())[f"provider.dl3dv_eval.scene{number}"]
    root = shared / "golden/fake_datasets/dl3dv_eval"
    index = EvaluationIndex(root / "evaluation_fake.json")
    scene = next(scene for scene in dl3dv_scenes(root) if scene.name in info["dataset_item"])
    case = indexed(scene, index)
    loaded = load(case, case.views, Framing((32, 56), 128, True), Scaling("constant", 0.15))
    context, target = loaded.example.context, loaded.example.target
    prefix = f"provider.dl3dv_eval.scene{number}"
    intrinsics = torch.cat([context.intrinsics, target.intrinsics])
    torch.testing.assert_close(intrinsics, pinhole(tensors[f"{prefix}.intrinsics_all"]), atol=1e-3, rtol=1e-6)
    frame = canonical_frame(context.c2w, "first", "constant", loaded.scale)
    cameras = frame.cameras(torch.cat([context.c2w, target.c2w]))
    # Theirs are world-to-camera, transposed.
    expected = torch.linalg.inv(tensors[f"{prefix}.cam_view_all"].mT.double()).float()
    torch.testing.assert_close(cameras, expected, atol=1e-4, rtol=1e-4)
    if number == 0:
        images = torch.cat([context.images, target.images])
        torch.testing.assert_close(images, tensors[f"{prefix}.images_all"], atol=1e-5, rtol=0)


def test_golden_kubric_is_placed_by_its_depths(shared):
    tensors = load_file(shared / "golden/G7_readers.safetensors")
    info = json.loads((shared / "golden/G7_info.json").read_text())["provider.kubric_test"]
    scene = KubricScene(shared / "golden/fake_datasets" / info["dataset_item"])
    seen = [camera * scene.moments + moment for camera, moment in zip(info["view_indices"], info["frame_indices"])]
    context = scene.load(seen)
    frame = canonical_frame(context.c2w, "mean", "constant", point_map_scale(context, "mean", 1.0))
    expected = tensors["provider.kubric_test.cam_to_world_input"]
    torch.testing.assert_close(frame.cameras(context.c2w), expected, atol=1e-4, rtol=1e-4)
