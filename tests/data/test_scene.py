import threading

import torch

from tokengs_nerfstudio.data import NerfstudioCapture, Scene


def test_a_capture_is_a_scene(make_capture):
    assert isinstance(NerfstudioCapture(make_capture()), Scene)


def test_cameras_are_at_hand_without_decoding(make_capture, monkeypatch):
    def refuse(*args: object) -> None:
        raise AssertionError("an image was decoded")

    monkeypatch.setattr("tokengs_nerfstudio.data.capture.capture.read_image", refuse)
    scene: Scene = NerfstudioCapture(make_capture())
    assert (scene.c2w.shape, scene.intrinsics.shape, scene.image_size) == ((3, 4, 4), (3, 3, 3), (30, 40))


def test_loading_keeps_the_order_asked_for_and_repeats_frames(make_capture):
    scene: Scene = NerfstudioCapture(make_capture())
    views, all_views = scene.load([2, 0, 2]), scene.load(range(3))
    assert torch.equal(views.images, all_views.images[[2, 0, 2]])
    assert torch.equal(views.c2w, scene.c2w[[2, 0, 2]])
    assert scene.load([]).images.shape == (0, 3, 30, 40)


def test_several_threads_may_load_at_once(make_capture):
    scene: Scene = NerfstudioCapture(make_capture(count=6))
    expected = scene.load(range(6)).images
    loaded: list[torch.Tensor] = []
    threads = [threading.Thread(target=lambda: loaded.append(scene.load(range(6)).images)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 4
    assert all(torch.equal(images, expected) for images in loaded)
