"""What the encoder is told of the context views: normalised images, rays, times, and what a plane sweep finds."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.constants import constant
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.rays import pluecker
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.layers import time_channels
from tokengs_nerfstudio.core.network.sweep import sweep_costs, swept
from tokengs_nerfstudio.core.records import TensorRecord
from tokengs_nerfstudio.core.types import Views

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class EncoderInputs(TensorRecord):
    """Context views as the encoder reads them; None what a network does not ask for."""

    images: Float[Tensor, "batch view 3 height width"]
    """ImageNet's mean and deviation taken out"""
    rays: Float[Tensor, "batch view 6 height width"]
    """Pluecker coordinates in the canonical frame"""
    times: Float[Tensor, "batch view time"] | None = None
    costs: Float[Tensor, "batch view depth rows columns"] | None = None
    """of the depths of a plane sweep"""
    points: Float[Tensor, "batch view 6 rows columns"] | None = None
    """where the sweep alone finds surfaces"""


def encoder_inputs(context: Views, config: NetworkConfig) -> EncoderInputs:
    """The inputs of `context` (images [batch view 3 height width], canonical frame), in its own precision.

    Raises UserError for a missing batch axis, for images that are no multiple of the patch, and for context views
    without times where the network embeds time.
    """
    _check(context, config)
    mean, std = (constant(value, context.images)[:, None, None] for value in (IMAGENET_MEAN, IMAGENET_STD))
    times, costs, points = None, None, None
    if config.time_channels and context.times is not None:
        times = time_channels(context.times, config.time_channels)
    with torch.autocast(context.images.device.type, enabled=False):
        rays = pluecker(context.c2w, context.intrinsics, context.height, context.width)
        if config.sweep:
            costs = sweep_costs(context)
            points = swept(context, costs)
    return EncoderInputs((context.images - mean) / std, rays, times, costs, points)


def _check(context: Views, config: NetworkConfig) -> None:
    shape, patch = list(context.images.shape), config.patch_size
    if len(shape) != 5:
        raise UserError(f"context images need shape [batch view 3 height width], got {shape}; see Views.unsqueeze")
    if context.height % patch or context.width % patch:
        sizes = f"{context.height}x{context.width} (height x width)"
        raise UserError(f"context images are {sizes}; both must be multiples of the network's patch of {patch} px")
    if config.time_channels and context.times is None:
        raise UserError("this network embeds time: the context views need times in [0, 1], got none")
