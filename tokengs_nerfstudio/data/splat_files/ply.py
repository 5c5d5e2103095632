"""`.ply` in the form of 3D Gaussian splatting, and points that other programs start from."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.core.harmonics import CONSTANT
from tokengs_nerfstudio.core.types import Gaussians
from tokengs_nerfstudio.data.splat_files.packing import as_bytes

_NAMES = ("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2")
_SHAPE = ("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3")


def write_ply(path: Path, gaussians: Gaussians, least_opacity: float = 0.0) -> None:
    """Gaussians of one scene in the form of 3D Gaussian splatting (Kerbl et al. 2023), 32 bits, little-endian.

    Opacities are stored as logits, scales as logarithms, colours as (rgb - 0.5) / 0.282, quaternions wxyz; harmonics
    of degree 1 on as f_rest, all of red before those of green and blue. Those with less than `least_opacity` are left
    out.
    """
    kept = gaussians.detach()
    if least_opacity > 0:
        kept = kept.select(kept.opacities >= least_opacity)
    kept = kept.to(torch.float32).to("cpu")
    opacities = kept.opacities.clamp(1e-6, 1 - 1e-6)
    rest = kept.means.new_zeros(kept.count, 0) if kept.harmonics is None else kept.harmonics.mT.flatten(1)
    columns = torch.cat(
        [
            kept.means,
            (kept.colors - 0.5) / CONSTANT,
            rest,
            opacities.logit()[:, None],
            (kept.scales + 1e-8).log(),
            kept.quats,
        ],
        dim=1,
    )
    more = (f"f_rest_{number}" for number in range(rest.shape[1]))
    head = _head(len(columns), dict.fromkeys((*_NAMES, *more, *_SHAPE), "float"))
    with replacing(path) as scratch:
        scratch.write_bytes(head + columns.numpy().astype(np.dtype("<f4"), copy=False).tobytes())


def write_points(path: Path, gaussians: Gaussians) -> None:
    """The Gaussians' centres (32 bits) and colours (8 bits) alone, as a cloud of points."""
    row = np.dtype([*((name, "<f4") for name in "xyz"), *((name, "u1") for name in ("red", "green", "blue"))])
    points = np.empty(gaussians.count, row)
    for axis, name in enumerate("xyz"):
        points[name] = gaussians.means[:, axis].numpy()
    for channel, name in enumerate(("red", "green", "blue")):
        points[name] = as_bytes(gaussians.colors[:, channel])
    kinds = {"x": "float", "y": "float", "z": "float", "red": "uchar", "green": "uchar", "blue": "uchar"}
    with replacing(path) as scratch:
        scratch.write_bytes(_head(len(points), kinds) + points.tobytes())


def _head(count: int, kinds: Mapping[str, str]) -> bytes:
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    return "\n".join([*head, *(f"property {kind} {name}" for name, kind in kinds.items()), "end_header\n"]).encode()
