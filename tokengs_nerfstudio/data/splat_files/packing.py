"""Numbers in few bits, as the formats of splats store them."""

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor


def levels(values: Float[Tensor, "*batch"], bits: int) -> Int64[ndarray, "*batch"]:
    """Numbers in [0, 1], and what lies beyond as the nearer end, rounded to 0 ... 2^bits - 1."""
    top = 2**bits - 1
    return (values.double().clamp(0, 1) * top).round().long().numpy()


def as_bytes(values: Float[Tensor, "*batch"]) -> UInt8[ndarray, "*batch"]:
    """Numbers in [0, 1] as 0 ... 255."""
    return levels(values, 8).astype(np.uint8)


def without_largest(
    quats: Float[Tensor, "gaussian 4"],
) -> tuple[Int64[ndarray, " gaussian"], Float[Tensor, "gaussian 3"]]:
    """Which component of unit quaternions is the largest by amount, and the other three, in their order.

    The sign is such that the largest is positive: it follows from the three, which lie within +-1 / sqrt(2).
    """
    units = torch.nn.functional.normalize(quats, dim=-1)
    largest = units.abs().argmax(dim=-1)
    turned = units * torch.where(units.gather(1, largest[:, None]) < 0, -1.0, 1.0)
    others = torch.tensor([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])[largest]
    return largest.numpy(), turned.gather(1, others)
