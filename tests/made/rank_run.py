"""python rank_run.py FOLDER: what `torchrun` starts in the tests, a short run of a small network."""

import sys
from dataclasses import replace
from pathlib import Path

from made.runs import options
from made.training import SMALL

from tokengs_nerfstudio.commands.pretrain import Run
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.training.config import TrainingConfig

STEPS = 4
# Muon makes the smallest singular values of a gradient, which are rounding, as large as the largest ones.
TRAINING = TrainingConfig(schedule="wsd", warmup_steps=0, matrix_rate=0.002)

if __name__ == "__main__":
    PRESETS["tiny"] = replace(SMALL, tokens=8, gaussians_per_token=4)
    Run(options(Path(sys.argv[1]), STEPS, training=TRAINING, threads=1)).train()
