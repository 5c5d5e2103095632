"""docs/cluster.md: every command on the page is one that torchrun and the command it starts would take."""

import re

import pytest
from made.pages import REPOSITORY, begun, commands
from torch.distributed.run import get_args_parser

VARIABLES = {"SLURM_NNODES": "4", "SLURM_JOB_ID": "17", "HEAD": "node0"}


def words_of_torchrun() -> list[list[str]]:
    """The words after `torchrun` of every command in a block of the page, variables filled in."""
    found = [
        [re.sub(r"\$(\w+)", lambda match: VARIABLES.get(match[1], match[0]), word) for word in words]
        for words in commands("docs/cluster.md")
        if "torchrun" in words
    ]
    return [words[words.index("torchrun") + 1 :] for words in found]


COMMANDS = words_of_torchrun()


def test_the_page_has_commands_for_one_machine_several_and_slurm():
    assert len(COMMANDS) == 7
    text = (REPOSITORY / "docs/cluster.md").read_text()
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
