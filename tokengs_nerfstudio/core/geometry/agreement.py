"""How far several views agree about something of which some of them see nothing."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def better_half(costs: Float[Tensor, "..."]) -> tuple[Float[Tensor, "..."], Int[Tensor, "..."]]:
    """Mean over the first axis, the views, of the lower half (rounded up) of finite costs; how many are finite.

    0 where none is.

    Half, for in a wide capture others see the place occluded.
    """
    costs = costs.sort(dim=0).values
    seeing = costs.isfinite().sum(0)
    half = ((seeing + 1) // 2).clamp(min=1)
    rank = torch.arange(len(costs), device=costs.device).view(-1, *[1] * (costs.ndim - 1))
    return torch.where(rank < half, costs, torch.zeros_like(costs)).sum(0) / half, seeing
