"""`.spz`, version 3: some 20 bytes a Gaussian, gzipped (Niantic's format)."""

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.core.harmonics import CONSTANT
from tokengs_nerfstudio.core.types import Gaussians
from tokengs_nerfstudio.data.splat_files.packing import as_bytes, without_largest

_MAGIC, _VERSION = 0x5053474E, 3
_LARGEST = 2**23 - 1
"""what 24 bits with a sign hold"""
_MOST_FRACTION = 20
_COLOR = 0.15
"""by which coefficients of the constant harmonic are stored"""
_SCALE_STEPS, _SCALE_OFFSET = 16, 10
"""a byte of scale is 16 (ln s + 10)"""
_MAGNITUDE = 511


def write_spz(path: Path, gaussians: Gaussians) -> None:
    """Gaussians of one scene; lossy: scales by steps of 6 %, colours and opacities of 8 bits.

    Positions have 24 bits, as many of them behind the point as the farthest Gaussian leaves. UserError where that is
    beyond 8 million units.
    """
    fraction = _fraction(float(gaussians.means.abs().max()))
    header = struct.pack("<IIIBBBB", _MAGIC, _VERSION, gaussians.count, 0, fraction, 0, 0)
    harmonics = (gaussians.colors - 0.5) / CONSTANT
    columns = [
        _positions(gaussians.means, fraction),
        as_bytes(gaussians.opacities),
        as_bytes(harmonics * _COLOR + 0.5),
        (_SCALE_STEPS * (gaussians.scales.log() + _SCALE_OFFSET)).round().clamp(0, 255).numpy().astype(np.uint8),
        _rotations(gaussians.quats).astype("<u4"),
    ]
    with replacing(path) as scratch:
        scratch.write_bytes(gzip.compress(b"".join([header, *(column.tobytes() for column in columns)]), mtime=0))


def _fraction(farthest: float) -> int:
    fraction = math.floor(math.log2(_LARGEST / max(farthest, 1e-6)))
    if fraction < 0:
        raise UserError(f"a Gaussian is {farthest:.3g} units away, .spz has room for {_LARGEST}: give a --crop box")
    return min(fraction, _MOST_FRACTION)


def _positions(means: Float[Tensor, "gaussian 3"], fraction: int) -> UInt8[ndarray, "gaussian 3 3"]:
    whole = (means.double() * 2**fraction).round().clamp(-_LARGEST, _LARGEST)
    numbers = np.ascontiguousarray(whole.numpy(), "<i4")
    return np.ascontiguousarray(numbers.view(np.uint8).reshape(-1, 3, 4)[:, :, :3])


def _rotations(quats: Float[Tensor, "gaussian 4"]) -> Int64[ndarray, " gaussian"]:
    """Two bits for the largest component of xyzw, then for each of the others a sign and nine bits of its amount."""
    largest, three = without_largest(quats[:, [1, 2, 3, 0]])
    amounts = (three.abs() * (math.sqrt(2) * _MAGNITUDE)).round().clamp(0, _MAGNITUDE).long()
    fields = (amounts + torch.where(three < 0, 512, 0)).numpy()
    return largest << 30 | fields[:, 0] << 20 | fields[:, 1] << 10 | fields[:, 2]
