"""Modules that wait for their first use, as open3d and pymeshlab do on machines that cannot load them."""

import importlib
import inspect
import os
import subprocess
import sys

import pytest

from tokengs_nerfstudio.late_imports import LATE, LateFinder, write_startup_file

WORKING = "from late_works import part\nvalue = part.value + 1\n"
BROKEN = "raise OSError('libX11.so.6: cannot open shared object file')\n"


@pytest.fixture(autouse=True)
def late_modules(tmp_path, monkeypatch):
    """Two packages on the path that run late: one works, the other misses a library of the machine."""
    for name, body in (("late_works", WORKING), ("late_breaks", BROKEN)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(body)
        (tmp_path / name / "part.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [LateFinder(["late_works", "late_breaks"]), *sys.meta_path])
    yield
    for name in [name for name in sys.modules if name.startswith(("late_works", "late_breaks"))]:
        del sys.modules[name]


def test_a_module_runs_at_its_first_use():
    module = importlib.import_module("late_works")
    assert "value" not in vars(module)
    assert module.value == 2
    assert module is sys.modules["late_works"]
    assert type(module.__spec__.loader).__module__ != "tokengs_nerfstudio.late_imports"


def test_part_of_a_module_runs_the_module_first():
    importlib.import_module("late_works")
    part = importlib.import_module("late_works.part")
    assert part.value == 1
    assert vars(sys.modules["late_works"])["value"] == 2


def test_taking_a_name_from_a_module_is_use():
    from late_works import value  # pyright: ignore[reportMissingImports]

    assert value == 2


def test_what_cannot_be_loaded_disturbs_only_its_use():
    module = importlib.import_module("late_breaks")
    assert inspect.getmodule(test_what_cannot_be_loaded_disturbs_only_its_use) is not None
    assert not hasattr(module, "__wrapped__")
    for _ in range(2):
        with pytest.raises(OSError, match="libX11"):
            _ = module.value
    with pytest.raises(OSError, match="libX11"):
        importlib.import_module("late_breaks.part")


def test_a_module_that_is_not_there_is_missed_as_always(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [LateFinder(["late_nowhere"]), *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="late_nowhere"):
        importlib.import_module("late_nowhere")


def test_the_startup_file_makes_pythons_wait(tmp_path):
    file = write_startup_file(tmp_path)
    for name in LATE:
        (tmp_path / f"{name}.py").write_text(BROKEN)
    start = f"import site; site.addsitedir({str(tmp_path)!r}); import open3d, pymeshlab; print('started')"
    command = [sys.executable, "-c", f"{start}\nopen3d.geometry"]
    search = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(command, env=os.environ | search, capture_output=True, text=True, check=False)
    assert done.stdout == "started\n", done.stderr
    assert "OSError: libX11" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.suffix in (".pth", ".tmp")] == [file.name]
