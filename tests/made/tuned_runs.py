"""Runs of `ns-train tokengs` in this process, on small captures, and what they leave."""

import os
from pathlib import Path
from typing import Literal

import torch
import yaml
from made.endings import ended
from made.tuning import tuning_config
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.utils.eval_utils import eval_setup

from tokengs_nerfstudio.configs import tokengs
from tokengs_nerfstudio.core.types import Gaussians
from tokengs_nerfstudio.data.finished_run import read_run
from tokengs_nerfstudio.pipeline import TokenGSPipeline
from tokengs_nerfstudio.trainer import TokenGSTrainer, TokenGSTrainerConfig, newest_checkpoint


def run_config(capture: Path, weights: Path, output: Path, steps: int = 4, **options) -> TokenGSTrainerConfig:
    """The method's own configuration, as `ns-train tokengs` would change it."""
    config: TokenGSTrainerConfig = yaml.load(yaml.dump(tokengs.config), Loader=yaml.Loader)
    config.output_dir, config.experiment_name, config.timestamp = output, "blobs", "run"
    config.vis = "tensorboard"
    config.max_num_iterations = steps
    config.pipeline.datamanager.data = capture
    config.pipeline.model.checkpoint = str(weights)
    config.pipeline.model.tuning = tuning_config(space="tokens", rule="steps")
    config.viewer.quit_on_train_completion = True
    for name, value in options.items():
        setattr(config, name, value)
    return config


def trained(config: TokenGSTrainerConfig) -> TokenGSTrainer:
    config.save_config()
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    trainer.train()
    return trainer


def checkpoints(output: Path) -> list[str]:
    return sorted(os.listdir(output / "blobs/tokengs/run/nerfstudio_models"))


def saved(output: Path) -> dict:
    return torch.load(newest_checkpoint(output / "blobs/tokengs/run"), weights_only=True)


def in_the_capture(run: Path) -> Gaussians:
    """The Gaussians of a run on disk, of their first time, in the frame of its capture."""
    found = read_run(run)
    return found.baked.at().detach().transformed(found.from_nerfstudio("capture"))


def refused(config: TokenGSTrainerConfig) -> str:
    """The line that a start ends with, which leaves no folder."""
    line = ended(lambda _: config.setup(local_rank=0, world_size=1).setup())
    assert not config.get_base_dir().exists()
    return line


def looked_at(
    finished: Path, capture: Path, test_mode: Literal["test", "val", "inference"] = "test"
) -> TokenGSPipeline:
    """A finished run as ns-eval, ns-render and ns-export load it, its capture being elsewhere by now."""

    def elsewhere(config: TrainerConfig) -> TrainerConfig:
        config.pipeline.datamanager.data = capture
        return config

    pipeline = eval_setup(finished / "config.yml", test_mode=test_mode, update_config_callback=elsewhere)[1]
    assert isinstance(pipeline, TokenGSPipeline)
    return pipeline
