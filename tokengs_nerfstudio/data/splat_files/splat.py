"""`.splat`: 32 bytes a Gaussian, read by web viewers."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.core.types import Gaussians
from tokengs_nerfstudio.data.splat_files.packing import as_bytes


def write_splat(path: Path, gaussians: Gaussians) -> None:
    """Gaussians of one scene, those that hide most first, for viewers that draw while they load.

    Each is three little-endian floats for the mean, three for the scales, a byte for each of red, green, blue and
    opacity, and four for the quaternion wxyz, whose -1 ... 1 is 0 ... 256.
    """
    with replacing(path) as scratch:
        scratch.write_bytes(_rows(gaussians).tobytes())


def _rows(gaussians: Gaussians) -> UInt8[ndarray, "gaussian 32"]:
    size = gaussians.scales.double().log().sum(-1) + gaussians.opacities.double().log()
    sorted_ = gaussians.select(size.argsort(descending=True))
    floats = torch.cat([sorted_.means, sorted_.scales], dim=1).numpy().astype("<f4").view(np.uint8)
    colors = as_bytes(torch.cat([sorted_.colors, sorted_.opacities[:, None]], dim=1))
    quats = (sorted_.quats * 128 + 128).round().clamp(0, 255).numpy().astype(np.uint8)
    return np.concatenate([floats, colors, quats], axis=1)
