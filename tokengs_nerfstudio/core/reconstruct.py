"""From posed photos in the world's frame to Gaussians in the world's frame, in one call."""

import math

from tokengs_nerfstudio.core.cameras import Similarity, canonical_frame, crop_and_resize
from tokengs_nerfstudio.core.network import NetworkConfig, TokenGSNetwork
from tokengs_nerfstudio.core.tuning import TuningConfig, tune
from tokengs_nerfstudio.core.types import Gaussians, Views


def input_size(config: NetworkConfig, height: int, width: int) -> tuple[int, int]:
    """Height and width at which a network should see photos of this size.

    The photos' aspect, both sides multiples of the patch, about as many pixels as the network was trained with.
    """
    patch = config.patch_size
    trained_height, trained_width = config.image_size
    scale = math.sqrt(trained_height * trained_width / (height * width))
    rows, columns = (max(1, round(side * scale / patch)) * patch for side in (height, width))
    return rows, columns


def network_frame(config: NetworkConfig, context: Views) -> Similarity:
    """World -> canonical for these context views, by the frame and scale the weights were trained with.

    Raises ValueError for weights whose scale comes from a point map, which photos alone do not give.
    """
    if config.scale == "pointmap":
        raise ValueError("these weights scale scenes by a point map; give the canonical frame yourself, with its scale")
    return canonical_frame(context.c2w, config.frame, config.scale, config.scale_value)


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
    or on the context where that is left out. Raises ValueError where photos or weights cannot be used so.
    """
    frame = network_frame(network.config, context)
    height, width = input_size(network.config, context.height, context.width)
    inputs = _moved(crop_and_resize(context, height, width), frame)
    photos = _moved(context if supervised is None else supervised, frame)
    count = 0 if tuning is None else steps
    return tune(network, inputs, photos, tuning or TuningConfig(), count, seed).transformed(frame.inverse())


def _moved(views: Views, frame: Similarity) -> Views:
    return Views(views.images, frame.cameras(views.c2w), views.intrinsics, views.times)
