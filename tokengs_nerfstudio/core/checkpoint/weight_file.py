"""Safetensors files: what is wrong with one, what is in it, and writing one so that it is never half there."""

import json
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.files import replacing

_PICKLE_SUFFIXES = (".ckpt", ".pt", ".pth", ".pkl")
_PICKLE_MAGIC = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000
_LISTED = 12
_FLOATING = ("F32", "F16", "BF16", "F64")
# Of a tensor in bytes: beside it stands what each of its rows is multiplied by.
_BYTES, _ROW_SCALE, _LARGEST = "I8", ".row_scale", 127


class CheckpointError(UserError):
    """A weight file that cannot be found, read or understood; the message names it and says what to do."""


@dataclass(frozen=True)
class WeightFile:
    """A safetensors file that is complete: its tensors' shapes and its free-form text, before any tensor is read.

    Tensors of signed bytes count as such only without scales of their rows: with them, they are floating numbers.
    """

    path: Path
    shapes: dict[str, list[int]]
    dtypes: dict[str, str]
    """as safetensors writes them: F32, BF16"""
    text: dict[str, str]
    in_bytes: frozenset[str] = frozenset()
    """names of the tensors with scales of their rows"""

    @classmethod
    def open(cls, path: Path) -> "WeightFile":
        """Raises CheckpointError for anything but a whole safetensors file with tensors in it."""
        _refuse_what_is_no_file(path)
        header = _read_header(path)
        text = header.pop("__metadata__", {})
        if not header:
            raise CheckpointError(f"{path} is a safetensors file without any tensor in it")
        in_bytes = _scaled(path, header)
        scales = {name + _ROW_SCALE for name in in_bytes}
        told = {key: entry for key, entry in header.items() if key not in scales}
        shapes, dtypes = ({key: entry[name] for key, entry in told.items()} for name in ("shape", "dtype"))
        return cls(path, shapes, dtypes, text, in_bytes)

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The tensors of these names; CheckpointError for those that hold no floating numbers, or not finite ones."""
        wanted = set(names)
        whole = sorted(wanted - self.in_bytes)
        other = [f"{name} ({self.dtypes[name]})" for name in whole if self.dtypes[name] not in _FLOATING]
        if other:
            raise CheckpointError(f"{self.path}: weights are of {', '.join(_FLOATING)}, not so {listed(other)}")
        try:
            stored = load_file(self.path)
        except SafetensorError as error:
            raise CheckpointError(f"{self.path} is a broken safetensors file: {error}") from error
        tensors = {name: tensor for name, tensor in stored.items() if name in wanted}
        for name in wanted & self.in_bytes:
            scale = stored[name + _ROW_SCALE]
            tensors[name] = tensors[name].to(scale.dtype) * scale.reshape(-1, *[1] * (tensors[name].ndim - 1))
        bad = [name for name, tensor in sorted(tensors.items()) if not tensor.isfinite().all()]
        if bad:
            raise CheckpointError(f"{self.path} holds values that are not finite, in {listed(bad)}: fetch it again")
        return tensors


def write(path: Path, tensors: Mapping[str, Tensor], text: Mapping[str, str], in_bytes: Collection[str] = ()) -> None:
    """A safetensors file, written beside its place first: a reader finds the old file or the new one, whole.

    Tensors of the names `in_bytes` are rounded to 255 evenly spaced numbers a row (along the first axis).
    """
    stored = dict(tensors)
    for name in in_bytes:
        stored |= _in_bytes(name, tensors[name])
    with replacing(path) as scratch:
        save_file({key: tensor.detach().cpu().contiguous() for key, tensor in stored.items()}, scratch, dict(text))


def _in_bytes(name: str, tensor: Tensor) -> dict[str, Tensor]:
    rows = tensor.detach().float().flatten(1)
    scale = rows.abs().amax(1).clamp(min=torch.finfo(rows.dtype).tiny) / _LARGEST
    return {name: (rows / scale[:, None]).round().to(torch.int8).view(tensor.shape), name + _ROW_SCALE: scale}


def _scaled(path: Path, header: Mapping[str, Any]) -> frozenset[str]:
    """Names of the tensors that stand in bytes; CheckpointError where scales do not fit them."""
    named = [key.removesuffix(_ROW_SCALE) for key in header if key.endswith(_ROW_SCALE)]
    names = [name for name in named if name in header and header[name]["dtype"] == _BYTES]
    for name in names:
        scale, rows = header[name + _ROW_SCALE], header[name]["shape"][:1]
        if scale["shape"] != rows or scale["dtype"] not in _FLOATING:
            scales = f"{scale['dtype']} {scale['shape']}"
            raise CheckpointError(f"{path}: {name} has {rows} rows, but its scales are {scales}")
    return frozenset(names)


def _refuse_what_is_no_file(path: Path) -> None:
    if path.is_dir():
        inside = sorted(child.name for child in path.glob("*.safetensors"))
        hint = f"; it holds {', '.join(inside)}" if inside else " and holds no .safetensors file"
        raise CheckpointError(f"{path} is a folder, not a weight file{hint}")
    if not path.is_file():
        raise CheckpointError(f"there is no weight file {path}")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path} is empty (0 bytes): fetch or write it again")
    with path.open("rb") as file:
        start = file.read(4)
    if path.suffix.lower() in _PICKLE_SUFFIXES or start.startswith(_PICKLE_MAGIC):
        raise CheckpointError(
            f"{path} is a pickle, and opening one can run any code its author put there: only safetensors files are "
            "read. If you trust it, convert it once with torch.load(..., weights_only=True) and "
            "safetensors.torch.save_file"
        )


def _read_header(path: Path) -> dict:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LENGTH_BYTES)
        length = struct.unpack("<Q", start)[0] if len(start) == _LENGTH_BYTES else _LONGEST_HEADER
        if length >= _LONGEST_HEADER:
            raise CheckpointError(f"{path} is no safetensors file (its first bytes are {start!r})")
        content = file.read(length)
    if len(content) < length:
        raise CheckpointError(_truncated(path, size, _LENGTH_BYTES + length))
    try:
        header = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no safetensors file: its header is not readable ({error})") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{path} is no safetensors file: its header is a {type(header).__name__}, no object")
    for key, entry in header.items():
        complaint = _text_complaint(entry) if key == "__metadata__" else _entry_complaint(entry)
        if complaint is not None:
            raise CheckpointError(f"{path} is no safetensors file: in its header {key[:80]!r} {complaint}")
    ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    needed = _LENGTH_BYTES + length + max(ends, default=0)
    if size < needed:
        raise CheckpointError(_truncated(path, size, needed))
    return header


def _text_complaint(entry: Any) -> str | None:
    texts = isinstance(entry, dict) and all(isinstance(value, str) for value in entry.values())
    return None if texts else "is no object of texts"


def _entry_complaint(entry: Any) -> str | None:
    """What is wrong with what a header says of one tensor."""
    if not isinstance(entry, dict):
        return f"is {entry!r:.80}, no object"
    for name in ("dtype", "shape", "data_offsets"):
        if name not in entry:
            return f"has no {name}"
    if not isinstance(entry["dtype"], str):
        return f"has dtype {entry['dtype']!r:.80}, no text"
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _whole_numbers(shape):
        return f"has shape {shape!r:.80}, no list of sizes"
    if not _whole_numbers(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        return f"has data_offsets {offsets!r:.80}, no begin and end"
    return None


def _whole_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _truncated(path: Path, size: int, needed: int) -> str:
    return f"{path} is cut short: {size:,} bytes of {needed:,} are there; fetch or write it again"


def listed(keys: list[str]) -> str:
    """The first few names and how many more there are, for messages."""
    more = len(keys) - _LISTED
    return ", ".join(keys[:_LISTED]) + (f" and {more} more" if more > 0 else "")
