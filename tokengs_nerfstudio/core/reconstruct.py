"""From posed photos in the world's frame to Gaussians in the world's frame, in one call."""

from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.scale_search import choose_scale
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.scene_tuning import tune
from tokengs_nerfstudio.core.types import Gaussians, Views


def reconstruct(
    network: TokenGSNetwork,
    context: Views,
    tuning: TuningConfig | None = None,
    steps: int = 200,
    supervised: Views | None = None,
    seed: int = 0,
) -> Gaussians:
    """Gaussians in the WORLD frame from photos (one scene, any size) whose cameras are in the WORLD frame.

    Without `tuning` one pass through the network; with it, `steps` of tuning on `supervised` (world frame, any size),
    or on the context where that is left out. Weights of a fixed scene scale get the scale that suits the context best.
    Raises ValueError where photos or weights cannot be used so.
    """
    seen = crop_and_resize(context, *network.config.input_size(context.height, context.width))
    frame = choose_scale(network, seen)
    photos = frame.views(context if supervised is None else supervised)
    count = 0 if tuning is None else steps
    splats = tune(network, frame.views(seen), photos, tuning or TuningConfig(), count, seed)
    return splats.transformed(frame.inverse())
