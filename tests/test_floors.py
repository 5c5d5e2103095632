"""The lower floor stands without nerfstudio, `core` without `data`, and importing the package costs nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tokengs_nerfstudio"

BLOCKED = """
import importlib, pkgutil, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked in this test", name=name)

sys.meta_path.insert(0, Block())
try:
    import {first}
except ModuleNotFoundError as error:
    assert error.name == {first!r}, error
else:
    raise SystemExit("the block does not work")
"""

IMPORT_ALL = """
for floor in {floors!r}:
    package = importlib.import_module("tokengs_nerfstudio." + floor)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        print(module.name)
"""


def run(code: str) -> str:
    """Run code in a fresh interpreter, so that nothing other tests imported can hide a missing import."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def modules_below(folder: Path) -> set[str]:
    files = [file for file in folder.rglob("*.py") if file.name != "__init__.py"]
    return {".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files}


@pytest.fixture(scope="module")
def imported_without_nerfstudio() -> list[str]:
    """Every module of the lower floor, imported with nerfstudio blocked; after those of core, what data brought in."""
    blocked = BLOCKED.format(blocked=("nerfstudio",), first="nerfstudio")
    seen = "print('data:', sorted(name for name in sys.modules if name.startswith('tokengs_nerfstudio.data')))\n"
    return run(blocked + IMPORT_ALL.format(floors=("core",)) + seen + IMPORT_ALL.format(floors=("data",))).splitlines()


def test_lower_floor_imports_without_nerfstudio(imported_without_nerfstudio):
    expected = modules_below(PACKAGE / "core") | modules_below(PACKAGE / "data")
    assert expected <= set(imported_without_nerfstudio)


def test_core_never_imports_data(imported_without_nerfstudio):
    assert "data: []" in imported_without_nerfstudio


def test_importing_the_package_imports_nothing_heavy():
    # An environment may have it imported as Python starts: see late_imports.
    code = "import sys, tokengs_nerfstudio; print(sorted({'numba', 'numpy', 'nerfstudio', 'torch'} & set(sys.modules)))"
    assert run(code).strip() == "[]"


def test_core_imports_without_its_rasterizers():
    blocked = BLOCKED.format(blocked=("gsplat", "numba", "nerfstudio"), first="numba")
    run(blocked + "import tokengs_nerfstudio.core\nassert not {'gsplat', 'numba'} & set(sys.modules)")


def imported_names(file: Path) -> set[str]:
    """What a file imports anywhere, functions included: module names, and names taken from modules."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize(
    ("floor", "forbidden"),
    [
        ("core", ("nerfstudio.", "tokengs_nerfstudio.data")),
        ("data", ("nerfstudio.", "gsplat.")),
    ],
)
def test_no_late_import_breaks_the_floors(floor, forbidden):
    files = list((PACKAGE / floor).rglob("*.py"))
    assert len(files) > 5
    for file in files:
        wrong = [name for name in imported_names(file) if f"{name}.".startswith(forbidden)]
        assert not wrong, f"{file} imports {wrong}"


def test_only_rendering_knows_gsplat_and_one_module_numba():
    for file in PACKAGE.rglob("*.py"):
        names = [f"{name}." for name in imported_names(file)]
        assert "rendering" in file.parts or not any(name.startswith("gsplat.") for name in names), file
        assert file.name == "compiled.py" or not any(name.startswith("numba.") for name in names), file
