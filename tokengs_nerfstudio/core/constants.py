"""Numbers as tensors where they are needed, made once."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

Numbers = float | Sequence[float] | Sequence[Sequence[float]]


def constant(numbers: Numbers, like: Tensor) -> Tensor:
    """`numbers` on the device and in the precision of `like`: not to be written to.

    A copy to a GPU makes the host wait for it, and no CUDA graph can hold one: so every constant is copied once.
    """
    return _made(_hashable(numbers), like.dtype, like.device)


def _hashable(numbers: Any) -> Any:
    return tuple(map(_hashable, numbers)) if isinstance(numbers, Sequence) else numbers


@cache
def _made(numbers: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
    # What is made in inference mode could not take part in a gradient later.
    with torch.inference_mode(False):
        return torch.tensor(numbers, dtype=dtype, device=device)
