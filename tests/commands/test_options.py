import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tokengs_nerfstudio import commands
from tokengs_nerfstudio.commands.options import parsed


@dataclass(frozen=True)
class Some:
    """Options."""

    count: int
    """how many"""
    name: str = "none"

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count must not be negative, got {self.count}")


@dataclass(frozen=True)
class Other:
    """Other options."""

    count: int


def ending(*arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        parsed("some-command", Some, arguments)
    return str(ended.value.code)


def test_options_reach_their_class():
    assert parsed("some-command", Some, ["--count", "3"]) == Some(3)
    assert parsed("some-command", Some, ["3", "--name", "x"], positional=True) == Some(3, "x")
    assert parsed("some-command", Some | Other, ["other", "4"], positional=True) == Other(4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--count", "3", "--colour", "red"], "Unrecognized options: --colour"),
        (["--count", "-3"], "Error: count must not be negative, got -3; see some-command --help"),
        (["--count", "many"], "'many'"),
        ([], "--count"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, said):
    line = ending(*arguments)
    assert said in line
    assert line.startswith("Error: ")
    assert line.endswith("; see some-command --help")
    assert "\n" not in line
    assert "--- " not in line


def test_help_ends_well(capsys):
    with pytest.raises(SystemExit) as ended:
        parsed("some-command", Some, ["--help"])
    assert not ended.value.code
    assert "how many" in capsys.readouterr().out


def test_commands_stand_without_nerfstudio_and_import_tyro_late():
    files = list(Path(commands.__file__).parent.glob("*.py"))
    assert len(files) > 3
    for file in files:
        lines = file.read_text().splitlines()
        assert not [line for line in lines if re.match(r"\s*(from|import) nerfstudio\b", line)], file
        assert not [line for line in lines if re.match(r"(from|import) tyro\b", line)], file
