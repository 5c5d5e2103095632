"""nerfstudio's commands as users call them, about a second a run, and what came of it."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

_TESTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Outcome:
    """The exit status of a run, all it printed, and what it had in its hands once it began."""

    code: int
    output: str
    record: Path

    @property
    def errors(self) -> list[str]:
        """The messages that end a run."""
        return re.findall(r"Error: (.*)", self.output)

    @property
    def has_traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.output

    @cached_property
    def held(self) -> dict[str, Any]:
        """Photos, masks and cameras of both splits, see `fork_server.held`."""
        return torch.load(self.record, weights_only=True)


class ForkServer:
    """A process that has imported everything and runs commands in its children, one at a time."""

    def __init__(self) -> None:
        # Without the last one torch starts a process of compilers in every child.
        threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "COLUMNS": "2000"}
        threads |= {"TORCHINDUCTOR_COMPILE_THREADS": "1"}
        paths = os.pathsep.join([str(_TESTS.parent), str(_TESTS), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "cases.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **threads, "PYTHONPATH": paths},
        )

    def run(self, folder: Path, *arguments: str, seconds: int = 300, command: str = "ns-train") -> Outcome:
        """A command with these arguments; it runs in `folder`, which takes what it prints and what it holds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        folder.mkdir(parents=True, exist_ok=True)
        asked = {"command": command, "arguments": arguments, "folder": str(folder), "seconds": seconds}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code = json.loads(self._process.stdout.readline())["code"]
        output = "\n".join((folder / name).read_text(errors="replace") for name in ("stdout", "stderr"))
        return Outcome(code, output, folder / "held.pt")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
