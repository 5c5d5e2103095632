"""The points that a `transforms.json` names in `ply_file_path`: PLY files, with numbers as text or as bytes."""

import logging
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from tokengs_nerfstudio.core.errors import UserError, content_of
from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.data.capture.transforms_json import Transforms, in_brief, slashed

_log = logging.getLogger(__name__)

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}
_PLACES, _COLORS = ("x", "y", "z"), ("red", "green", "blue")
_GREY = 0.5
# Fewer points have no neighbours to be sized by.
_FEWEST = 4


def capture_points(transforms: Transforms) -> PointCloud | None:
    """The points of a capture, in the world of its cameras (`transform_matrix`); 64 bits, colours 32.

    None where it names no file, where that file is gone (which is said), and where it has fewer than four points.
    UserError for a file that is not PLY with vertices that have x, y and z.
    """
    name = transforms.shared.get("ply_file_path")
    if name is None:
        return None
    if not isinstance(name, str):
        raise UserError(f"'ply_file_path' of {transforms.file} must be the path of a file, got {in_brief(name)}")
    path = transforms.file.parent / slashed(name)
    if not path.is_file():
        _log.warning(f"the points that {transforms.file} names are not there ({path}): the tuning does without")
        return None
    points = read_points(path)
    return points if points.count >= _FEWEST else None


def read_points(path: Path) -> PointCloud:
    """The vertices of a PLY file: places, and colours (grey where it has none); those that are not finite left out.

    UserError for what is no PLY file of this kind.
    """
    with content_of(path, "a PLY file of points", "write it anew, or take 'ply_file_path' out of the capture"):
        rows = _vertices(path.read_bytes())
        places = np.stack([rows[name] for name in _PLACES], axis=1).astype(np.float64)
        colors = np.full((len(rows), 3), _GREY, np.float32)
        if rows.dtype.names is not None and set(_COLORS) <= set(rows.dtype.names):
            colors = np.stack([_in_unit(rows[name]) for name in _COLORS], axis=1)
    kept = np.isfinite(places).all(1) & np.isfinite(colors).all(1)
    return PointCloud(torch.from_numpy(places[kept]), torch.from_numpy(colors[kept]))


def _in_unit(channel: ndarray) -> ndarray:
    """A channel in [0, 1]: whole numbers are levels of their type, others are so already."""
    levels = np.iinfo(channel.dtype).max if channel.dtype.kind in "iu" else 1
    return np.clip(channel.astype(np.float32) / levels, 0, 1)


def _vertices(content: bytes) -> ndarray:
    """The rows of the element `vertex`, which must come first, with the properties of the head as fields."""
    head, _, body = content.partition(b"end_header")
    lines = [line.split() for line in head.decode("ascii").splitlines()]
    if not lines or lines[0] != ["ply"]:
        raise ValueError("it does not begin with 'ply'")
    order = next(_ORDERS[words[1]] for words in lines if words[:1] == ["format"])
    elements = [number for number, words in enumerate(lines) if words[:1] == ["element"]]
    if lines[elements[0]][1] != "vertex":
        raise ValueError("its first element is not 'vertex'")
    end = elements[1] if len(elements) > 1 else len(lines)
    properties = [words for words in lines[elements[0] + 1 : end] if words[:1] == ["property"]]
    count, row = int(lines[elements[0]][2]), np.dtype([(words[2], order + _TYPES[words[1]]) for words in properties])
    body = body[body.index(b"\n") + 1 :]
    if order != "=":
        return np.frombuffer(body, row, count)
    numbers = [tuple(line.split()[: len(properties)]) for line in body.decode("ascii").splitlines()[:count]]
    if len(numbers) < count:
        raise ValueError(f"it ends after {len(numbers)} of {count} vertices")
    return np.array(numbers, dtype=row)
