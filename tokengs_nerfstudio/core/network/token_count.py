"""A network with more or fewer tokens than it was trained with: quality against size, or a start for training."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork

_GROWTH_NOISE = 0.01


def resize_rows(
    rows: Float[Tensor, "token dim"], count: int, seed: int = 0, noise: float = _GROWTH_NOISE
) -> Float[Tensor, "{count} dim"]:
    """`count` tokens from those given: evenly chosen ones, or all of them and noisy repeats.

    The noise lets equal tokens part under training; without it the decoder would treat repeats alike for ever.
    """
    old = rows.shape[0]
    _check_count(count)
    if count <= old:
        return rows[torch.linspace(0, old - 1, count, dtype=torch.float32).long()].clone()
    extra = rows[torch.arange(count - old) % old]
    jitter = torch.randn(extra.shape, generator=torch.Generator().manual_seed(seed), dtype=rows.dtype)
    return torch.cat([rows, extra + noise * jitter.to(rows.device)])


def dynamic_from_static(rows: Float[Tensor, "token dim"], count: int, seed: int = 0) -> Float[Tensor, "{count} dim"]:
    """Dynamic tokens that start from the static ones: a random choice of fewer, or exact repeats."""
    old = rows.shape[0]
    _check_count(count)
    if count < old:
        return rows[torch.randperm(old, generator=torch.Generator().manual_seed(seed))[:count].to(rows.device)].clone()
    return rows[(torch.arange(count) % old).to(rows.device)].clone()


@torch.no_grad()
def resize_network(
    network: TokenGSNetwork,
    tokens: int | None = None,
    latents: int | None = None,
    dynamic_tokens: int | None = None,
    time_channels: int = 2,
) -> TokenGSNetwork:
    """The same network with other numbers of static tokens, latents or dynamic tokens; its weights are shared.

    Anchors and their radii are chosen or repeated as their tokens are.

    A network without dynamic tokens gets them from its static ones and, if it knew no time, embeddings of time that
    are zero, so its first answers are those of the static tokens repeated.

    Raises ValueError for counts below one and for latents of a network that has none.
    """
    if latents is not None and network.latents is None:
        raise UserError(
            f"these weights have no latent bottleneck, so their number cannot become {latents}: leave it out"
        )
    state = dict(network.state_dict())
    sizes: dict[str, int] = {}
    if dynamic_tokens is not None:
        sizes["dynamic_tokens"] = dynamic_tokens
        sizes["time_channels"] = network.config.time_channels or time_channels
    if tokens is not None:
        sizes["tokens"] = tokens
    static, moving = network.config.tokens, network.config.dynamic_tokens
    for key in ("anchors.positions", "anchors.radii"):
        if key in state:
            of_static, of_moving = state[key].split([static, moving])
            state[key] = torch.cat(_resized(of_static, of_moving, tokens, dynamic_tokens))
    of_moving = state.get("dynamic_tokens", state["tokens"][:0])
    state["tokens"], of_moving = _resized(state["tokens"], of_moving, tokens, dynamic_tokens)
    if len(of_moving):
        state["dynamic_tokens"] = of_moving
    if latents is not None:
        state["latents"] = resize_rows(state["latents"], latents)
        sizes["latents"] = latents
    with torch.device("meta"):
        resized = TokenGSNetwork(replace(network.config, **sizes), network.precision)  # type: ignore[arg-type]
    for key, parameter in resized.state_dict().items():
        if key not in state:
            state[key] = torch.zeros_like(parameter, device=network.tokens.device, dtype=network.tokens.dtype)
    resized.load_state_dict(state, assign=True)
    return resized


def _resized(static: Tensor, moving: Tensor, tokens: int | None, dynamic_tokens: int | None) -> tuple[Tensor, Tensor]:
    """What belongs to static tokens and to dynamic ones, which begin as static ones; None: as many as there are."""
    if dynamic_tokens is not None:
        moving = resize_rows(moving, dynamic_tokens) if len(moving) else dynamic_from_static(static, dynamic_tokens)
    return static if tokens is None else resize_rows(static, tokens), moving


def _check_count(count: int) -> None:
    if count < 1:
        raise UserError(f"a network needs at least one token, got {count}")
