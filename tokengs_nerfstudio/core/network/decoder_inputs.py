"""What the decoder is told beside the memory: tokens that fit it, the target's time, how far photos are from that."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.memory import SceneMemory


def check_tokens(tokens: Tensor, memory: SceneMemory, config: NetworkConfig) -> None:
    """UserError where tokens or memory do not fit the network."""
    batch, expected = memory.keys.shape[0], config.tokens + config.dynamic_tokens
    if tokens.ndim != 3 or tokens.shape[0] != batch or tokens.shape[2] != config.width:
        needed = f"[{batch} tokens {config.width}]"
        raise UserError(f"tokens have shape {list(tokens.shape)}; this memory and network need {needed}")
    if config.anchors and tokens.shape[1] != expected:
        raise UserError(f"got {tokens.shape[1]} tokens; this network has anchors for {expected}")
    if config.anchors and memory.rays is None:
        raise UserError("this network has anchors: its memory needs rays, as encode() gives them")
    if config.photo_colors and memory.photos is None:
        raise UserError("this network looks colours up: its memory needs photos, as encode() gives them")
    if config.surfaces and memory.surfaces is None:
        raise UserError("this network draws Gaussians to surfaces: its memory needs surfaces, as encode() gives them")


def first_moving(tokens: int, config: NetworkConfig) -> int:
    """The first of so many tokens that a target time reaches: dynamic ones, or all where there are none of these; none
    of a network that knows no time."""
    if not config.time_channels:
        return tokens
    return tokens - config.dynamic_tokens if config.dynamic_tokens else 0


def moving_tokens(tokens: int, config: NetworkConfig, device: torch.device | None = None) -> Bool[Tensor, " token"]:
    """Which of so many tokens that is, static ones first."""
    return torch.arange(tokens, device=device) >= first_moving(tokens, config)


def target_times(
    time: float | Tensor | None, tokens: Float[Tensor, "batch token dim"], config: NetworkConfig
) -> Float[Tensor, " batch"] | None:
    """The scenes' target times; None for a network that knows no time. UserError where one is needed and missing."""
    if not config.time_channels:
        return None
    if time is None:
        raise UserError("this network embeds time: decode() needs the target time in [0, 1], got none")
    return torch.as_tensor(time, dtype=tokens.dtype, device=tokens.device).expand(tokens.shape[0])


def times_apart(
    memory: SceneMemory, times: Float[Tensor, " batch"] | None, tokens: Tensor, config: NetworkConfig
) -> Float[Tensor, "batch view token"] | None:
    """How far each photo is in time from each token; 0 for static tokens, which are of all times.

    None without times.
    """
    if memory.photos is None or memory.photos.times is None or times is None:
        return None
    apart = (memory.photos.times - times[:, None]).abs()
    return apart[..., None] * moving_tokens(tokens.shape[1], config, apart.device).to(apart)
