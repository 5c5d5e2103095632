"""docs/many.md and docs/cluster.md: every tokengs-reconstruct and ray command on them is one that would begin."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.many import options
from tokengs_nerfstudio.many.options import Reconstructing

DOCS = Path(__file__).resolve().parents[2] / "docs"


def commands(name: str) -> list[list[str]]:
    """The words after `name` of every command in a block of the pages."""
    found = []
    for page in ("many.md", "cluster.md"):
        for block in re.findall(r"```bash\n(.*?)```", (DOCS / page).read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").replace("$HEAD", "node0").splitlines():
                words = shlex.split(line.rstrip("& "), comments=True)
                if name in words:
                    found.append(words[words.index(name) + 1 :])
    return found


@pytest.mark.parametrize("words", commands("tokengs-reconstruct"), ids=" ".join)
def test_the_command_takes_every_option(words, monkeypatch):
    monkeypatch.setattr(options.torch.cuda, "is_available", lambda: True)
    taken = parsed("tokengs-reconstruct", Reconstructing, words)
    assert taken.captures
    assert taken.out.name == "results"


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.parametrize("words", commands("ray"), ids=" ".join)
def test_ray_takes_every_option(words):
    from ray.scripts.scripts import start

    assert words[0] == "start"
    context = start.make_context("start", words[1:])
    assert context.params["num_gpus"] == 8


def test_the_pages_have_commands():
    assert len(commands("tokengs-reconstruct")) == 3
    assert len(commands("ray")) == 2
