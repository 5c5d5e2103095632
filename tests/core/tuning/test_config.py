"""Settings that make no sense are refused where they are written."""

from typing import Any

import pytest

from tokengs_nerfstudio.core.tuning.config import CameraConfig, GaussianStageConfig, TuningConfig


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (TuningConfig, {"stopping": "steps"}, "tuning.stopping must be a StoppingConfig, got 'steps'"),
        (TuningConfig, {"gaussians": {"dropout": 0.1}}, "tuning.gaussians must be a GaussianStageConfig"),
        (TuningConfig, {"views_per_step": 0}, "at least one view"),
        (TuningConfig, {"max_gaussians": 0}, "at least 1, got 0"),
        (CameraConfig, {"pose_rate": -1.0}, "tuning.cameras.pose_rate is -1.0; a rate is a finite number from 0 on"),
        (CameraConfig, {"exposure_rate": float("nan")}, "tuning.cameras.exposure_rate is nan"),
        (GaussianStageConfig, {"levels": ()}, "at least one pair"),
        (GaussianStageConfig, {"dropout": 1.0}, "a share from 0 to below 1"),
    ],
)
def test_senseless_settings_are_named(kind: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**settings)


def test_levels_are_typed_as_pairs() -> None:
    tyro = pytest.importorskip("tyro")
    config = tyro.cli(TuningConfig, args=["--gaussians.levels", "0", "4", "0.5", "1"])
    assert config.gaussians.levels == ((0.0, 4.0), (0.5, 1.0))
