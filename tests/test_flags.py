"""Options of `ns-train` that make no sense: one line that names the option, and no output folder."""

import math
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tyro
from nerfstudio.configs.method_configs import AnnotatedBaseConfigUnion

from tokengs_nerfstudio.configs import tokengs, tokengs_pretrain
from tokengs_nerfstudio.core.errors import CommandEnded
from tokengs_nerfstudio.trainer import TokenGSTrainerConfig


def with_option(config: TokenGSTrainerConfig, folder: Path, path: str, value: Any) -> TokenGSTrainerConfig:
    config = deepcopy(config)
    config.output_dir, config.machine.device_type = folder, "cpu"
    *owners, name = path.split(".")
    part: Any = config
    for owner in owners:
        part = getattr(part, owner)
    assert hasattr(part, name)
    object.__setattr__(part, name, value)  # some parts are frozen
    return config


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("pipeline.model.tuning.ssim", math.nan, "--pipeline.model.tuning.ssim is nan"),
        ("pipeline.model.tuning.gaussians.growth_every", 0, "--pipeline.model.tuning.gaussians.growth-every is 0"),
        ("pipeline.model.tuning.stopping.check_every", -7, "--pipeline.model.tuning.stopping.check-every is -7"),
        ("pipeline.model.steps_per_bake", 0, "--pipeline.model.steps-per-bake is 0"),
        ("pipeline.model.num_tokens", 0, "--pipeline.model.num-tokens is 0"),
        ("pipeline.model.num_tokens", 10**10, "--pipeline.model.num-tokens is 10000000000; a whole number from 1 to"),
        ("pipeline.model.scene_scale", math.inf, "--pipeline.model.scene-scale is inf"),
        ("pipeline.model.scene_scale", 1e-30, "--pipeline.model.scene-scale is 1e-30"),
        ("pipeline.datamanager.max_image_size", 0, "--pipeline.datamanager.max-image-size is 0"),
        ("pipeline.datamanager.max_image_size", -5, "--pipeline.datamanager.max-image-size is -5"),
        ("pipeline.datamanager.camera_res_scale_factor", 0.0, "camera-res-scale-factor is 0.0"),
        ("pipeline.datamanager.focal_factor", 0.0, "--pipeline.datamanager.focal-factor is 0.0"),
        ("pipeline.model.tuning.cameras.focal", 1.05, "--pipeline.model.tuning.cameras.focal is 1.05"),
        ("pipeline.datamanager.dataparser.scale_factor", -1.0, "--scale-factor is -1.0"),
        ("pipeline.datamanager.dataparser.scale_factor", 0.0, "--scale-factor is 0.0"),
        ("pipeline.datamanager.dataparser.downscale_factor", 0, "--downscale-factor is 0"),
        ("max_num_iterations", -1, "--max-num-iterations is -1"),
        ("steps_per_save", -1, "--steps-per-save is -1"),
        ("machine.seed", -1, "--machine.seed is -1"),
        ("machine.num_devices", 0, "--machine.num-devices is 0; one process runs on one device"),
        ("machine.num_devices", 2, "--machine.num-devices is 2; one process runs on one device"),
        ("machine.device_type", "mps", "--machine.device-type is mps"),
        ("viewer.camera_frustum_scale", math.nan, "--viewer.camera-frustum-scale is nan"),
        ("logging.steps_per_log", 0, "--logging.steps-per-log is 0"),
        ("relative_model_dir", Path("models"), "--relative-model-dir is models; .* in nerfstudio_models"),
        ("relative_model_dir", Path(), r"--relative-model-dir is \.;"),
        ("experiment_name", "../../esc", "--experiment-name is ../../esc, which leads out of --output-dir"),
        ("timestamp", "a/../../b", "--timestamp is a/../../b, which leads out of --output-dir"),
        ("pipeline.datamanager.data", Path(".."), r"--experiment-name is \.\., which leads out of --output-dir"),
    ],
)
def test_an_option_out_of_its_range_is_named_as_it_is_typed(tmp_path, path, value, said):
    config = with_option(tokengs.config, tmp_path / "out", path, value)
    for start in (config.save_config, lambda: config.setup(local_rank=0, world_size=1)):
        with pytest.raises(CommandEnded) as ended:
            start()
        assert re.search(said, str(ended.value.code))
    assert not list(tmp_path.iterdir())


def test_cuda_is_refused_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = with_option(tokengs.config, tmp_path / "out", "machine.device_type", "cuda")
    with pytest.raises(CommandEnded, match="no CUDA device here; use cpu"):
        config.save_config()


@pytest.mark.parametrize(
    ("path", "value"),
    [("pipeline.training.clip", 0.0), ("pipeline.threads", 0), ("pipeline.datamanager.batches.mirror", math.nan)],
)
def test_the_options_of_a_pretraining_have_ranges_too(tmp_path, path, value):
    config = with_option(tokengs_pretrain.config, tmp_path / "out", path, value)
    with pytest.raises(CommandEnded, match="--" + path.replace("_", "-")):
        config.save_config()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("datamanager.shown", "40"), "datamanager.shown is 40; 32 scenes are held out, counted from 0"),
        (("datamanager.batches.shown", "3"), "datamanager.batches.shown is 3, but as few as 2 context views are drawn"),
        (
            ("datamanager.captures.min-gap", "41"),
            "datamanager.captures.min-gap is 41, larger than max_gap, which is 40",
        ),
        (
            ("datamanager.procedural.meshes.movement.cameras", "0", "0", "0"),
            r"cameras is \(0.0, 0.0, 0.0\); not all of",
        ),
    ],
)
def test_options_at_odds_with_each_other_are_named_as_they_are_typed(words, said):
    """What is raised while tyro makes the options, it would tell in a box of its own that names none."""
    name, *values = words
    arguments = ["tokengs-pretrain", f"--pipeline.{name}", *values]
    config = tyro.cli(AnnotatedBaseConfigUnion, args=arguments)
    with pytest.raises(CommandEnded, match=said):
        config.save_config()


def test_numbers_of_other_dataparsers_are_finite_at_least(tmp_path):
    from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig

    parser = NerfstudioDataParserConfig(scale_factor=math.nan)
    config = with_option(tokengs.config, tmp_path, "pipeline.datamanager.dataparser", parser)
    with pytest.raises(CommandEnded, match=r"--scale-factor is nan; a finite number"):
        config.save_config()
