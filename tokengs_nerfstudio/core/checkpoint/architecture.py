"""Which network a weight file holds: from its tensors, its header, or the preset that fits."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.checkpoint import key_table
from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError, WeightFile, listed
from tokengs_nerfstudio.core.network.config import PRESETS, NetworkConfig
from tokengs_nerfstudio.core.network.layers import RAW_CHANNELS

HEADER_KEY = "tokengs"
_PAPER_VIEWS = 4

_log = logging.getLogger(__name__)


def sizes_of(file: WeightFile, shapes: Mapping[str, list[int]]) -> dict[str, float]:
    """The fields of NetworkConfig that shapes determine; CheckpointError where the file holds no such network."""
    ranks = {
        "tokens": 2,
        "image_embedding.conv.weight": 4,
        "encoder.0.self_attention.query_norm.weight": 1,
        "head.project.weight": 2,
    }
    if any(len(shapes.get(key, [])) != rank for key, rank in ranks.items()):
        raise CheckpointError(f"{file.path} holds no TokenGS network; its tensors are {listed(list(file.shapes))}")

    def size(key: str, axis: int = 0) -> int:
        shape = shapes.get(key, [])
        return shape[axis] if axis < len(shape) else 0

    def depth(stack: str) -> int:
        numbers = [key.split(".")[1] for key in shapes if key.startswith(stack + ".")]
        return max((int(number) for number in numbers if re.fullmatch(r"\d{1,6}", number)), default=-1) + 1

    width = size("image_embedding.conv.weight")
    return {
        "width": width,
        "heads": width // max(size("encoder.0.self_attention.query_norm.weight"), 1),
        "patch_size": size("image_embedding.conv.weight", 3),
        "mlp_ratio": size("encoder.0.mlp.expand.weight") / max(width, 1) or NetworkConfig.mlp_ratio,
        "encoder_depth": depth("encoder"),
        "decoder_depth": depth("decoder"),
        "tokens": size("tokens"),
        "dynamic_tokens": size("dynamic_tokens"),
        "gaussians_per_token": size("head.project.weight") // RAW_CHANNELS,
        "time_channels": size("time_embedding.conv.weight", 1),
        "latents": size("latents"),
        "latent_depth": depth("latent_blocks"),
        "anchors": "anchors.positions" in shapes,
        "photo_colors": "photo_colors.gate.weight" in shapes,
        "sweep": "sweep_embedding.conv.weight" in shapes,
        "surfaces": "surface_pull.stay.weight" in shapes,
    }


def configuration(file: WeightFile, architecture: dict[str, float], given: NetworkConfig | None) -> NetworkConfig:
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


def _from_header(file: WeightFile, architecture: dict[str, float]) -> NetworkConfig:
    try:
        stored: dict[str, Any] = dict(json.loads(file.text[HEADER_KEY]))
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{file.path}: the JSON under {HEADER_KEY!r} in its header is broken ({error})"
        ) from error
    # Files of version 0.1 keep how their networks began.
    stored = {name: value for name, value in stored.items() if not name.startswith("init_")}
    unknown = sorted(set(stored) - {field.name for field in fields(NetworkConfig)})
    if unknown:
        raise CheckpointError(f"{file.path} was written by another version: unknown settings {', '.join(unknown)}")
    lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
    try:
        return NetworkConfig(**(architecture | stored | lists))  # type: ignore[arg-type]
    except ValueError as error:
        raise CheckpointError(f"{file.path}: its header describes no network ({error})") from error


def _matching_preset(file: WeightFile, architecture: dict[str, float]) -> NetworkConfig:
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
        # The authors' names end in 6v, ours in 6view.
        named = re.search(rf"(?<!\d){views}[-_]?v(iews?)?(?![a-z])", file.path.name.lower())
        return named is not None, views == _PAPER_VIEWS

    best = max(names, key=likeliness)
    _say_what_is_assumed(file.path, best, tuple(name for name in names if name != best))
    return PRESETS[best]


@cache
def _say_what_is_assumed(path: Path, preset: str, others: tuple[str, ...]) -> None:
    """Once, for a command opens its weights more than once."""
    also = f" (the same but for the number of views: {', '.join(others)})" if others else ""
    _log.warning(
        "%s does not say its z offset, opacity bias, scale cap, multiscale layers, camera frame and scale: "
        "those of preset '%s' are assumed%s",
        path,
        preset,
        also,
    )


def _check_readout(file: WeightFile, config: NetworkConfig) -> None:
    if not key_table.is_published(file.shapes):
        return
    norms = key_table.count_multiscale(file.shapes)
    if norms != len(config.multiscale_layers):
        layers = list(config.multiscale_layers)
        raise CheckpointError(f"{file.path} reads {norms} encoder blocks together, its configuration {layers}")
