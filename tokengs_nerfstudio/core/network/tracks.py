"""Where what a network has decoded goes: each Gaussian, and each token, followed over time."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.decoder_inputs import moving_tokens
from tokengs_nerfstudio.core.network.memory import SceneMemory
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.records import TensorRecord


@dataclass(frozen=True)
class Tracks(TensorRecord):
    """Centres in the canonical frame at several times: number i is the same Gaussian, or token, at all of them."""

    times: Float[Tensor, " time"]
    gaussians: Float[Tensor, "batch time gaussian 3"]
    opacities: Float[Tensor, "batch time gaussian"]
    tokens: Float[Tensor, "batch time token 3"]
    """means of each token's Gaussians, weighted by what their opacities are in the mean over time"""
    moving: Bool[Tensor, " token"]
    """which tokens may move at all; the others stand still"""


@torch.no_grad()
def tracks(
    network: TokenGSNetwork,
    memory: SceneMemory,
    times: Sequence[float],
    tokens: Float[Tensor, "batch token dim"] | None = None,
) -> Tracks:
    """Follows what `decode` makes of a memory, and of tuned `tokens`, through `times` in [0, 1].

    Dynamic tokens move, static ones stand still; without dynamic tokens all tokens of a network that knows time move,
    and none of one that does not. UserError for no times, other errors as in `decode`.
    """
    if not times:
        raise UserError("tracks need at least one time in [0, 1]")
    decoded = [network.decode(memory, tokens, float(time)) for time in times]
    means = torch.stack([splats.means for splats in decoded], dim=1)
    opacities = torch.stack([splats.opacities for splats in decoded], dim=1)
    per_token = network.config.gaussians_per_token
    moving = moving_tokens(means.shape[2] // per_token, network.config).to(means.device)
    still = ~moving.repeat_interleave(per_token)
    # The same numbers from batches of another size may differ in their last bit.
    means[:, :, still] = means[:, :1, still]
    weights = opacities.mean(1, keepdim=True).clamp(min=1e-6).unflatten(2, (-1, per_token))[..., None]
    of_tokens = (means.unflatten(2, (-1, per_token)) * weights).sum(3) / weights.sum(3)
    return Tracks(torch.tensor(list(times), device=means.device).to(means.dtype), means, opacities, of_tokens, moving)
