"""Settings that make no sense are refused before a scene is tuned with them."""

import math
from typing import Any

import pytest
from made.tuning import tuning_config

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.ranges import check
from tokengs_nerfstudio.core.tuning.config import TuningConfig


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"space": "foo"}, "space is 'foo'; choose one of auto, tokens, latents, gaussians"),
        ({"stopping": "steps"}, "stopping is 'steps'; a StoppingConfig is needed"),
        ({"gaussians": {"dropout": 0.1}}, "gaussians is {'dropout': 0.1}; a GaussianStageConfig is needed"),
        ({"rule": "foo"}, "stopping.rule is 'foo'; choose one of held-out, steps"),
        ({"reseed": "False"}, "gaussians.reseed is 'False'; True or False is needed"),
        ({"views_per_step": 0}, "views_per_step is 0; a whole number from 1"),
        ({"max_gaussians": -1}, "max_gaussians is -1; a whole number from 1"),
        ({"pose_rate": -1.0}, "cameras.pose_rate is -1.0; a number from 0 to 10"),
        ({"exposure_rate": math.nan}, "cameras.exposure_rate is nan; a finite number"),
        ({"means_rate": math.inf}, "gaussians.means_rate is inf; a finite number"),
        ({"rates_decay": -0.5}, "tokens.rates_decay is -0.5; a number from 0 to 1"),
        ({"ssim": 2.0}, "ssim is 2.0; a number from 0 to 1"),
        ({"levels": ()}, "gaussians.levels is empty"),
        ({"levels": ((0.0, 0.0),)}, "one of its values is 0.0; a number from 1 to 64"),
        ({"levels": ((0.5, 2.0), (0.0, 4.0))}, "the values must ascend"),
        ({"dropout": 1.0}, "gaussians.dropout is 1.0; a number from 0 to below 1"),
        ({"check_every": 0}, "stopping.check_every is 0; a whole number from 1"),
        ({"patience": -1.0}, "stopping.patience is -1.0; a number from 0"),
        ({"growth_every": 0}, "gaussians.growth_every is 0; a whole number from 1"),
        ({"tokens_share": 5.0}, "tokens.share is 5.0; a number from 0 to 1"),
        ({"most_steps": -5}, "tokens.most_steps is -5; a whole number from 0"),
        ({"resolution": 0.0}, "tokens.resolution is 0.0; a number from 0.1 to 100"),
        ({"steps_per_view": 0}, "gaussians.steps_per_view is 0; a whole number from 1"),
    ],
)
def test_senseless_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as refused:
        check(tuning_config(**settings))
    assert message in str(refused.value)


def test_levels_are_typed_as_pairs() -> None:
    tyro = pytest.importorskip("tyro")
    config = tyro.cli(TuningConfig, args=["--gaussians.levels", "0", "4", "0.5", "1"])
    assert config.gaussians.levels == ((0.0, 4.0), (0.5, 1.0))
