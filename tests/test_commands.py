"""The real ns-* commands, each in a process of its own, on a tiny capture without a GPU."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from made.captures import write_blobs, write_weights
from made.ply import read_vertices
from PIL import Image
from scipy.spatial import KDTree

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.types import Gaussians
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig
from tokengs_nerfstudio.trainer import newest_checkpoint

pytestmark = pytest.mark.slow

COMMANDS = Path(sys.executable).parent
# nerfstudio wakes a pool of compiler processes with every command; none of them has anything to do.
QUICK = {"TORCHINDUCTOR_COMPILE_THREADS": "1"}


def run(name: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(COMMANDS / name), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment(cwd), capture_output=True, text=True, check=False)


def environment(cwd: Path) -> dict[str, str]:
    """An ffmpeg on the path, as ns-render wants it: PyPI's where the machine has none."""
    tools = cwd / "bin"
    return os.environ | {
        "PATH": f"{tools}{os.pathsep}{COMMANDS}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
        **QUICK,
    }


def train_arguments(workplace: Path, *more: object) -> list[str]:
    arguments = [
        *("tokengs", "--data", workplace / "scene", "--output-dir", workplace / "outputs", "--timestamp", "run"),
        *("--viewer.quit-on-train-completion", "True", "--pipeline.model.checkpoint", workplace / "small.safetensors"),
        *more,
    ]
    return [str(argument) for argument in arguments]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    write_blobs(folder / "scene", height=64, width=80)
    write_weights(folder / "small.safetensors")
    (folder / "bin").mkdir()
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    (folder / "bin/ffmpeg").symlink_to(ffmpeg)
    return folder


@pytest.fixture(scope="module")
def config(workplace) -> Path:
    """A finished run whose weights are gone."""
    tuning = ("--pipeline.model.tuning.space", "gaussians", "--pipeline.model.tuning.stopping.rule", "steps")
    finished = run("ns-train", *train_arguments(workplace, "--max-num-iterations", 60, *tuning), cwd=workplace)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "256 Gaussians from 3 views" in finished.stdout
    (workplace / "small.safetensors").rename(workplace / "away.safetensors")
    return workplace / "outputs/scene/tokengs/run/config.yml"


def splats(file: Path) -> Gaussians:
    """The Gaussians of an exported PLY, by the convention every splat viewer follows."""
    vertex = read_vertices(file)

    def columns(*names: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([vertex[name] for name in names], axis=-1)).float()

    assert all(np.isfinite(vertex[name]).all() for name in vertex.dtype.names)
    return Gaussians(
        means=columns("x", "y", "z"),
        quats=torch.nn.functional.normalize(columns("rot_0", "rot_1", "rot_2", "rot_3"), dim=-1),
        scales=columns("scale_0", "scale_1", "scale_2").exp(),
        opacities=columns("opacity")[:, 0].sigmoid(),
        colors=columns("f_dc_0", "f_dc_1", "f_dc_2") * 0.28209479177387814 + 0.5,
    )


def test_evaluation(workplace, config):
    done = run("ns-eval", "--load-config", config, "--output-path", workplace / "eval.json", cwd=workplace)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((workplace / "eval.json").read_text())["results"]
    assert results["psnr"] > 10
    assert 0 < results["ssim"] <= 1
    assert results["held_out_images"] == 2


def test_the_exported_file_shows_what_ns_render_shows(workplace, config):
    exported = run("ns-export", "gaussian-splat", "--load-config", config, "--output-dir", workplace, cwd=workplace)
    assert exported.returncode == 0, exported.stdout + exported.stderr
    target = workplace / "renders"
    options = ("--split", "test", "--image-format", "png", "--output-path", target)
    rendered = run("ns-render", "dataset", "--load-config", config, *options, cwd=workplace)
    assert rendered.returncode == 0, rendered.stdout + rendered.stderr

    parsed = TokenGSDataParserConfig(data=workplace / "scene").setup().get_dataparser_outputs("test")
    c2w, intrinsics = bridge.camera_matrices(parsed.cameras)
    ours = render(splats(workplace / "splat.ply"), c2w, intrinsics, 80, 64, background=0.5).rgb
    for index, path in enumerate(parsed.image_filenames):
        theirs = np.asarray(Image.open(target / "test/rgb" / path.name)).astype(int)
        assert np.abs(theirs - 255 * ours[index].movedim(0, -1).clamp(0, 1).numpy()).max() <= 2
        assert theirs.std() > 5


def export(kind: str, workplace: Path, config: Path, *more: object) -> subprocess.CompletedProcess[str]:
    options = ("--load-config", config, "--output-dir", workplace / kind, *more)
    return run("ns-export", kind, *options, cwd=workplace)


def test_points_and_a_mesh_of_them_lie_on_the_surface(workplace, config):
    for kind, more in (("pointcloud", ()), ("poisson", ("--texture-method", "point_cloud"))):
        done = export(kind, workplace, config, "--num-points", 5000, *more)
        assert done.returncode == 0, done.stdout + done.stderr
    points, mesh = (
        np.asarray(trimesh.load(workplace / file, process=False).vertices)
        for file in ("pointcloud/point_cloud.ply", "poisson/poisson_mesh.ply")
    )
    away = KDTree(points).query(mesh)[0]
    assert np.median(away) < 0.05 * np.ptp(points, axis=0).max()


def test_a_mesh_of_depths_has_a_texture_or_is_refused_in_one_line(workplace, config):
    """Refused where the installed pymeshlab crashes, as constraints.txt had one that did."""
    small = ("--resolution", 32, "--target-num-faces", 300, "--num-pixels-per-side", 32)
    done = export("tsdf", workplace, config, *small)
    if done.returncode == 0:
        mesh = trimesh.load(workplace / "tsdf/tsdf_mesh.ply", process=False)
        assert len(mesh.faces) > 0
        assert np.abs(mesh.vertices).max() <= 1 + 1e-5
        assert np.asarray(Image.open(workplace / "tsdf/material_0.png")).std() > 5
    else:
        assert "Traceback" not in done.stderr
        assert "Error: pymeshlab, which writes the mesh, does not work here" in done.stdout + done.stderr


def test_video_between_held_out_cameras(workplace, config):
    video = workplace / "video.mp4"
    options = ("--interpolation-steps", 2, "--output-path", video)
    done = run("ns-render", "interpolate", "--load-config", config, *options, cwd=workplace)
    assert done.returncode == 0, done.stdout + done.stderr
    assert video.stat().st_size > 1000


def test_spiral(workplace, config):
    options = ("--seconds", 0.2, "--output-format", "images", "--output-path", workplace / "spiral.mp4")
    done = run("ns-render", "spiral", "--load-config", config, *options, cwd=workplace)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((workplace / "spiral").iterdir())) == 4


def test_killed_in_the_middle_a_run_goes_on(workplace, config):
    """kill -9 after the first checkpoint, then --load-dir: the rest of the plan and no half-written file."""
    (workplace / "away.safetensors").replace(workplace / "small.safetensors")
    plan = ("--max-num-iterations", 400, "--steps-per-save", 20, "--pipeline.model.tuning.stopping.rule", "steps")
    first = [str(COMMANDS / "ns-train"), *train_arguments(workplace, *plan, "--experiment-name", "killed")]
    models = workplace / "outputs/killed/tokengs/run/nerfstudio_models"
    process = subprocess.Popen(first, cwd=workplace, env=environment(workplace), stdout=subprocess.DEVNULL)
    try:
        started = time.monotonic()
        while not (models.is_dir() and any(models.iterdir())):
            assert process.poll() is None
            assert time.monotonic() - started < 300
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < steps_done(models) < 400
    more = train_arguments(workplace, *plan, "--experiment-name", "resumed", "--load-dir", models.parent)
    again = run("ns-train", *more, cwd=workplace)
    assert again.returncode == 0, again.stdout + again.stderr
    assert steps_done(workplace / "outputs/resumed/tokengs/run") == 400


def steps_done(folder: Path) -> int:
    return torch.load(newest_checkpoint(folder), weights_only=True)["tuning"]["state"]["steps_done"]


def test_what_is_wrong_is_said_in_one_line(workplace, config):
    arguments = train_arguments(workplace, "--data", workplace / "nowhere")
    failed = run("ns-train", *arguments, cwd=workplace)
    assert failed.returncode == 1
    assert "no capture at" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_damaged_weight_file_ends_the_command_with_one_line(workplace):
    damaged = workplace / "damaged.safetensors"
    write_weights(damaged)
    damaged.write_bytes(damaged.read_bytes()[:5000])
    arguments = train_arguments(workplace, "--experiment-name", "damaged", "--pipeline.model.checkpoint", damaged)
    failed = run("ns-train", *arguments, cwd=workplace)
    assert failed.returncode == 1
    errors = [line for line in failed.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert f"{damaged} is cut short: 5,000 bytes of" in errors[0]
    assert "Traceback" not in failed.stderr
