"""Reads what `tokengs-export` writes, by what each format says of itself and nothing of the writers."""

import gzip
import struct
from pathlib import Path

import numpy as np
import torch
from made.ply import read_vertices
from torch import Tensor

from tokengs_nerfstudio.core.types import Gaussians

_BAND_0 = 0.28209479177387814


def read_ply(file: Path) -> Gaussians:
    """A PLY of 3D Gaussian splatting."""
    rows = read_vertices(file)

    def columns(*names: str) -> Tensor:
        return torch.from_numpy(np.stack([rows[name] for name in names], axis=-1).astype(np.float32))

    return Gaussians(
        means=columns("x", "y", "z"),
        quats=torch.nn.functional.normalize(columns("rot_0", "rot_1", "rot_2", "rot_3"), dim=-1),
        scales=columns("scale_0", "scale_1", "scale_2").exp(),
        opacities=columns("opacity")[:, 0].sigmoid(),
        colors=columns("f_dc_0", "f_dc_1", "f_dc_2") * _BAND_0 + 0.5,
    )


def read_splat(file: Path) -> Gaussians:
    row = np.dtype([("means", "<f4", 3), ("scales", "<f4", 3), ("colors", "u1", 4), ("quats", "u1", 4)])
    rows = np.frombuffer(file.read_bytes(), row)
    colors = _tensor(rows["colors"]) / 255
    quats = torch.nn.functional.normalize((_tensor(rows["quats"]) - 128) / 128, dim=-1)
    return Gaussians(_tensor(rows["means"]), quats, _tensor(rows["scales"]), colors[:, 3], colors[:, :3])


def read_spz(file: Path) -> Gaussians:
    content = gzip.decompress(file.read_bytes())
    magic, version, count, degree, fraction, *_ = struct.unpack("<4sIIBBBB", content[:16])
    assert (magic, version, degree) == (b"NGSP", 3, 0)
    parts, start = [], 16
    for width in (9, 1, 3, 3, 4):
        parts.append(np.frombuffer(content, np.uint8, width * count, start).reshape(count, width))
        start += width * count
    assert start == len(content)
    places = np.zeros((count, 3, 4), np.uint8)
    places[..., 1:] = parts[0].reshape(count, 3, 3)  # in the upper bytes, so that the sign is where it belongs
    means = places.reshape(count, 12).view("<i4").astype(np.float64) / 2.0 ** (8 + fraction)
    words = parts[4].copy().view("<u4")[:, 0]
    return Gaussians(
        means=_tensor(means),
        quats=_from_three(words >> 30, [_signed(words >> shift) for shift in (20, 10, 0)])[:, [3, 0, 1, 2]],
        scales=(_tensor(parts[3]) / 16 - 10).exp(),
        opacities=_tensor(parts[1])[:, 0] / 255,
        colors=0.5 + _BAND_0 * (_tensor(parts[2]) / 255 - 0.5) / 0.15,
    )


def _signed(words: np.ndarray) -> np.ndarray:
    amounts = (words & 511) / 511 / np.sqrt(2)
    return np.where(words >> 9 & 1, -amounts, amounts)


def read_compressed_ply(file: Path) -> Gaussians:
    head, _, body = file.read_bytes().partition(b"end_header\n")
    lines = [line.split() for line in head.decode().splitlines()]
    assert lines[:2] == [["ply"], ["format", "binary_little_endian", "1.0"]]
    counts = {line[1]: int(line[2]) for line in lines if line[0] == "element"}
    assert list(counts) == ["chunk", "vertex"]
    names = [line[2] for line in lines if line[:2] == ["property", "float"]]
    packed = [line[2] for line in lines if line[:2] == ["property", "uint"]]
    blocks = np.frombuffer(body, np.dtype([(name, "<f4") for name in names]), counts["chunk"])
    rows = np.frombuffer(body, np.dtype([(name, "<u4") for name in packed]), counts["vertex"], blocks.nbytes)
    assert len(body) == blocks.nbytes + rows.nbytes
    block = np.arange(len(rows)) // 256

    def inside(parts: list[np.ndarray], *which: str) -> Tensor:
        bounds = [(blocks[f"min_{name}"][block], blocks[f"max_{name}"][block]) for name in which]
        return _tensor(np.stack([low + part * (high - low) for part, (low, high) in zip(parts, bounds)], axis=1))

    def triple(words: np.ndarray) -> list[np.ndarray]:
        return [(words >> 21) / 2047, (words >> 11 & 1023) / 1023, (words & 2047) / 2047]

    colors = [(rows["packed_color"] >> shift & 255) / 255 for shift in (24, 16, 8, 0)]
    turns = rows["packed_rotation"]
    three = [((turns >> shift & 1023) / 1023 - 0.5) * np.sqrt(2) for shift in (20, 10, 0)]
    return Gaussians(
        means=inside(triple(rows["packed_position"]), "x", "y", "z"),
        quats=_from_three(turns >> 30, three),
        scales=inside(triple(rows["packed_scale"]), "scale_x", "scale_y", "scale_z").exp(),
        opacities=_tensor(colors[3]),
        colors=inside(colors[:3], "r", "g", "b"),
    )


def _from_three(largest: np.ndarray, three: list[np.ndarray]) -> Tensor:
    """Quaternions whose component number `largest`, positive, follows from the other three."""
    rest = np.sqrt(np.clip(1 - sum(part**2 for part in three), 0, None))
    rows = [np.insert([a, b, c], which, last) for which, a, b, c, last in zip(largest, *three, rest)]
    return _tensor(np.stack(rows))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


READERS = {".ply": read_ply, ".splat": read_splat, ".spz": read_spz, ".compressed.ply": read_compressed_ply}
