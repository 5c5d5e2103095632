"""Gaussians as files that other programs read: one module a format."""

from collections.abc import Callable
from pathlib import Path

from tokengs_nerfstudio.core.types import Gaussians
from tokengs_nerfstudio.data.splat_files.compressed_ply import write_compressed_ply
from tokengs_nerfstudio.data.splat_files.ply import write_ply
from tokengs_nerfstudio.data.splat_files.splat import write_splat
from tokengs_nerfstudio.data.splat_files.spz import write_spz

WRITERS: dict[str, Callable[[Path, Gaussians], None]] = {
    ".compressed.ply": write_compressed_ply,
    ".ply": write_ply,
    ".spz": write_spz,
    ".splat": write_splat,
}
"""What writes Gaussians of one scene (32 bits, on the CPU, at least one) to a file of that ending; the longest that
fits decides"""

__all__ = ["WRITERS", "write_compressed_ply", "write_ply", "write_splat", "write_spz"]
