"""Networks to weight files and back, in our own layout or in the published one.

The architecture is read from the tensors. What they cannot tell (z offset, opacity bias, scale cap, multiscale
layers, camera frame and scale, image size, number of views) stands as JSON under `tokengs` in the header of files
written here; for other files it comes from a preset.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch

from tokengs_nerfstudio.core.checkpoint import key_table, weight_file
from tokengs_nerfstudio.core.checkpoint.architecture import HEADER_KEY, configuration, sizes_of
from tokengs_nerfstudio.core.checkpoint.registry import locate, preset
from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError, WeightFile, listed
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import NetworkConfig, TokenCount
from tokengs_nerfstudio.core.network.token_count import resize_network
from tokengs_nerfstudio.core.network.tokengs import Precision, TokenGSNetwork
from tokengs_nerfstudio.core.ranges import check_value

_SUFFIX = ".safetensors"
_EXACT = ("anchors.positions", "anchors.radii")
_FINER = ("head.", "tokens", "dynamic_tokens", "latents")


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
    check_value(source, Path, "source")
    for name, count in (("num_tokens", num_tokens), ("num_latents", num_latents)):
        check_value(count, TokenCount | None, name)
    check_value(precision, Precision, "precision")
    file, names, told = _opened(source, config)
    with torch.device("meta"):
        network = TokenGSNetwork(told, precision)
    _check_strictly(file, network, names)
    tensors = {names[key]: tensor for key, tensor in file.read(names).items()}
    dtype = torch.float64 if all(tensor.dtype == torch.float64 for tensor in tensors.values()) else torch.float32
    network.load_state_dict({key: tensor.to(dtype) for key, tensor in tensors.items()}, assign=True)
    if num_tokens is not None or num_latents is not None:
        network = resize_network(network, tokens=num_tokens, latents=num_latents)
    return network.to(device).requires_grad_(True).eval()


def network_config(source: str | os.PathLike[str], config: NetworkConfig | str | None = None) -> NetworkConfig:
    """What `load_network` would load, told by the file's header alone; errors as there."""
    return _opened(source, config)[2]


def is_published(source: str | os.PathLike[str]) -> bool:
    """Whether weights are a file of the published code: in its layout, and not written here; errors as in
    `load_network`."""
    file = WeightFile.open(locate(os.fspath(source)).path)
    return key_table.is_published(file.shapes) and HEADER_KEY not in file.text


def _opened(
    source: str | os.PathLike[str], config: NetworkConfig | str | None
) -> tuple[WeightFile, dict[str, str], NetworkConfig]:
    """A weight file, its tensors' names with ours, and the network they are of."""
    location = locate(os.fspath(source))
    file = WeightFile.open(location.path)
    names = _own_names(file)
    shapes = {own: file.shapes[key] for key, own in names.items()}
    given = preset(config) if isinstance(config, str) else config
    if given is None and location.preset is not None:
        given = preset(location.preset)
    return file, names, configuration(file, sizes_of(file, shapes), given)


def save_network(
    network: TokenGSNetwork,
    path: str | os.PathLike[str],
    layout: str = "own",
    compact: bool | Literal["bytes"] = False,
) -> None:
    """Writes the weights and their configuration; a file already there stays whole until the new one is.

    The published layout has the key names of the published files, so that their code reads it too. Files with anchors
    have nine tensors a decoder block there that nothing reads: they are written as ones and, for biases, zeros.

    With `compact` the matrices inside encoder and decoder are rounded to bfloat16: half the size. Places and colours
    come out of the head and the tokens, which are rounded to the finer float16, and of anchors, which stay as they are.
    "bytes" rounds those matrices to 8 bits and a scale for each row: a quarter of the size. Nobody else reads that.

    Raises ValueError for a path that does not end in .safetensors, for an unknown layout, for a network with
    photo_colors or a sweep in the published one, which knows no such thing, and for bytes in it.
    """
    path = Path(path)
    if path.suffix != _SUFFIX:
        raise UserError(f"weights are written as {_SUFFIX}, not as {path.name!r}")
    if layout not in ("own", "published"):
        raise UserError(f"unknown layout {layout!r}; choose own or published")
    if layout == "published" and (network.config.photo_colors or network.config.sweep):
        raise UserError("the published layout has no place for photo_colors and sweep; write layout='own'")
    check_value(compact, bool | Literal["bytes"], "compact")
    if layout == "published" and compact == "bytes":
        raise UserError("the published layout has no place for bytes; write layout='own'")
    tensors = network.state_dict()
    in_bytes = [name for name, tensor in tensors.items() if compact == "bytes" and _coarsest(name, tensor)]
    if compact:
        tensors = {name: tensor if name in in_bytes else _rounded(name, tensor) for name, tensor in tensors.items()}
    if layout == "published":
        names = key_table.to_published(tensors, multiscale=bool(network.config.multiscale_layers))
        tensors = {names[key]: tensor for key, tensor in tensors.items()} | key_table.unused_tensors(network.config)
    text = {HEADER_KEY: json.dumps(asdict(network.config)), "format": "pt"}
    weight_file.write(path, tensors, text, in_bytes)


def _rounded(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if _coarsest(name, tensor):
        return tensor.to(torch.bfloat16)
    return tensor if tensor.ndim < 2 or name.startswith(_EXACT) else tensor.to(torch.float16)


def _coarsest(name: str, tensor: torch.Tensor) -> bool:
    """Whether it is a matrix inside encoder or decoder."""
    return tensor.ndim >= 2 and not name.startswith((*_EXACT, *_FINER))


def _own_names(file: WeightFile) -> dict[str, str]:
    """Names in the file -> ours, for all tensors that a network reads."""
    if not key_table.is_published(file.shapes):
        return {key: key for key in file.shapes}
    names = key_table.to_own(file.shapes)
    read = key_table.without_unused(file.shapes) if "anchors.positions" in names.values() else file.shapes
    return {key: names[key] for key in read}


def _check_strictly(file: WeightFile, network: TokenGSNetwork, own: Mapping[str, str]) -> None:
    """CheckpointError that lists unexpected, missing and mis-shaped keys by the names the file uses."""
    expected = {key: list(parameter.shape) for key, parameter in network.state_dict().items()}
    if key_table.is_published(file.shapes):
        published = key_table.to_published(expected, multiscale=bool(network.config.multiscale_layers))
    else:
        published = {key: key for key in expected}
    present = {name: file.shapes[key] for key, name in own.items()}
    problems = {
        "missing": [published[key] for key in expected if key not in present],
        "unexpected": [key for key, name in own.items() if name not in expected],
        "mis-shaped": [
            f"{published[key]} {present[key]} instead of {shape}"
            for key, shape in expected.items()
            if key in present and present[key] != shape
        ],
    }
    found = [f"{len(keys)} {kind}: {listed(keys)}" for kind, keys in problems.items() if keys]
    if found:
        raise CheckpointError(f"{file.path} does not fit the network its tensors suggest; " + "; ".join(found))
