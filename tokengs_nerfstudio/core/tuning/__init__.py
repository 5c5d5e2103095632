"""Test-time tuning of one scene."""

from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning, tune

__all__ = ["SceneTuning", "TuningConfig", "tune"]
