"""A network that looks colours up, from one that does not."""

from dataclasses import replace

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork


def with_photo_colors(network: TokenGSNetwork) -> TokenGSNetwork:
    """The network with all weights of `network` whose Gaussians wear what the context photos show at their places.

    Its first answers differ: decoded colours and photos count alike where they agree. ValueError for a network that
    has latents or dynamic tokens.
    """
    coloured = TokenGSNetwork(replace(network.config, photo_colors=True), network.precision).to(network.tokens)
    coloured.load_state_dict(network.state_dict(), strict=False)
    return coloured.train(network.training)
