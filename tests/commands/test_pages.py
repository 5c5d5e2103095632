"""README.md and the pages on data sets, training and evaluation: every command on them is one that its script takes."""

import pytest
from made.pages import begun, commands

PAGES = ("README.md", "docs/datasets.md", "docs/evaluation.md", "docs/scenes.md", "docs/training.md")
SCRIPTS = {"tokengs-pretrain": "Run", "tokengs-evaluate": "Run", "tokengs-report": "write_report"}


def told(page: str, script: str) -> list[list[str]]:
    """The words after a script's name, also behind torchrun; not of commands that leave theirs out."""
    found = [words for words in commands(page) if script in words and words[0] != "ns-train"]
    return [words for words in (line[line.index(script) + 1 :] for line in found) if words[0] not in ("...", "--list")]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(script, words, id=" ".join((script, *words))[:80])
        for page in PAGES
        for script in SCRIPTS
        for words in told(page, script)
    ],
)
def test_the_script_takes_every_option(script, words, monkeypatch):
    options = begun(
        monkeypatch, f"tokengs_nerfstudio.commands.{script.removeprefix('tokengs-')}", words, SCRIPTS[script]
    )
    assert options.output is not None or script == "tokengs-evaluate"


def test_every_page_has_such_commands():
    assert all(any(told(page, script) for script in SCRIPTS) for page in PAGES)
    assert all(any(told(page, script) for page in PAGES) for script in SCRIPTS)
