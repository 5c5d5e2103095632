"""Safetensors files: what is wrong with one, what is in it, and writing one so that it is never half there."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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


class CheckpointError(UserError):
    """A weight file that cannot be found, read or understood; the message names it and says what to do."""


@dataclass(frozen=True)
class WeightFile:
    """A safetensors file that is complete: its tensors' shapes and its free-form text, before any tensor is read."""

    path: Path
    shapes: dict[str, list[int]]
    text: dict[str, str]

    @classmethod
    def open(cls, path: Path) -> "WeightFile":
        """Raises CheckpointError for anything but a whole safetensors file with tensors in it."""
        _refuse_what_is_no_file(path)
        header = _read_header(path)
        text = header.pop("__metadata__", {})
        if not header:
            raise CheckpointError(f"{path} is a safetensors file without any tensor in it")
        return cls(path, {key: list(entry["shape"]) for key, entry in header.items()}, text)

    def read(self) -> dict[str, Tensor]:
        try:
            return load_file(self.path)
        except SafetensorError as error:
            raise CheckpointError(f"{self.path} is a broken safetensors file: {error}") from error


def write(path: Path, tensors: Mapping[str, Tensor], text: Mapping[str, str]) -> None:
    """A safetensors file, written beside its place first: a reader finds the old file or the new one, whole."""
    with replacing(path) as scratch:
        save_file({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, scratch, dict(text))


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
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is no safetensors file: its header is not readable ({error})") from error
    needed = _LENGTH_BYTES + length + max(ends, default=0)
    if size < needed:
        raise CheckpointError(_truncated(path, size, needed))
    return header


def _truncated(path: Path, size: int, needed: int) -> str:
    return f"{path} is cut short: {size:,} bytes of {needed:,} are there; fetch or write it again"


def listed(keys: list[str]) -> str:
    """The first few names and how many more there are, for messages."""
    more = len(keys) - _LISTED
    return ", ".join(keys[:_LISTED]) + (f" and {more} more" if more > 0 else "")
