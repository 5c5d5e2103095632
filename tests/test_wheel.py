"""What users install: the wheel, put into an environment that has nerfstudio, and used far from this checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tokengs_nerfstudio"


def run(*command: object, cwd: Path) -> str:
    """The output of a command that knows nothing of this checkout and must succeed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    clean |= {"TORCHINDUCTOR_COMPILE_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, since building leaves files behind that a later build would take up again."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(PACKAGE, folder / "source" / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, folder / "source", cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """The Python of an environment with the wheel, which finds all else where these tests find it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    found = folder / "bin/python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        found,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
        cwd=folder,
    )
    site = Path(run(found, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # Only the folder is searched: the .pth files in it, an editable installation's among them, are not run.
    (site / "parent.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return found


def test_the_wheel_is_small_and_has_all_that_the_package_has(wheel):
    assert wheel.stat().st_size <= 60e6
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith(f"{PACKAGE.name}/")}
        licences = [name for name in archive.namelist() if name.endswith("LICENSE")]
    files = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*") if path.is_file()}
    assert names == {name for name in files if "__pycache__" not in name}
    assert len(licences) == 1
    sample = "tokengs_nerfstudio/samples/banana"
    assert {"tokengs_nerfstudio/weights/tiny.safetensors", f"{sample}/NOTICE.txt", f"{sample}/transforms.json"} <= names
    assert len([name for name in names if name.startswith(f"{sample}/images/")]) == 15
    indices = [name for name in names if name.startswith("tokengs_nerfstudio/evaluation/indices/")]
    assert len(indices) == 4  # three benchmarks, and where they come from


def test_installed_it_reconstructs_its_sample_from_anywhere(python, tmp_path):
    code = (
        "from importlib.metadata import distribution\n"
        "import tokengs_nerfstudio.samples as samples\n"
        "print(distribution('tokengs_nerfstudio').locate_file(''))\n"
        "print(samples.__file__)\n"
        "print(samples.sample_capture())\n"
    )
    places = run(python, "-c", code, cwd=tmp_path).split()
    assert [place for place in places if not Path(place).is_relative_to(python.parents[1])] == []
    command = Path(sys.executable).parent / "ns-train"
    arguments = (
        "tokengs",
        "--data",
        places[-1],
        "--max-num-iterations",
        2,
        "--output-dir",
        tmp_path,
        "--timestamp",
        "run",
    )
    told = run(python, command, *arguments, "--viewer.quit-on-train-completion", "True", cwd=tmp_path)
    assert "32,768 Gaussians from 4 views" in told
    assert "2 tuning steps" in told
    assert (tmp_path / "banana/tokengs/run/config.yml").is_file()
