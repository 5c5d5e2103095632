"""All that the GPU run-book takes from the package beside `tokengs_nerfstudio.core`'s public names."""

from pretrain import Pretraining, Run
from tokengs_nerfstudio.core.training_batch import TrainingBatch
from tokengs_nerfstudio.data.pretraining import PretrainingData, training_batch

from tokengs_nerfstudio.core.network import PRESETS
from tokengs_nerfstudio.core.training import Trainer, TrainingConfig

__all__ = [
    "PRESETS",
    "Pretraining",
    "PretrainingData",
    "Run",
    "Trainer",
    "TrainingBatch",
    "TrainingConfig",
    "training_batch",
]
