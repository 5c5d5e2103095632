"""What people look at."""

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from made.datasets import write_kubric
from made.evaluations import OWN, WHOLE, Sequence
from made.ply import read_vertices
from made.scenes import arc_cameras, small_network
from PIL import Image

from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.data import ViewSelection
from tokengs_nerfstudio.data.kubric import kubric_scenes
from tokengs_nerfstudio.evaluation.cases import Case, load
from tokengs_nerfstudio.evaluation.measuring import measure
from tokengs_nerfstudio.evaluation.media import along, complete, write_media

VIEWS = ViewSelection([0, 4, 8], [6, 2])


def frames_of(file) -> tuple[int, tuple[int, int]]:
    reader = imageio_ffmpeg.read_frames(str(file))
    size = next(reader)["size"]
    return sum(1 for _ in reader), size


def test_pictures_depths_a_film_and_gaussians(tmp_path):
    scene = Sequence(12)
    photos = load(Case(scene, VIEWS, ()), VIEWS, WHOLE, OWN)
    measured = measure(small_network(), photos)
    assert not complete(tmp_path, "a/b")
    write_media(tmp_path, "a/b", VIEWS.target, measured)
    assert complete(tmp_path, "a/b")
    (folder,) = (tmp_path / "images").iterdir()
    assert {path.name for path in folder.iterdir()} == {"00006.png", "00002.png", "00006_true.png", "00002_true.png"}
    shown = np.asarray(Image.open(folder / "00006.png")) / 255
    true = np.asarray(Image.open(folder / "00002_true.png")) / 255
    assert np.abs(shown - measured.pictures[0].movedim(0, -1).numpy()).max() < 0.003
    assert np.abs(true - photos.example.target.images[1].movedim(0, -1).numpy()).max() < 0.003
    assert frames_of(tmp_path / f"videos/{folder.name}.mp4") == (5, (32, 24))

    # The Gaussians and the depths are in the units of the scene's own world.
    rows = read_vertices(tmp_path / f"gaussians/{folder.name}.ply")
    splats = measured.splats_at(None).transformed(measured.scene.to_canonical.inverse())
    kept = splats.opacities >= 0.005
    assert np.allclose(rows["z"], splats.means[kept, 2].detach().numpy())
    target = photos.example.target
    world = render(splats, target.c2w, target.intrinsics, 32, 24, near=1e-6)
    depth = np.asarray(Image.open(tmp_path / f"depths/{folder.name}/00006.tiff"))
    assert world.depth is not None
    near, far = depth[depth > 0], world.depth[0, 0].detach().numpy()[depth > 0]
    assert np.median(np.abs(near / far - 1)) < 0.01
    assert np.asarray(Image.open(tmp_path / f"depths/{folder.name}/00006.png")).max() == 255


def test_the_film_of_what_moves_goes_through_its_time(tmp_path):
    scene = kubric_scenes(write_kubric(tmp_path / "data", count=1))[0]
    views = ViewSelection([0, 8, 17], [2])
    network = small_network(time_channels=2, dynamic_tokens=8)
    write_media(tmp_path, scene.name, [2], measure(network, load(Case(scene, views, ()), views, WHOLE, OWN)))
    assert frames_of(tmp_path / f"videos/{scene.name}.mp4")[0] == 48


def test_a_way_from_camera_to_camera_passes_them_and_stays_rigid():
    cameras = arc_cameras(4)
    way = along(cameras, 5)
    assert way.shape == (16, 4, 4)
    torch.testing.assert_close(way[::5], cameras, atol=1e-5, rtol=0)
    torch.testing.assert_close(way[2, :3, 3], torch.lerp(cameras[0, :3, 3], cameras[1, :3, 3], 0.4))
    assert torch.linalg.det(way[:, :3, :3]).tolist() == pytest.approx([1.0] * 16, abs=1e-5)
    assert along(cameras[:1], 5).shape == (1, 4, 4)
