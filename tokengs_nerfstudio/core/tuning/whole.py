"""A tuning from its first step to its last, for whoever has nothing to do in between."""

from collections.abc import Callable

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.photometry import Parts
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.types import Gaussians


def tune(
    network: TokenGSNetwork,
    scene: PreparedScene,
    config: TuningConfig,
    steps: int,
    seed: int = 0,
    on_step: Callable[[SceneTuning, Parts], None] | None = None,
    antialiased: bool = False,
) -> Gaussians:
    """Tunes one scene and returns its Gaussians, all in the canonical frame; `on_step` is called after each step."""
    tuning = SceneTuning(network, scene, config, steps, seed=seed, antialiased=antialiased)
    while not tuning.finished:
        parts = tuning.step()
        if on_step is not None:
            on_step(tuning, parts)
    return tuning.gaussians()
