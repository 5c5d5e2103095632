"""Compressed PLY in PlayCanvas's layout: 16 bytes a Gaussian, in blocks of 256 with bounds of their own."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor

from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.core.types import Gaussians
from tokengs_nerfstudio.data.splat_files.packing import levels, without_largest

_BLOCK = 256
_GRID_BITS = 10
_SMALLEST, _LARGEST_SCALE = -20.0, 20.0
"""logarithms of scales that readers know"""
_BOUNDS = [f"{end}_{name}" for names in ("x y z", "scale_x scale_y scale_z", "r g b")
           for end in ("min", "max") for name in names.split()]  # fmt: skip
_PACKED = ("packed_position", "packed_rotation", "packed_scale", "packed_color")


def write_compressed_ply(path: Path, gaussians: Gaussians) -> None:
    """Gaussians of one scene; lossy: 11, 10 and 11 bits within their block for position and scales, 8 for colours.

    They are sorted along a curve that fills space, so that the blocks are small.
    """
    sorted_ = gaussians.select(torch.from_numpy(_along_a_curve(gaussians.means)))
    groups = (sorted_.means, sorted_.scales.log().clamp(_SMALLEST, _LARGEST_SCALE), sorted_.colors)
    bounds, inside = zip(*(_in_blocks(group) for group in groups))
    colors = [*levels(inside[2], 8).T, levels(sorted_.opacities, 8)]
    columns = [
        _fields(levels(inside[0][:, 0], 11), levels(inside[0][:, 1], 10), levels(inside[0][:, 2], 11)),
        _rotations(sorted_.quats),
        _fields(levels(inside[1][:, 0], 11), levels(inside[1][:, 1], 10), levels(inside[1][:, 2], 11)),
        colors[0] << 24 | colors[1] << 16 | colors[2] << 8 | colors[3],
    ]
    blocks = torch.cat(bounds, dim=1).numpy().astype("<f4")
    head = ["ply", "format binary_little_endian 1.0", f"element chunk {len(blocks)}"]
    head += [*(f"property float {name}" for name in _BOUNDS), f"element vertex {sorted_.count}"]
    head += [f"property uint {name}" for name in _PACKED]
    body = blocks.tobytes() + np.stack(columns, axis=1).astype("<u4").tobytes()
    with replacing(path) as scratch:
        scratch.write_bytes("\n".join([*head, "end_header\n"]).encode() + body)


def _fields(x: ndarray, y: ndarray, z: ndarray) -> Int64[ndarray, " gaussian"]:
    return x << 21 | y << 11 | z


def _rotations(quats: Float[Tensor, "gaussian 4"]) -> Int64[ndarray, " gaussian"]:
    """Two bits for the largest component of wxyz, ten for each of the others, of -1 / sqrt(2) to 1 / sqrt(2)."""
    largest, three = without_largest(quats)
    a, b, c = levels(three / 2**0.5 + 0.5, 10).T
    return largest << 30 | a << 20 | b << 10 | c


def _in_blocks(values: Float[Tensor, "gaussian 3"]) -> tuple[Float[Tensor, "block 6"], Float[Tensor, "gaussian 3"]]:
    """The bounds of each block (its three least values, its three greatest), and where values lie in them, 0 to 1."""
    count = len(values)
    filled = torch.cat([values, values[-1:].expand(-count % _BLOCK, 3)]).reshape(-1, _BLOCK, 3)
    low, high = filled.amin(1, keepdim=True), filled.amax(1, keepdim=True)
    inside = (filled - low) / (high - low).clamp(min=1e-20)
    return torch.cat([low[:, 0], high[:, 0]], dim=1), inside.reshape(-1, 3)[:count]


def _along_a_curve(means: Float[Tensor, "gaussian 3"]) -> Int64[ndarray, " gaussian"]:
    """The order in which Gaussians lie along Morton's curve: the bits of the three coordinates by turns."""
    low, high = means.amin(0), means.amax(0)
    cells = levels((means - low) / (high - low).clamp(min=1e-20), _GRID_BITS)
    key = np.zeros(len(cells), np.int64)
    for bit in range(_GRID_BITS):
        for axis in range(3):
            key |= (cells[:, axis] >> bit & 1) << (3 * bit + axis)
    return key.argsort(kind="stable")
