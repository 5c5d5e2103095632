"""What `ns-export` is refused, or told, before it begins."""

import logging
import sys
from types import SimpleNamespace

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras

from tokengs_nerfstudio import exports
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.exports import check_box, check_export, check_photos, warn_of_texture

CPU = torch.device("cpu")
# Gaussians at every tenth from 0 to 2 along x.
ROW = torch.tensor([[place / 10, 0.0, 0.0] for place in range(21)])


def typed(monkeypatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/ns-export", *words])


@pytest.fixture
def meshes(monkeypatch) -> list[list[str]]:
    """A pymeshlab that works, and what was run to see so."""
    runs: list[list[str]] = []

    def run(words: list[str], **_: object) -> SimpleNamespace:
        runs.append(words)
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(exports.subprocess, "run", run)
    return runs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("marching-cubes", "--load-config", "x"), "ns-export tsdf"),
        (("gaussian-splat", "--obb-center", "0", "0", "0"), "--obb-scale"),
        (("pointcloud", "--obb_center", "0", "0", "0", "--obb_scale", "1", "1", "1"), "only --obb-center and"),
    ],
)
def test_exports_that_cannot_be_say_what_to_use(monkeypatch, words, said):
    typed(monkeypatch, *words)
    with pytest.raises(UserError, match=said):
        check_export()


def test_exports_with_a_whole_box_or_none_are_fine(monkeypatch, meshes):
    box = [f"--obb-{name} 0 0 -1" for name in ("center", "rotation", "scale")]
    typed(monkeypatch, "gaussian-splat", *" ".join(box).split())
    check_export()
    assert meshes == []
    typed(monkeypatch, "tsdf")
    check_export()
    assert len(meshes) == 1


@pytest.mark.parametrize(
    ("words", "tried"),
    [
        (("tsdf", "--texture-method", "tsdf"), True),
        (("poisson",), True),
        (("poisson", "--texture-method=point_cloud"), False),
        (("pointcloud",), False),
        (("gaussian-splat",), False),
    ],
)
def test_only_what_goes_through_pymeshlab_tries_it(monkeypatch, meshes, words, tried):
    points = SimpleNamespace(PointCloud=None)
    monkeypatch.setattr(exports.importlib, "import_module", lambda _: SimpleNamespace(geometry=points))
    typed(monkeypatch, *words)
    check_export()
    assert bool(meshes) is tried


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "2023.12.post2 crash beside numpy 2"),
        ("raise ImportError('libGL.so.1: not found')", "libGL.so.1: not found; README"),
    ],
)
def test_a_pymeshlab_that_does_not_work_is_said_before_the_work(monkeypatch, code, said):
    monkeypatch.setattr(exports, "_MESH", code)
    typed(monkeypatch, "tsdf")
    with pytest.raises(UserError, match=f"{said}.*ns-export pointcloud does without"):
        check_export()


def test_an_open3d_that_cannot_be_loaded_is_said_before_the_work(monkeypatch):
    class Late:
        def __getattr__(self, name: str) -> None:
            raise OSError("libX11.so.6: cannot open")

    monkeypatch.setattr(exports.importlib, "import_module", lambda name: Late())
    typed(monkeypatch, "pointcloud")
    with pytest.raises(UserError, match=r"open3d cannot be loaded: libX11.*gaussian-splat does without"):
        check_export()


def test_photos_of_several_sizes_are_no_volume(monkeypatch):
    poses = torch.eye(4)[:3].expand(2, 3, 4)
    cameras = Cameras(poses, 50.0, 50.0, 30.0, 20.0, torch.tensor([[60], [64]]), torch.tensor([[40], [40]]))
    typed(monkeypatch, "poisson")
    check_photos(cameras)
    typed(monkeypatch, "tsdf")
    check_photos(cameras[:1])
    with pytest.raises(UserError, match="2: use ns-export poisson"):
        check_photos(cameras)


def test_a_box_beside_the_scene_says_where_the_scene_is(monkeypatch, caplog):
    typed(monkeypatch, "tsdf", "--bounding-box-min", "-3", "-1", "-1", "--bounding_box_max", "-2", "1", "1")
    with pytest.raises(UserError, match=r"--bounding-box-min 0\.10 0\.00 0\.00 --bounding-box-max 1\.90 0\.00 0\.00"):
        check_box(ROW)
    check_box(ROW[:0])
    typed(monkeypatch, "tsdf", "--use-bounding-box", "False")
    check_box(ROW + 50)
    assert caplog.text == ""


def test_a_box_that_cuts_the_scene_says_so(monkeypatch, caplog):
    caplog.set_level(logging.WARNING, logger="tokengs_nerfstudio")
    typed(monkeypatch, "tsdf", "--bounding-box-max", "2.1", "1", "1")
    check_box(ROW)
    assert caplog.text == ""
    typed(monkeypatch, "tsdf")
    check_box(ROW)
    assert "48% of the Gaussians are in the box" in caplog.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tsdf",), "--texture-method tsdf"),
        (("poisson", "--target-num-faces", "None"), "--texture-method point_cloud"),
        (("poisson", "--target-num-faces", "5000", "--num-pixels-per-side", "512"), ""),
        (("tsdf", "--unwrap-method", "custom"), ""),
        (("tsdf", "--texture-method", "tsdf"), ""),
        (("pointcloud",), ""),
    ],
)
def test_a_texture_that_takes_hours_is_said(monkeypatch, caplog, words, said):
    typed(monkeypatch, *words)
    warn_of_texture(CPU)
    assert said in caplog.text
    assert bool(caplog.text) is bool(said)
    caplog.clear()
    warn_of_texture(torch.device("cuda"))
    assert caplog.text == ""


@pytest.mark.parametrize("kind", ["gaussian-splat", "pointcloud"])
def test_a_box_with_nothing_in_it_is_refused(monkeypatch, kind):
    means = torch.linspace(-1, 1, 30).reshape(10, 3)
    turned = ("--obb-rotation", "0", "0", "0.7", "--obb-scale", "1", "1", "1")
    typed(monkeypatch, kind, "--obb_center", "0", "0", "0", *turned)
    check_box(means)
    typed(monkeypatch, kind, "--obb-center", "9", "0", "0", *turned)
    with pytest.raises(UserError, match=r"nothing of the scene is in the box of --obb-center.*from -0\.91 .* to "):
        check_box(means)
    check_box(means[:0])
