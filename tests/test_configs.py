"""`ns-train tokengs` as the command line offers it."""

import contextlib
import io
import re
from importlib.metadata import entry_points

import pytest
import tyro
import yaml
from nerfstudio.configs.method_configs import AnnotatedBaseConfigUnion, all_methods

from tokengs_nerfstudio.configs import tokengs
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig, tokengs_data

FLAGS = {
    "--pipeline.model.bake-times",
    "--pipeline.model.flow-time",
    "--pipeline.datamanager.context-indices",
    "--pipeline.datamanager.focal-factor",
    "--pipeline.datamanager.max-image-size",
    "--pipeline.datamanager.num-context",
    "--pipeline.datamanager.photo-memory",
    "--pipeline.model.checkpoint",
    "--pipeline.model.num-tokens",
    "--pipeline.model.num-latents",
    "--pipeline.model.precision",
    "--pipeline.model.scene-scale",
    "--pipeline.model.rasterize-mode",
    "--pipeline.model.steps-per-bake",
    "--pipeline.model.tuning.max-gaussians",
    "--pipeline.model.tuning.cameras.pose-rate",
    "--pipeline.model.tuning.space",
    "--pipeline.model.tuning.supervision",
}


def parsed(*arguments: str):
    return tyro.cli(AnnotatedBaseConfigUnion, args=["tokengs", *arguments])


@pytest.fixture(scope="module")
def help_text() -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit):
        parsed("--help")
    return re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue())


def test_nerfstudio_finds_method_and_dataparser():
    methods = {entry.name: entry.load() for entry in entry_points(group="nerfstudio.method_configs")}
    dataparsers = {entry.name: entry.load() for entry in entry_points(group="nerfstudio.dataparser_configs")}
    assert methods["tokengs"] is tokengs
    assert dataparsers["tokengs-data"] is tokengs_data
    assert all_methods["tokengs"] is tokengs.config


def test_flags_that_people_rely_on_are_there(help_text):
    missing = {flag for flag in FLAGS if flag not in help_text}
    assert not missing


def test_help_shows_nothing_that_has_no_effect(help_text):
    shown = set(re.findall(r"--pipeline\.(?:datamanager|model)\.[a-z-]+(?![a-z.-])", help_text))
    common = {"--pipeline.datamanager.data", "--pipeline.datamanager.camera-res-scale-factor"}
    assert {flag for flag in shown if ".tuning" not in flag} <= FLAGS | common
    assert "--mixed-precision" not in help_text


def test_flags_reach_their_place():
    config = parsed(
        "--pipeline.model.checkpoint",
        "other",
        "--pipeline.model.tuning.space",
        "tokens",
        "--pipeline.datamanager.context-indices",
        "0",
        "7",
        "12",
        "--max-num-iterations",
        "5",
    )
    assert config.pipeline.model.checkpoint == "other"
    assert config.pipeline.model.tuning.space == "tokens"
    assert config.pipeline.datamanager.context_indices == (0, 7, 12)
    assert config.max_num_iterations == 5
    assert isinstance(config.pipeline.datamanager.dataparser, TokenGSDataParserConfig)


def test_dataparsers_can_be_chosen():
    assert parsed("nerfstudio-data", "--eval-mode", "all").pipeline.datamanager.dataparser.eval_mode == "all"
    assert parsed("tokengs-data", "--eval-interval", "4").pipeline.datamanager.dataparser.eval_interval == 4


def test_configurations_survive_their_file():
    assert yaml.load(yaml.dump(tokengs.config), Loader=yaml.Loader) == tokengs.config
