"""Runs of `ns-train tokengs-pretrain` that take seconds."""

from pathlib import Path

import yaml

from tokengs_nerfstudio.configs import tokengs_pretrain
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
from tokengs_nerfstudio.pretrain.trainer import PretrainTrainerConfig

BATCHES = BatchConfig(scenes=2, side=16, late=2.0)


def run_config(output: Path, steps: int = 4, **options) -> PretrainTrainerConfig:
    """The method's own configuration, as `ns-train tokengs-pretrain` would change it."""
    config: PretrainTrainerConfig = yaml.load(yaml.dump(tokengs_pretrain.config), Loader=yaml.Loader)
    config.output_dir, config.experiment_name, config.timestamp = output, "made", "run"
    config.vis = "tensorboard"
    config.max_num_iterations = steps
    config.pipeline.datamanager.batches = BATCHES
    config.pipeline.datamanager.held_out = 2
    config.viewer.quit_on_train_completion = True
    for name, value in options.items():
        setattr(config, name, value)
    return config


def folder(output: Path) -> Path:
    return output / "made/tokengs-pretrain/run"
