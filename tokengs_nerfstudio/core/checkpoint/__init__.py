"""Networks to weight files and back."""

from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError

__all__ = ["CheckpointError", "load_network", "save_network"]
