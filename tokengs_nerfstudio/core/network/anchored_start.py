"""An anchored network that begins with the answers of a plain one."""

import math
from dataclasses import replace

import torch
from torch import nn

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.layers import RAW_CHANNELS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork

# softplus(-15) * 20 is the most that rays can change a logit by: 6e-6, float32's own rounding of one.
SILENT_RAY_SCALE = -15.0
# A power of two, so that dividing the head by it loses no bit; positions up to half of it raw are not bent.
_BOUNDED_RADIUS = 2.0


@torch.no_grad()
def anchored_from_plain(
    network: TokenGSNetwork, bounded: bool = False, ray_scale: float = SILENT_RAY_SCALE
) -> TokenGSNetwork:
    """The anchored network that has all weights of `network` and, to float32's rounding, its first answers.

    All anchors begin at (0, 0, z_offset), and what moves them and tells of them ends in zeros. Open anchors have radius
    1. Bounded ones have radius 2, with the head's positions halved: exact up to 1.0 before sign(x) (e^|x| - 1), that is
    within 1.7 canonical units of the anchor along each axis, and bent smoothly beyond. With `ray_scale` as it is rays
    are not heard, nor will they be for long: where the network shall learn, -4 costs next to nothing and lets it.
    New layers are drawn by torch's global generator.

    Raises ValueError for a network that has anchors already, and for latents.
    """
    if network.config.anchors:
        raise UserError("this network has anchors already")
    anchored = TokenGSNetwork(replace(network.config, anchors=True, bounded=bounded), network.precision)  # type: ignore[arg-type]
    anchored = anchored.to(network.tokens)
    anchored.load_state_dict(network.state_dict(), strict=False)
    anchors = anchored.anchors
    assert anchors is not None  # its configuration says so
    nn.init.zeros_(anchors.positions)
    silenced = [anchors.move, anchors.widen]
    for block in anchored.decoder:
        nn.init.constant_(block.ray_scale, ray_scale)  # type: ignore[arg-type]
        silenced.append(block.position)  # type: ignore[arg-type]
    for mlp in silenced:
        nn.init.zeros_(mlp.contract.weight)
        nn.init.zeros_(mlp.contract.bias)
    if bounded:
        nn.init.constant_(anchors.radii, math.log(math.expm1(_BOUNDED_RADIUS)))
        for parameter in anchored.head.project.parameters():
            parameter.unflatten(0, (-1, RAW_CHANNELS))[:, :3] /= _BOUNDED_RADIUS
    else:
        anchors.positions[:, 2] = anchors.z_offset
    return anchored.train(network.training)
