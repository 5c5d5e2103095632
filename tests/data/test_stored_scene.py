"""What all readers of data sets have in common, tried with each of them."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from made.datasets import HASHES, made_views, moment_image, write_dl3dv, write_kubric, write_re10k

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.resize import resized
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.dl3dv import dl3dv_scenes
from tokengs_nerfstudio.data.kubric import kubric_scenes
from tokengs_nerfstudio.data.re10k import re10k_scenes
from tokengs_nerfstudio.data.scene import Scene
from tokengs_nerfstudio.data.stored_scene import StoredScene, decoded, size_of

FRAMES = 5
Case = tuple[list[StoredScene], Callable[[], Views]]


def kubric_views() -> Views:
    """All frames of the second scene of `write_kubric`, camera after camera."""
    seen, moments = made_views(1, FRAMES, 24, 24), 3
    repeated = seen.select([camera for camera in range(FRAMES) for _ in range(moments)])
    images = [moment_image(image, place % moments, moments) for place, image in enumerate(repeated.images)]
    times = torch.linspace(0, 1, moments).repeat(FRAMES)
    return Views(torch.stack(images), repeated.c2w, repeated.intrinsics, times=times, depths=repeated.depths)


def still_views() -> Views:
    views = made_views(1, FRAMES)
    return Views(views.images, views.c2w, views.intrinsics)


@pytest.fixture(params=["dl3dv", "dl3dv-benchmark", "re10k", "kubric"])
def case(request, tmp_path) -> Case:
    """Two scenes of a data set, and what the second of them holds."""
    match request.param:
        case "re10k":
            return [*re10k_scenes(write_re10k(tmp_path, 1, 2, FRAMES))], still_views
        case "kubric":
            return [*kubric_scenes(write_kubric(tmp_path, 2, FRAMES, 3))], kubric_views
        case _:
            benchmark = request.param.endswith("benchmark")
            return [*dl3dv_scenes(write_dl3dv(tmp_path, 2, FRAMES, benchmark))], still_views


def test_what_was_written_is_read(case: Case) -> None:
    scenes, views = case
    scene, expected = scenes[1], views()
    assert isinstance(scene, Scene)
    assert len(scene) == expected.num_views
    found = scene.load(range(len(scene)))
    for name in ("images", "c2w", "intrinsics", "times", "depths"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert (ours is None) == (theirs is None), name
        if theirs is not None:
            torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-5, msg=name)
    assert found.masks is None
    assert found.alphas is None
    assert scene.image_size == (expected.height, expected.width)
    assert torch.equal(scene.c2w, found.c2w)


def test_order_and_repetitions_are_those_asked_for(case: Case) -> None:
    scene = case[0][0]
    some, all_of_them = scene.load([2, 0, 2]), scene.load(range(len(scene)))
    assert torch.equal(some.images, all_of_them.images[[2, 0, 2]])
    assert torch.equal(some.c2w, all_of_them.c2w[[2, 0, 2]])
    assert scene.load([]).images.shape == (0, 3, *scene.image_size)
    with pytest.raises(IndexError, match=f"has frames 0 to {len(scene) - 1}, asked for \\[-1, {len(scene)}\\]"):
        scene.load([0, -1, len(scene)])


def test_cameras_are_at_hand_without_decoding(case: Case, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("an image was decoded")

    for module in ("stored_scene", "kubric"):
        monkeypatch.setattr(f"tokengs_nerfstudio.data.{module}.decoded", refuse)
    scene = case[0][0]
    assert len(scene.c2w) == len(scene.intrinsics) == len(scene)


@pytest.mark.parametrize("kind", ["dl3dv", "re10k", "kubric"])
def test_images_are_read_as_small_as_is_asked_for(tmp_path, kind) -> None:
    writers = {"dl3dv": write_dl3dv, "re10k": write_re10k, "kubric": write_kubric}
    listers = {"dl3dv": dl3dv_scenes, "re10k": re10k_scenes, "kubric": kubric_scenes}
    write, scenes = writers[kind], listers[kind]
    root = write(tmp_path, 1)
    whole, small = scenes(root)[0], scenes(root, max_size=16)[0]
    views, theirs = small.load([0, 1]), whole.load([0, 1])
    size = whole.image_size
    assert small.image_size == views.images.shape[-2:] == (round(16 * size[0] / size[1]), 16)
    torch.testing.assert_close(views.intrinsics, resized(theirs, *small.image_size).intrinsics)
    torch.testing.assert_close(views.images, resized(theirs, *small.image_size).images, atol=2 / 255, rtol=0)
    assert (views.depths is None) == (theirs.depths is None)
    if views.depths is not None:
        assert views.depths.shape[-2:] == small.image_size
    assert scenes(root, max_size=4096)[0].load([0]).images.equal(whole.load([0]).images)


def test_listing_opens_nothing(tmp_path) -> None:
    """Zips that are none, an empty chunk, empty tars: nobody finds out until a scene is asked for."""
    for number in range(3):
        (tmp_path / f"dl3dv/{HASHES[number]}.zip").parent.mkdir(exist_ok=True)
        (tmp_path / f"dl3dv/{HASHES[number]}.zip").write_bytes(b"nothing")
    write_re10k(tmp_path / "re10k", 1, 3)
    (tmp_path / "re10k/train/000000.torch").write_bytes(b"nothing")
    for number in range(3):
        folder = tmp_path / f"kubric/v0/scene-{number}"
        folder.mkdir(parents=True)
        (folder / "output_000.tar").write_bytes(b"nothing")
    found: list[list[StoredScene]] = [
        [*dl3dv_scenes(tmp_path / "dl3dv")],
        [*re10k_scenes(tmp_path / "re10k")],
        [*kubric_scenes(tmp_path / "kubric")],
    ]
    for scenes in found:
        assert len(scenes) == 3
        with pytest.raises(UserError, match=r"cannot be read as a .*; replace it, or take it away"):
            _ = scenes[0].c2w
        with pytest.raises(UserError, match=str(scenes[1].source)):
            scenes[1].load([0])


def open_files(folder: Path) -> list[str]:
    handles = [handle for handle in Path("/proc/self/fd").iterdir() if handle.exists()]
    return [str(target) for handle in handles if (target := handle.readlink()).is_relative_to(folder)]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
def test_nothing_stays_open(case: Case, tmp_path) -> None:
    for scene in case[0]:
        scene.load([0, 1])
    assert open_files(tmp_path) == []


def test_several_threads_may_load_at_once(case: Case) -> None:
    scenes, _ = case
    order = [index % len(scenes) for index in range(6)]
    found: dict[int, torch.Tensor] = {}

    def load(place: int, index: int) -> None:
        found[place] = scenes[index].load(range(3)).images

    threads = [threading.Thread(target=load, args=pair) for pair in enumerate(order)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[place], scenes[index].load(range(3)).images) for place, index in enumerate(order))


def test_images_of_another_size_become_like_the_others_and_of_another_shape_are_refused(tmp_path) -> None:
    from made.datasets import encoded

    picture = torch.rand(3, 12, 16)
    data = encoded(picture.repeat_interleave(2, 1).repeat_interleave(2, 2))
    assert size_of(data) == (24, 32)
    assert decoded([data], (12, 16)).shape == (1, 3, 12, 16)
    torch.testing.assert_close(decoded([data], (24, 32))[0, :, ::2, ::2], picture, atol=0.5 / 255 + 1e-6, rtol=0)
    with pytest.raises(ValueError, match="one of its images is 32x24, another 16x16"):
        decoded([data], (16, 16))
