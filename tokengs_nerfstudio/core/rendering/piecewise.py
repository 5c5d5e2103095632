"""Memory of a few pictures, gradient of all: losses in pieces, then one backward pass through what they share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import TensorRecord

_Record = TypeVar("_Record", bound=TensorRecord)


def slices(count: int, size: int) -> Iterator[slice]:
    """Consecutive pieces of at most `size` of `count` items; ValueError for a size below one."""
    if size < 1:
        raise UserError(f"pieces need at least one item each, got {size}")
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


@contextmanager
def gathered(outputs: _Record) -> Iterator[_Record]:
    """Leaves with the values of `outputs`, for as many losses and backward passes as there are pieces.

    What these passes leave at the leaves goes on when the block ends: one backward pass through what made `outputs`.
    Outputs that no gradient reached, and those that need none, are left out.
    """
    leaves = outputs.leaves()
    yield leaves
    pairs = [(output, leaf.grad) for (_, output), (_, leaf) in zip(outputs.tensors(), leaves.tensors())]
    reached = [(output, slope) for output, slope in pairs if slope is not None and output.requires_grad]
    if reached:
        torch.autograd.backward([output for output, _ in reached], [slope for _, slope in reached])
