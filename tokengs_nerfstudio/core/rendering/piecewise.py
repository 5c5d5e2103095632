"""Pictures rendered in pieces: the memory of one piece, the gradient of all, one backward pass behind the Gaussians."""

import torch

from tokengs_nerfstudio.core.types import TensorRecord


def pass_on(made: TensorRecord, leaves: TensorRecord) -> None:
    """Gradients gathered at the `leaves` of a record go on to what the record was made of."""
    pairs = [(value, leaf.grad) for (_, value), (_, leaf) in zip(made.tensors(), leaves.tensors())]
    reached = [(value, gradient) for value, gradient in pairs if gradient is not None]
    torch.autograd.backward([value for value, _ in reached], [gradient for _, gradient in reached])
