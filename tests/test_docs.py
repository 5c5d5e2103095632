"""Every command in README.md and docs/ is one that its own command line takes, and every link leads somewhere."""

import contextlib
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import tyro

tomllib = pytest.importorskip("tomllib", reason="Python's own reader of TOML came with 3.11")

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
OURS = tuple(name for name in SCRIPTS if name.startswith("tokengs-"))
THEIRS = {
    "ns-train": ("nerfstudio.configs.method_configs", "AnnotatedBaseConfigUnion"),
    "ns-viewer": ("nerfstudio.scripts.viewer.run_viewer", "RunViewer"),
    "ns-eval": ("nerfstudio.scripts.eval", "ComputePSNR"),
    "ns-render": ("nerfstudio.scripts.render", "Commands"),
    "ns-export": ("nerfstudio.scripts.exporter", "Commands"),
    "ns-process-data": ("nerfstudio.scripts.process_data", "Commands"),
}
IMPLIED = {
    "ns-export": ("--load-config", "config.yml", "--output-dir", "out"),
    "ns-render": ("--load-config", "config.yml"),
}
"""Options that a sentence about a command need not repeat."""
UNWRITTEN = {
    "tokengs-evaluate ...": "tokengs-evaluate dl3dv-6view --data scenes",
    "ns-render ...": "ns-render dataset",
    "ns-process-data images ...": "ns-process-data images --data photos --output-dir out",
}
"""Beginnings of commands that leave something out, and what it may be."""


def fenced(text: str) -> list[str]:
    """The lines of all blocks that are for a shell, those that go on put together."""
    blocks = re.findall(r"^```(?:bash|sh|)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def in_sentences(text: str) -> list[str]:
    """What stands between single back quotes and has options."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", plain) if " --" in found and "|" not in found]


def command_of(line: str) -> list[str]:
    """The words of a line from a command that is checked here on; without torchrun, which has a test of its own."""
    for short, whole in UNWRITTEN.items():
        line = line.replace(short, whole)
    line = re.sub(r"torchrun .*-m tokengs_nerfstudio\.commands\.(\w+)", r"tokengs-\1", line)
    line = re.sub(r"torchrun .*--no-python ", "", line)
    if not line.startswith((*OURS, *THEIRS)):
        return []
    words = shlex.split(line.replace("$HEAD", "node0"), comments=True)
    return [] if words[:2] == ["ns-render", "--rendered-output-names"] else words  # names a flag, not a command


def commands(names: tuple[str, ...]) -> list[list[str]]:
    """All commands on all pages that begin with one of these names, each once."""
    found = {}
    for page in PAGES:
        text = page.read_text()
        for line in [*fenced(text), *in_sentences(text)]:
            words = command_of(line)
            if words and words[0] in names:
                found[" ".join(words)] = words
    return list(found.values())


class Parsed(Exception):
    """The command would have begun."""


@pytest.mark.parametrize("words", commands(OURS), ids=lambda words: " ".join(words)[:90])
def test_our_command_takes_its_options(words, monkeypatch):
    module = importlib.import_module(SCRIPTS[words[0]].partition(":")[0])
    understood = module.parsed

    def begun(*arguments: Any, **options: Any) -> None:
        understood(*arguments, **options)
        raise Parsed

    monkeypatch.setattr(module, "parsed", begun)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    help_alone = words[1:] in (["--help"], ["--list"])
    with pytest.raises(SystemExit if words[1:] == ["--help"] else Parsed) as ended:
        module.main(words[1:])
    assert not help_alone or isinstance(ended.value, Parsed) or not ended.value.code


@pytest.mark.slow
@pytest.mark.parametrize("words", commands(tuple(THEIRS)), ids=lambda words: " ".join(words)[:90])
def test_nerfstudios_command_takes_its_options(words, monkeypatch):
    for tool in ("ffmpeg", "colmap"):  # which ns-process-data looks for at once
        monkeypatch.setattr(f"nerfstudio.utils.install_checks.check_{tool}_installed", lambda *_: None)
    module, kind = THEIRS[words[0]]
    implied = [] if "--load-config" in words else list(IMPLIED.get(words[0], ()))
    ended = contextlib.suppress(SystemExit) if words[-1] == "--help" else contextlib.nullcontext()
    with ended:
        tyro.cli(getattr(importlib.import_module(module), kind), args=[*words[1:], *implied])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, heading = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.exists(), f"{page.name}: {target}"
        assert not heading or heading in headings(file.read_text()), f"{page.name}: {target}"


def headings(text: str) -> set[str]:
    """What links call the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_scripts_that_pages_name_are_there():
    for page in PAGES:
        for script in re.findall(r"\bscripts/(\w+\.(?:py|sh))", page.read_text()):
            assert (ROOT / "scripts" / script).is_file(), f"{page.name}: scripts/{script}"


def test_the_pages_have_commands():
    assert {words[0] for words in commands(OURS)} == set(OURS)
    assert len(commands(tuple(THEIRS))) > 20
