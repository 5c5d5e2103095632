"""Test-time tuning of one scene."""

from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.whole import tune

__all__ = ["SceneTuning", "TuningConfig", "tune"]
