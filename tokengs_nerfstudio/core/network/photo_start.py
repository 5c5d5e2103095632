"""A network that uses its photos in more ways, from one that has learned without."""

from dataclasses import replace

import torch
from torch import nn

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork


def with_photo_colors(network: TokenGSNetwork) -> TokenGSNetwork:
    """The network with all weights of `network` whose Gaussians wear what the context photos show at their places.

    Its first answers differ: decoded colours and photos count alike where they agree. ValueError for a network that
    has latents.
    """
    return _extended(network, photo_colors=True)


@torch.no_grad()
def with_sweep(network: TokenGSNetwork) -> TokenGSNetwork:
    """The network with all weights and first answers of `network`, whose encoder may learn to hear of a plane sweep."""
    told = _extended(network, sweep=True)
    assert told.sweep_embedding is not None  # its configuration says so
    for parameter in told.sweep_embedding.norm.parameters():
        nn.init.zeros_(parameter)
    return told


def with_surfaces(network: TokenGSNetwork) -> TokenGSNetwork:
    """The network with all weights of `network`, whose Gaussians are drawn to the surfaces of the context photos.

    Its first answers differ: the plane sweep alone says where surfaces are. ValueError for a network without sweep.
    """
    return _extended(network, surfaces=True)


def _extended(network: TokenGSNetwork, **parts: bool) -> TokenGSNetwork:
    """The network with more parts, new ones as they start, and all weights of `network`."""
    extended = TokenGSNetwork(replace(network.config, **parts), network.precision).to(network.tokens)  # type: ignore[arg-type]
    extended.load_state_dict(network.state_dict(), strict=False)
    return extended.train(network.training)
