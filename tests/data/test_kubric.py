import shutil

import pytest
import torch
from made.datasets import made_views, moment_image, write_kubric, write_kubric_camera

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.kubric import KubricScene, kubric_scenes


def test_frames_are_all_moments_of_one_camera_after_another(tmp_path):
    scene = kubric_scenes(write_kubric(tmp_path, 1, cameras=3, moments=4))[0]
    assert (scene.moments, len(scene)) == (4, 12)
    assert scene.times is not None
    torch.testing.assert_close(scene.times, torch.linspace(0, 1, 4).repeat(3))
    views, made = scene.load([2 * 4 + 1, 0 * 4 + 3]), made_views(0, 3, 24, 24)
    assert made.depths is not None
    assert views.depths is not None
    for place, (camera, moment) in enumerate(((2, 1), (0, 3))):
        assert torch.equal(views.images[place], moment_image(made.images[camera], moment, 4))
        assert torch.equal(views.depths[place], made.depths[camera])
        torch.testing.assert_close(views.c2w[place], made.c2w[camera])


def test_only_the_cameras_that_are_asked_for_are_opened(tmp_path):
    (scene,) = kubric_scenes(write_kubric(tmp_path, 1, cameras=3, moments=2))
    _ = scene.c2w
    (scene.source / "output_001.tar").write_bytes(b"")
    assert scene.load([0, 4]).num_views == 2
    with pytest.raises(UserError, match="cannot be read as a Kubric scene"):
        scene.load([2])


def test_scenes_of_all_parts_are_found_from_any_folder_above_them(tmp_path):
    write_kubric(tmp_path, 3, cameras=1, moments=1)
    assert [scene.name for scene in kubric_scenes(tmp_path)] == ["scn00000", "scn00002", "scn00001"]
    assert [scene.name for scene in kubric_scenes(tmp_path / "v1")] == ["scn00001"]
    assert KubricScene(tmp_path / "v1/scn00001").times is not None


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(MissingFileError, match="no Kubric scenes in"):
        kubric_scenes(tmp_path)
    with pytest.raises(MissingFileError, match=r"it has no output_000\.tar"):
        KubricScene(tmp_path).load([0])
    scene = kubric_scenes(write_kubric(tmp_path, 1, cameras=2, moments=2))[0]
    write_kubric_camera(scene.source / "output_002.tar", made_views(0, 1, 24, 24), moments=3)
    with pytest.raises(UserError, match="its cameras differ in the size of their images or in their number"):
        _ = scene.c2w
    (scene.source / "output_000.tar").unlink()
    (left,) = kubric_scenes(tmp_path)  # known as a scene, so that somebody hears of it
    with pytest.raises(MissingFileError, match=r"scn00000 has 2 cameras but no output_000\.tar"):
        _ = left.c2w
    shutil.rmtree(scene.source)
    again = kubric_scenes(write_kubric(tmp_path, 1, cameras=1, moments=1))[0]
    write_kubric_camera(again.source / "output_000.tar", made_views(0, 1, 24, 24), moments=2)
    with pytest.raises(IndexError, match="has frames 0 to 1"):
        again.load([2])
