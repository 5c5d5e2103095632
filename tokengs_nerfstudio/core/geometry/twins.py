"""Photos that are known by their cameras alone."""

from jaxtyping import Bool, Float
from torch import Tensor

# What 32 bits make of one pose in two places, against how far from the origin the cameras are.
_ALIKE = 1e-4


def same_cameras(some: Float[Tensor, "some 4 4"], others: Float[Tensor, "other 4 4"]) -> Bool[Tensor, "some other"]:
    """Which of some cameras, in rows, stand and look as which of the others, in columns; all in one frame."""
    # Differences one by one: the distances of torch.cdist are sums of products from 26 cameras on, a thousandth off.
    difference = (some[:, None] - others[None]).abs().amax((-1, -2))
    size = others[:, :3, 3].abs().max().clamp(min=1.0)
    return difference < _ALIKE * size
