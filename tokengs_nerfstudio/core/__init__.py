"""The method itself: usable without nerfstudio."""

from tokengs_nerfstudio.core.baking import BakedScene, bake
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.memory import SceneMemory
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.network.tracks import Tracks, tracks
from tokengs_nerfstudio.core.preparation import PreparedScene, prepare
from tokengs_nerfstudio.core.reconstruct import reconstruct, reconstruct_scene
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.whole import tune
from tokengs_nerfstudio.core.types import Example, Gaussians, RenderConfig, Renders, Similarity, Views

__all__ = [
    "BakedScene",
    "Example",
    "Gaussians",
    "NetworkConfig",
    "PreparedScene",
    "RenderConfig",
    "Renders",
    "SceneMemory",
    "SceneTuning",
    "Similarity",
    "TokenGSNetwork",
    "Tracks",
    "TuningConfig",
    "Views",
    "bake",
    "canonical_frame",
    "load_network",
    "prepare",
    "reconstruct",
    "reconstruct_scene",
    "render",
    "save_network",
    "tracks",
    "tune",
]
