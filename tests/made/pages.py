"""Commands as the pages of docs/ and README.md have them, and what the console scripts understand of them."""

import importlib
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


class Parsed(Exception):
    """The command would have begun, with these options."""


def commands(page: str) -> Iterator[list[str]]:
    """The words of every line in a block of a page, comments left out and lines that go on joined."""
    for block in re.findall(r"```(?:bash)?\n(.*?)```", (REPOSITORY / page).read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            try:
                words = shlex.split(line, comments=True)
            except ValueError:
                continue  # what is no command
            if words:
                yield words


def begun(monkeypatch: pytest.MonkeyPatch, module: str, arguments: Sequence[str], begins: str = "Run") -> Any:
    """The options that the command in a module understands from its arguments; `begins` is what it calls with them."""
    command = importlib.import_module(module)

    def begin(options: Any) -> None:
        raise Parsed(options)

    monkeypatch.setattr(command, begins, begin)
    with pytest.raises(Parsed) as caught:
        command.main(arguments)
    return caught.value.args[0]
