"""`ns-train tokengs` on photos and a film without poses, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made.captures import write_weights
from made.walk import camera, picture, walk, write_film, write_photos

pytestmark = pytest.mark.slow


def train(data: Path, workplace: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [
        *(str(Path(sys.executable).parent / "ns-train"), "tokengs", "--data", data.name, "--output-dir", "outputs"),
        *("--timestamp", "run", "--viewer.quit-on-train-completion", "True", "--max-num-iterations", "3"),
        *("--pipeline.model.checkpoint", str(write_weights(workplace / "small.safetensors"))),
    ]
    quick = {"TORCHINDUCTOR_COMPILE_THREADS": "1", "COLUMNS": "300", "XDG_CACHE_HOME": str(workplace / "cache")}
    return subprocess.run(
        command, cwd=workplace, env=os.environ | quick | environment, capture_output=True, text=True, check=False
    )


def test_photos_are_posed_and_then_trained_on(tmp_path):
    pytest.importorskip("pycolmap", reason="structure from motion is pycolmap's")
    folder = write_photos(tmp_path / "photos", walk(6))
    first = train(folder, tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "photos has no poses yet: finding them" in first.stdout
    assert "6 of 6 photos posed, " in first.stdout
    assert (folder / "transforms.json").is_file()
    assert list((tmp_path / "outputs/photos/tokengs/run/nerfstudio_models").glob("step-*.ckpt"))


def test_a_film_is_posed_and_then_trained_on(tmp_path):
    pytest.importorskip("pycolmap", reason="structure from motion is pycolmap's")
    film = write_film(tmp_path / "walk.mp4", [picture(camera(at)) for at in np.linspace(0, 1, 24)])
    finished = train(film, tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "frames chosen by sharpness and motion" in finished.stdout
    assert (tmp_path / "walk_capture/transforms.json").is_file()
    assert list((tmp_path / "outputs").rglob("run/nerfstudio_models/step-*.ckpt"))


def test_what_cannot_be_posed_ends_in_one_line(tmp_path):
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/pycolmap.py").write_text("raise ImportError")
    folder = write_photos(tmp_path / "photos", walk(2))
    ended = train(folder, tmp_path, PYTHONPATH=f"{tmp_path / 'hidden'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "Error: photos without poses need pycolmap: pip install 'tokengs_nerfstudio[sfm]'" in ended.stderr
    assert not (tmp_path / "outputs").exists()
