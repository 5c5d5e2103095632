"""A scene in which one thing moves, from photos with times to a film and a file, by the real commands."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made.moving import moving_network, write_moving_capture
from made.ply import read_vertices
from PIL import Image

from tokengs_nerfstudio.commands.paths import write_path
from tokengs_nerfstudio.core.checkpoint.loading import save_network
from tokengs_nerfstudio.data.finished_run import read_run

pytestmark = pytest.mark.slow

COMMANDS = Path(sys.executable).parent
NAMES = ("rgb", "flow", "static", "dynamic")


def run(name: str, *arguments: object, cwd: Path) -> str:
    command = [str(COMMANDS / name), *map(str, arguments)]
    path = f"{cwd / 'bin'}{os.pathsep}{COMMANDS}{os.pathsep}{os.environ['PATH']}"
    usual = {"PATH": path, "COLUMNS": "250", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    done = subprocess.run(command, cwd=cwd, env=os.environ | usual, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("moving")
    write_moving_capture(folder / "scene")
    save_network(moving_network(), folder / "moving.safetensors")
    (folder / "bin").mkdir()
    (folder / "bin/ffmpeg").symlink_to(pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe())
    return folder


@pytest.fixture(scope="module")
def finished(workplace) -> Path:
    """The folder of a run that has seen photos of four times and was tuned on ten."""
    said = run(
        "ns-train",
        *("tokengs", "--data", workplace / "scene", "--output-dir", workplace / "outputs", "--timestamp", "run"),
        *("--pipeline.model.checkpoint", workplace / "moving.safetensors", "--max-num-iterations", 30),
        *("--pipeline.datamanager.context-indices", 0, 1, 2, 3, "--vis", "tensorboard"),
        cwd=workplace,
    )
    assert "The scene moves: baked at 8 times from 0 to 1, 64 moving Gaussians" in said
    (workplace / "moving.safetensors").unlink()
    return workplace / "outputs/scene/tokengs/run"


def pictures(folder: Path) -> list[np.ndarray]:
    """[height width 3] in [0, 1], in the order of their names."""
    return [np.asarray(Image.open(path).convert("RGB")) / 255 for path in sorted(folder.glob("*.png"))]


def redness(picture: np.ndarray) -> tuple[float, float]:
    """How much more red than anything else there is in a picture, and in which column on average."""
    red = (picture[..., 0] - picture[..., 1:].max(-1) - 0.05).clip(0)
    return float(red.sum()), float((red * np.arange(red.shape[1])).sum() / red.sum())


def test_a_film_in_which_time_runs_shows_what_moves_and_its_flow(workplace, finished):
    """Four pictures beside each other, as nerfstudio writes several outputs: what is red goes to the right."""
    write_path(finished, workplace / "path.json", "time-lapse", frames=4)
    run(
        "ns-render",
        *("camera-path", "--load-config", finished / "config.yml", "--camera-path-filename", workplace / "path.json"),
        *("--output-format", "images", "--image-format", "png", "--output-path", workplace / "film"),
        *("--rendered-output-names", *NAMES),
        cwd=workplace,
    )
    film = [dict(zip(NAMES, np.split(picture, 4, axis=1))) for picture in pictures(workplace / "film")]
    columns = [redness(picture["dynamic"])[1] for picture in film]
    assert columns[0] < columns[1] < columns[2] < columns[3]
    assert columns[3] - columns[0] > 15
    static = [picture["static"] for picture in film]
    assert np.abs(static[0] - static[3]).max() < 1 / 200
    assert redness(film[1]["dynamic"])[0] > 2 * redness(static[0])[0]
    # Nothing is after the last time; before it, what is red in the picture moves to the right and down: warm colours.
    assert film[3]["flow"].min() > 0.99
    moving = film[1]["rgb"][..., 0] - film[1]["rgb"][..., 1:].max(-1) > 0.3
    assert moving.sum() > 20
    warm = film[1]["flow"][moving].mean(0)
    assert warm[0] > warm[2] + 0.1


def test_photos_are_rendered_at_their_own_times(workplace, finished):
    """Nearer to themselves than to photos of other times from nearly the same place."""
    run(
        "ns-render",
        *("dataset", "--load-config", finished / "config.yml", "--split", "train", "--image-format", "png"),
        *("--rendered-output-names", "rgb", "flow", "--output-path", workplace / "renders"),
        cwd=workplace,
    )
    rendered = pictures(workplace / "renders/train/rgb")
    names = [path.name for path in sorted((workplace / "renders/train/rgb").glob("*.png"))]
    photos = [np.asarray(Image.open(workplace / "scene/images" / name).convert("RGB")) / 255 for name in names]
    assert len(rendered) == 10
    assert len(pictures(workplace / "renders/train/flow")) == 10
    own, other = (
        np.mean([np.square(one - two).mean() for one, two in zip(rendered, some)]) for some in (photos, photos[::-1])
    )
    assert own < 0.6 * other


def test_the_exported_file_is_the_first_time(workplace, finished):
    run(
        "ns-export",
        "gaussian-splat",
        "--load-config",
        finished / "config.yml",
        "--output-dir",
        workplace,
        cwd=workplace,
    )
    vertex = read_vertices(workplace / "splat.ply")
    baked = read_run(finished).baked
    found = np.stack([vertex[name] for name in "xyz"], axis=-1)
    assert len(found) == baked.still.count > 64
    np.testing.assert_allclose(found, baked.at(0.0).means.numpy(), atol=1e-5)
    assert np.abs(found - baked.at(1.0).means.numpy()).max() > 0.05
