"""The Python blocks of README.md and docs/ run as they stand, with fewer steps."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/python.md", "docs/conventions.md")
SKETCHES = {"docs/moving.md", "docs/scenes.md"}
"""Pages whose blocks speak of an example or a config that the reader has."""
FEWER = {"steps=200": "steps=2", "seconds=20": "steps=2"}


def program(page: str) -> str:
    """All blocks of a page, one after the other."""
    text = "\n".join(re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE))
    for written, run in FEWER.items():
        text = text.replace(written, run)
    return text


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_are_a_program(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    exec(compile(program(page), page, "exec"), known)
    if page == "docs/python.md":
        assert (tmp_path / "banana.ply").stat().st_size > (tmp_path / "banana.spz").stat().st_size > 0
        assert known["guess"].means.shape[-1] == 3  # type: ignore[attr-defined]


def test_no_page_has_python_that_is_not_run():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert {str(page.relative_to(ROOT)) for page in pages if "```python" in page.read_text()} == {*PAGES, *SKETCHES}


@pytest.mark.parametrize("page", sorted(SKETCHES))
def test_what_sketches_import_is_there(page):
    imports = [line for line in program(page).splitlines() if line.startswith(("import ", "from "))]
    assert imports
    exec("\n".join(imports), {})
