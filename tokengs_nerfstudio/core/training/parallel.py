"""Networks that share a step."""

import torch
from torch import nn

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork


def twin(network: TokenGSNetwork, shared: bool) -> TokenGSNetwork:
    """The same network with gradients of its own; with `shared`, over the same memory of weights."""
    with torch.device("meta"):
        twin = TokenGSNetwork(network.config)
    twin.precision = network.precision
    weights = network.state_dict()
    twin.load_state_dict(weights if shared else {name: w.clone() for name, w in weights.items()}, assign=True)
    return twin.train(network.training)


def move_gradients(source: nn.Module, destination: nn.Module) -> None:
    for taken, kept in zip(source.parameters(), destination.parameters()):
        if taken.grad is None:
            continue
        kept.grad = taken.grad if kept.grad is None else kept.grad.add_(taken.grad)
        taken.grad = None
