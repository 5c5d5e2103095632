"""python evaluation_run.py FOLDER OUTPUT MEDIA KILLED_AT: a small evaluation, which `torchrun` starts too in the tests.

Where KILLED_AT is not 0 it is killed, as by kill -9, when that file is about to take its place.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from made.evaluations import options

from tokengs_nerfstudio.commands.evaluate import Run


def killing(replace: Callable[..., Any], at: int) -> Callable[..., Any]:
    """`os.replace` until it is called for the `at`-th time."""
    calls: list[Path] = []

    def replaced(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    return replaced


if __name__ == "__main__":
    root, media = Path(sys.argv[1]), int(sys.argv[3])
    output = sys.argv[2].format(os.environ.get("RANK"))  # one folder, or one for each process as on many machines
    chosen = options(root, output=root / output, media=media, token_count=(8,), tuning="tokens", tuning_steps=2)
    os.replace = killing(os.replace, int(sys.argv[4]))
    Run(chosen).evaluate()
