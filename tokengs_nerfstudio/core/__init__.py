"""The method itself: usable without nerfstudio."""

from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.reconstruct import reconstruct
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning, tune
from tokengs_nerfstudio.core.types import Gaussians, Renders, SceneMemory, Similarity, Views

__all__ = [
    "Gaussians",
    "NetworkConfig",
    "Renders",
    "SceneMemory",
    "SceneTuning",
    "Similarity",
    "TokenGSNetwork",
    "TuningConfig",
    "Views",
    "canonical_frame",
    "load_network",
    "reconstruct",
    "render",
    "save_network",
    "tune",
]
