"""Networks to weight files and back, in our own layout or in the published one.

The architecture is read from the tensors. What they cannot tell (z offset, opacity bias, scale cap, multiscale
layers, camera frame and scale, image size, number of views) stands as JSON under `tokengs` in the header of files
written here; for other files it comes from a preset.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from tokengs_nerfstudio.core import key_table, weight_file
from tokengs_nerfstudio.core.layers import RAW_CHANNELS
from tokengs_nerfstudio.core.network import PRESETS, NetworkConfig, Precision, TokenGSNetwork
from tokengs_nerfstudio.core.registry import locate, preset
from tokengs_nerfstudio.core.resizing import resize_network
from tokengs_nerfstudio.core.weight_file import CheckpointError, WeightFile

HEADER_KEY = "tokengs"
_SUFFIX = ".safetensors"
_LISTED_KEYS = 12
_PAPER_VIEWS = 4

_log = logging.getLogger(__name__)


def load_network(
    source: str | os.PathLike[str],
    config: NetworkConfig | str | None = None,
    *,
    num_tokens: int | None = None,
    num_latents: int | None = None,
    precision: Precision = "fp32",
    device: torch.device | str = "cpu",
) -> TokenGSNetwork:
    """The network in a weight file, in evaluation mode.

    Args:
        source: A path, a registered name, or hf://owner/repo/path/to/file.safetensors, in either layout.
        config: What the tensors cannot tell, for files that do not say it themselves; presets may be named.
        num_tokens: Static tokens to load the network with, fewer or more than the file has.
        num_latents: Likewise for the latents of a bottleneck.
        precision: "bf16" runs encoder and decoder in bfloat16; the weights stay as they are.

    Raises:
        CheckpointError: The file is missing, no whole safetensors file, or holds another network.
        ValueError: Unknown preset, fewer than one token, latents for a network without.
    """
    location = locate(os.fspath(source))
    file = WeightFile.open(location.path)
    names = key_table.to_own(file.shapes) if key_table.is_published(file.shapes) else {key: key for key in file.shapes}
    shapes = {names[key]: shape for key, shape in file.shapes.items()}
    given = preset(config) if isinstance(config, str) else config
    if given is None and location.preset is not None:
        given = preset(location.preset)
    with torch.device("meta"):
        network = TokenGSNetwork(_complete(file, _architecture(file, shapes), given), precision)
    _check_strictly(file, network, names)
    tensors = {names[key]: tensor for key, tensor in file.read().items()}
    dtype = torch.float64 if all(tensor.dtype == torch.float64 for tensor in tensors.values()) else torch.float32
    network.load_state_dict({key: tensor.to(dtype) for key, tensor in tensors.items()}, assign=True)
    if num_tokens is not None or num_latents is not None:
        network = resize_network(network, tokens=num_tokens, latents=num_latents)
    return network.to(device).requires_grad_(True).eval()


def save_network(network: TokenGSNetwork, path: str | os.PathLike[str], layout: str = "own") -> None:
    """Writes the weights and their configuration; a file already there stays whole until the new one is.

    The published layout has the key names of the published files, so that their code reads it too.

    Raises ValueError for a path that does not end in .safetensors and for an unknown layout.
    """
    path = Path(path)
    if path.suffix != _SUFFIX:
        raise ValueError(f"weights are written as {_SUFFIX}, not as {path.name!r}")
    if layout not in ("own", "published"):
        raise ValueError(f"unknown layout {layout!r}; choose own or published")
    tensors = network.state_dict()
    if layout == "published":
        names = key_table.to_published(tensors, multiscale=bool(network.config.multiscale_layers))
        tensors = {names[key]: tensor for key, tensor in tensors.items()}
    weight_file.write(path, tensors, {HEADER_KEY: json.dumps(asdict(network.config)), "format": "pt"})


def _architecture(file: WeightFile, shapes: Mapping[str, list[int]]) -> dict[str, int]:
    """The fields of NetworkConfig that shapes determine; CheckpointError where the file holds no such network."""
    ranks = {
        "tokens": 2,
        "image_embedding.conv.weight": 4,
        "encoder.0.self_attention.query_norm.weight": 1,
        "head.project.weight": 2,
    }
    if any(len(shapes.get(key, [])) != rank for key, rank in ranks.items()):
        raise CheckpointError(f"{file.path} holds no TokenGS network; its tensors are {_listed(list(file.shapes))}")

    def size(key: str, axis: int = 0) -> int:
        shape = shapes.get(key, [])
        return shape[axis] if axis < len(shape) else 0

    def depth(stack: str) -> int:
        numbers = [key.split(".")[1] for key in shapes if key.startswith(stack + ".")]
        return max((int(number) for number in numbers if number.isdecimal()), default=-1) + 1

    width = size("image_embedding.conv.weight")
    return {
        "width": width,
        "heads": width // max(size("encoder.0.self_attention.query_norm.weight"), 1),
        "patch_size": size("image_embedding.conv.weight", 3),
        "encoder_depth": depth("encoder"),
        "decoder_depth": depth("decoder"),
        "tokens": size("tokens"),
        "dynamic_tokens": size("dynamic_tokens"),
        "gaussians_per_token": size("head.project.weight") // RAW_CHANNELS,
        "time_channels": size("time_embedding.conv.weight", 1),
        "latents": size("latents"),
        "latent_depth": depth("latent_blocks"),
    }


def _complete(file: WeightFile, architecture: dict[str, int], given: NetworkConfig | None) -> NetworkConfig:
    """The architecture with what the tensors do not tell: from the header, else `given`, else a matching preset."""
    if HEADER_KEY in file.text:
        config = _from_header(file, architecture)
        if given is not None and given != config:
            _log.warning("%s says its own configuration in its header: the given one is not used", file.path)
    elif given is not None:
        config = given
        _log.info("%s: z offset, camera frame and the like taken from the given configuration", file.path)
    else:
        config = _matching_preset(file, architecture)
    differing = [name for name, value in architecture.items() if getattr(config, name) != value]
    if differing:
        list_ = ", ".join(f"{name} {architecture[name]} (not {getattr(config, name)})" for name in differing)
        raise CheckpointError(f"{file.path} is another architecture than its configuration says: it has {list_}")
    _check_readout(file, config)
    return config


def _from_header(file: WeightFile, architecture: dict[str, int]) -> NetworkConfig:
    try:
        stored: dict[str, Any] = dict(json.loads(file.text[HEADER_KEY]))
    except (ValueError, TypeError) as error:
        raise CheckpointError(
            f"{file.path}: the JSON under {HEADER_KEY!r} in its header is broken ({error})"
        ) from error
    unknown = sorted(set(stored) - {field.name for field in fields(NetworkConfig)})
    if unknown:
        raise CheckpointError(f"{file.path} was written by another version: unknown settings {', '.join(unknown)}")
    lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
    try:
        return NetworkConfig(**(architecture | stored | lists))  # type: ignore[arg-type]
    except ValueError as error:
        raise CheckpointError(f"{file.path}: its header describes no network ({error})") from error


def _matching_preset(file: WeightFile, architecture: dict[str, int]) -> NetworkConfig:
    names = [
        name
        for name, config in PRESETS.items()
        if all(getattr(config, field) == value for field, value in architecture.items())
    ]
    if not names:
        sizes = ", ".join(f"{name} {value}" for name, value in architecture.items())
        raise CheckpointError(
            f"{file.path} matches no published preset ({sizes}) and does not say its z offset, scale cap, camera "
            "frame and so on: pass config=NetworkConfig(...)"
        )

    def likeliness(name: str) -> tuple[bool, bool]:
        views = PRESETS[name].num_context
        return f"{views}view" in file.path.name.replace("_", "").replace("-", ""), views == _PAPER_VIEWS

    best = max(names, key=likeliness)
    others = [name for name in names if name != best]
    also = f" (the same but for the number of views: {', '.join(others)})" if others else ""
    _log.warning(
        "%s does not say its z offset, opacity bias, scale cap, multiscale layers, camera frame and scale: "
        "those of preset '%s' are assumed%s",
        file.path,
        best,
        also,
    )
    return PRESETS[best]


def _check_readout(file: WeightFile, config: NetworkConfig) -> None:
    if not key_table.is_published(file.shapes):
        return
    norms = key_table.count_multiscale(file.shapes)
    if norms != len(config.multiscale_layers):
        layers = list(config.multiscale_layers)
        raise CheckpointError(f"{file.path} reads {norms} encoder blocks together, its configuration {layers}")


def _check_strictly(file: WeightFile, network: TokenGSNetwork, own: Mapping[str, str]) -> None:
    """CheckpointError that lists unexpected, missing and mis-shaped keys by the names the file uses."""
    expected = {key: list(parameter.shape) for key, parameter in network.state_dict().items()}
    if key_table.is_published(file.shapes):
        published = key_table.to_published(expected, multiscale=bool(network.config.multiscale_layers))
    else:
        published = {key: key for key in expected}
    present = {own[key]: shape for key, shape in file.shapes.items()}
    problems = {
        "missing": [published[key] for key in expected if key not in present],
        "unexpected": [key for key in file.shapes if own[key] not in expected],
        "mis-shaped": [
            f"{published[key]} {present[key]} instead of {shape}"
            for key, shape in expected.items()
            if key in present and present[key] != shape
        ],
    }
    found = [f"{len(keys)} {kind}: {_listed(keys)}" for kind, keys in problems.items() if keys]
    if found:
        raise CheckpointError(f"{file.path} does not fit the network its tensors suggest; " + "; ".join(found))


def _listed(keys: list[str]) -> str:
    more = len(keys) - _LISTED_KEYS
    return ", ".join(keys[:_LISTED_KEYS]) + (f" and {more} more" if more > 0 else "")
