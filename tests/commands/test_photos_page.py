"""docs/photos.md: every command on the page is one that its command line takes."""

import re
import shlex
from pathlib import Path

import pytest

from tokengs_nerfstudio.commands.doctor import Doctor
from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.commands.pose import Pose
from tokengs_nerfstudio.configs import tokengs
from tokengs_nerfstudio.data.posing.reasons import WORDS

PAGE = (Path(__file__).resolve().parents[2] / "docs/photos.md").read_text()
COMMANDS = [
    shlex.split(line, comments=True) for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in
    block.splitlines()
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:60])
def test_the_command_takes_its_options(words):
    match words:
        case ["tokengs-pose", *options]:
            assert parsed("tokengs-pose", Pose, options, positional=True).source == Path(options[0])
        case ["tokengs-doctor", *options]:
            assert parsed("tokengs-doctor", Doctor, options, positional=True).capture == Path(options[0])
        case ["ns-train", "tokengs", "--data", _]:
            assert tokengs.config.method_name == "tokengs"
        case _:
            assert words == ["pip", "install", "tokengs_nerfstudio[sfm]"]


def test_the_page_has_every_command_and_every_reason():
    assert {words[0] for words in COMMANDS} == {"pip", "ns-train", "tokengs-pose", "tokengs-doctor"}
    assert all(f"| {words} |" in PAGE for words, _ in WORDS.values())
