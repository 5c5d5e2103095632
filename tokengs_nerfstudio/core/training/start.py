"""The network that a training starts from: new, or somebody's weights."""

from dataclasses import replace

import torch

from tokengs_nerfstudio.core.checkpoint.loading import load_network
from tokengs_nerfstudio.core.checkpoint.registry import preset
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.anchored_start import anchored_from_plain
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.initial import initial_values
from tokengs_nerfstudio.core.network.photo_start import with_photo_colors, with_surfaces, with_sweep
from tokengs_nerfstudio.core.network.token_count import resize_network
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork

DEFAULT_PRESET = "tiny"

# What makes weights of one network meaningless in another; numbers of tokens and of latents can change.
_ARCHITECTURE = (
    "width", "heads", "mlp_ratio", "encoder_depth", "decoder_depth", "gaussians_per_token", "patch_size",
    "multiscale_layers", "latent_depth", "time_channels", "anchors", "bounded", "photo_colors", "sweep", "surfaces",
    "head", "z_offset", "opacity_bias", "opacity_floor", "scale_cap",
)  # fmt: skip
# Held-out scenes are within 0.01 dB of what they are with silent rays, and the scale is near enough to be learned.
_AUDIBLE_RAY_SCALE = -4.0
_COUNTS = ("tokens", "latents", "dynamic_tokens")


def starting_network(
    name: str | None = None,
    weights: str | None = None,
    num_context: int | None = None,
    seed: int = 0,
    tokens: int | None = None,
) -> TokenGSNetwork:
    """The network of the preset `name`, to be trained: new ones by `seed`, or with `weights` as its start.

    Weights are named as in `load_network`. Where the preset wants other numbers of tokens or latents, these are grown
    or shrunk; camera frame, render settings and image size become the preset's; plain weights get anchors where the
    preset has them, static ones dynamic tokens. Without a preset the weights' own configuration holds, without both it
    is that of `tiny`.
    `num_context` is how many views the training shows usually (None: as the configuration says), `tokens` how many
    there are (None: likewise).

    Raises ValueError for an unknown preset and for weights of another architecture, CheckpointError as `load_network`.
    """
    torch.manual_seed(seed)
    network = None if weights is None else load_network(weights)
    wanted = network.config if network is not None and name is None else preset(name or DEFAULT_PRESET)
    if num_context is not None:
        wanted = replace(wanted, num_context=num_context)
    if tokens is not None:
        wanted = replace(wanted, tokens=tokens)
    if network is None:
        return TokenGSNetwork(wanted, initial=initial_values(name or DEFAULT_PRESET)).train()
    return _refitted(network, wanted, f"the weights {weights!r} and the preset {name!r}").train()


def _refitted(network: TokenGSNetwork, wanted: NetworkConfig, names: str) -> TokenGSNetwork:
    """The weights in the network that `wanted` describes."""
    if wanted.anchors and not network.config.anchors:
        network = anchored_from_plain(network, wanted.bounded, _AUDIBLE_RAY_SCALE)
    if wanted.photo_colors and not network.config.photo_colors:
        network = with_photo_colors(network)
    if wanted.sweep and not network.config.sweep:
        network = with_sweep(network)
    if wanted.surfaces and not network.config.surfaces:
        network = with_surfaces(network)
    if wanted.dynamic_tokens and not network.config.dynamic_tokens:
        network = resize_network(network, dynamic_tokens=wanted.dynamic_tokens, time_channels=wanted.time_channels)
    ours = network.config
    different = [entry for entry in _ARCHITECTURE if getattr(ours, entry) != getattr(wanted, entry)]
    if bool(ours.dynamic_tokens) != bool(wanted.dynamic_tokens):
        different.append("dynamic_tokens")
    if different:
        list_ = ", ".join(f"{entry} {getattr(ours, entry)} and {getattr(wanted, entry)}" for entry in different)
        raise UserError(f"{names} are different architectures: {list_}")
    counts = {entry: getattr(wanted, entry) for entry in _COUNTS if getattr(ours, entry) != getattr(wanted, entry)}
    with torch.device("meta"):
        refitted = TokenGSNetwork(wanted)
    refitted.load_state_dict(resize_network(network, **counts).state_dict(), assign=True)
    return refitted.requires_grad_(True)
