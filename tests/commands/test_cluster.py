"""docs/cluster.md: every command on the page is one that torchrun and the command it starts would take."""

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.run import get_args_parser

PAGE = Path(__file__).resolve().parents[2] / "docs/cluster.md"
VARIABLES = {"SLURM_NNODES": "4", "SLURM_JOB_ID": "17", "HEAD": "node0"}


def commands() -> list[list[str]]:
    """The words after `torchrun` of every command in a block of the page, variables filled in."""
    found = []
    for block in re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            filled = re.sub(r"\$(\w+)", lambda match: VARIABLES.get(match[1], match[0]), line)
            words = shlex.split(filled, comments=True)
            if "torchrun" in words:
                found.append(words[words.index("torchrun") + 1 :])
    return found


COMMANDS = commands()


class Parsed(Exception):
    """The command would have begun, with these options."""


def begun(monkeypatch: pytest.MonkeyPatch, module: str, arguments: list[str]) -> Any:
    """The options that a command understands from its arguments; skips where there is no such command yet."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"there is no {module}")
    command = importlib.import_module(module)

    def run(options: Any) -> None:
        raise Parsed(options)

    monkeypatch.setattr(command, "Run", run)
    with pytest.raises(Parsed) as caught:
        command.main(arguments)
    return caught.value.args[0]


def test_the_page_has_commands_for_one_machine_several_and_slurm():
    assert len(COMMANDS) == 7
    text = PAGE.read_text()
    assert "--rdzv-backend c10d" in text
    assert "#SBATCH --gpus-per-node=8" in text


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:60])
def test_torchrun_and_the_command_take_every_option(words, monkeypatch):
    ours = get_args_parser().parse_args(words)
    assert ours.module
    assert ours.standalone != bool(ours.rdzv_endpoint)
    options = begun(monkeypatch, ours.training_script, ours.training_script_args)
    assert options.output is not None
    assert "$" not in " ".join(words)
