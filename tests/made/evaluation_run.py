"""python evaluation_run.py FOLDER OUTPUT MEDIA: what `torchrun` starts in the tests, a small evaluation."""

import os
import sys
from pathlib import Path

from made.evaluations import options

from tokengs_nerfstudio.commands.evaluate import Run

if __name__ == "__main__":
    root, media = Path(sys.argv[1]), int(sys.argv[3])
    output = sys.argv[2].format(os.environ["RANK"])  # one folder, or one for each process as on many machines
    chosen = options(root, output=root / output, media=media, token_count=(8,), tuning="tokens", tuning_steps=2)
    Run(chosen).evaluate()
