"""Packs of textured meshes: one .npz file of small integers and WebP images, whatever the meshes came from.

| array | what |
|---|---|
| `vertices` int16 [V, 3] | 32767 times what `MeshPack` holds |
| `uvs` uint16 [V, 2] | 4096 times; float32 as they are where a texture repeats more than 16 times |
| `triangles`, `triangle_texture` uint16 or int32 [T, 3], [T] | as in `MeshPack`, and so is all below |
| `vertex_offsets`, `triangle_offsets` int32 [M + 1], `category` uint8 (uint16) [M], `categories`, `name` [M] | |
| `texture_bytes` uint8, `texture_offsets` int64 [K + 1], `texture_alpha` uint8 [K] | |
"""

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from PIL import Image

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.core.files import replacing

OPAQUE, CUT_OUT, TINTED = 0, 1, 2
"""What a texture's alpha means: nothing; a hole where it is below one half; where another colour may show (opaque)."""

_VERTEX_UNIT, _UV_UNIT = 32767.0, 4096.0
_MOST_REPEATS = 65535 / _UV_UNIT
_UNREADABLE = (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class MeshPack:
    """M textured meshes one after another, each in a frame of its own: z up, centred, its longest side from -1 to 1.

    Triangles are to be seen from both sides: the order of their corners says nothing. ValueError where the arrays do
    not fit together.
    """

    vertices: np.ndarray
    """float32 [V, 3]; mesh i owns `vertices[vertex_offsets[i]:vertex_offsets[i + 1]]`, and likewise its triangles"""
    uvs: np.ndarray
    """float32 [V, 2]: the fraction of u runs along the width of the image, that of v down its height"""
    triangles: np.ndarray
    """int32 [T, 3], numbers of vertices within the mesh"""
    triangle_texture: np.ndarray
    """int32 [T]"""
    vertex_offsets: np.ndarray
    """int32 [M + 1]"""
    triangle_offsets: np.ndarray
    """int32 [M + 1]"""
    category: np.ndarray
    """int32 [M], index into `categories`"""
    categories: tuple[str, ...]
    names: tuple[str, ...]
    """where each mesh comes from, M of them"""
    texture_bytes: np.ndarray
    """uint8: K image files one after another"""
    texture_offsets: np.ndarray
    """int64 [K + 1]"""
    texture_alpha: np.ndarray
    """uint8 [K]: OPAQUE, CUT_OUT or TINTED"""

    def __post_init__(self) -> None:
        for problem in (_wrong_shape(self), _wrong_offsets(self), _wrong_numbers(self)):
            if problem:
                raise UserError(problem)

    def __len__(self) -> int:
        """How many meshes there are."""
        return len(self.names)

    def texture(self, number: SupportsIndex) -> np.ndarray:
        """Pixels of a texture, uint8 [height, width, 4]; ValueError where its image cannot be read."""
        number = int(number)
        start, stop = self.texture_offsets[number : number + 2]
        try:
            with Image.open(io.BytesIO(self.texture_bytes[start:stop].tobytes())) as image:
                return np.array(image.convert("RGBA"))
        except (OSError, SyntaxError, ValueError) as error:
            raise UserError(f"texture {number} of the mesh pack cannot be read: {error}") from error

    def save(self, path: Path) -> None:
        """Write the pack: whole, or not at all. Positions are rounded to 1/32767, coordinates of textures to 1/4096."""
        arrays = {
            "vertices": np.rint(self.vertices * _VERTEX_UNIT).astype(np.int16),
            "uvs": _stored_uvs(self),
            "triangles": _small(self.triangles),
            "triangle_texture": _small(self.triangle_texture),
            "vertex_offsets": self.vertex_offsets.astype(np.int32),
            "triangle_offsets": self.triangle_offsets.astype(np.int32),
            "category": self.category.astype(np.uint8 if len(self.categories) <= 2**8 else np.uint16),
            "categories": np.array(self.categories),
            "name": np.array(self.names),
            "texture_bytes": self.texture_bytes,
            "texture_offsets": self.texture_offsets.astype(np.int64),
            "texture_alpha": self.texture_alpha,
        }
        with replacing(Path(path)) as scratch, scratch.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> "MeshPack":
        """Read a pack. FileNotFoundError where there is none, ValueError naming the file for one that is broken."""
        path = Path(path)
        if not path.is_file():
            raise MissingFileError(f"there is no mesh pack {path}")
        try:
            return _pack(_arrays(path))
        except _UNREADABLE as error:
            raise UserError(f"{path} is no mesh pack: {error}") from error


_STORED = (
    *("vertices", "uvs", "triangles", "triangle_texture", "vertex_offsets", "triangle_offsets"),
    *("category", "categories", "name", "texture_bytes", "texture_offsets", "texture_alpha"),
)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise UserError("an .npz file was expected")
    with np.load(path, allow_pickle=False) as stored:
        missing = [name for name in _STORED if name not in stored.files]
        if missing:
            raise UserError(f"missing are {', '.join(missing)}")
        return {name: stored[name] for name in _STORED}


def _pack(stored: dict[str, np.ndarray]) -> MeshPack:
    vertices, uvs = stored["vertices"].astype(np.float32), stored["uvs"].astype(np.float32)
    if stored["vertices"].dtype.kind in "iu":
        vertices /= _VERTEX_UNIT
    if stored["uvs"].dtype.kind in "iu":
        uvs /= _UV_UNIT
    numbers = ("triangles", "triangle_texture", "vertex_offsets", "triangle_offsets", "category")
    return MeshPack(
        vertices,
        uvs,
        *(stored[name].astype(np.int32) for name in numbers),
        categories=tuple(str(name) for name in stored["categories"]),
        names=tuple(str(name) for name in stored["name"]),
        texture_bytes=stored["texture_bytes"].astype(np.uint8),
        texture_offsets=stored["texture_offsets"].astype(np.int64),
        texture_alpha=stored["texture_alpha"].astype(np.uint8),
    )


def _small(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype(np.uint16 if numbers.max() < 2**16 else np.int32)


def _stored_uvs(pack: MeshPack) -> np.ndarray:
    """Whole repeats are taken off each mesh, so that what is left is small and positive."""
    lowest = np.minimum.reduceat(pack.uvs, pack.vertex_offsets[:-1], axis=0)
    uvs = pack.uvs - np.floor(lowest)[_mesh_of(pack.vertex_offsets)]
    return np.rint(uvs * _UV_UNIT).astype(np.uint16) if uvs.max() < _MOST_REPEATS else uvs.astype(np.float32)


def _mesh_of(offsets: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def _wrong_shape(pack: MeshPack) -> str:
    meshes, textures = len(pack.names), len(pack.texture_alpha)
    vertices, triangles = pack.vertices.shape[:1], pack.triangles.shape[:1]
    expected = {
        "vertices": (*vertices, 3),
        "uvs": (*vertices, 2),
        "triangles": (*triangles, 3),
        "triangle_texture": triangles,
        "vertex_offsets": (meshes + 1,),
        "triangle_offsets": (meshes + 1,),
        "category": (meshes,),
        "texture_bytes": (pack.texture_bytes.size,),
        "texture_offsets": (textures + 1,),
        "texture_alpha": (textures,),
    }
    found = {name: getattr(pack, name).shape for name in expected}
    wrong = [
        f"{name} has shape {found[name]} instead of {shape}" for name, shape in expected.items() if found[name] != shape
    ]
    return "it holds no meshes" if not meshes else "; ".join(wrong)


def _wrong_offsets(pack: MeshPack) -> str:
    ends = {
        "vertex_offsets": len(pack.vertices),
        "triangle_offsets": len(pack.triangles),
        "texture_offsets": len(pack.texture_bytes),
    }
    for name, end in ends.items():
        offsets = getattr(pack, name)
        if offsets[0] != 0 or offsets[-1] != end or (np.diff(offsets) <= 0).any():
            return f"{name} must rise from 0 to {end}"
    return ""


def _wrong_numbers(pack: MeshPack) -> str:
    vertices_of = np.diff(pack.vertex_offsets)[_mesh_of(pack.triangle_offsets)]
    if not (np.isfinite(pack.vertices).all() and np.isfinite(pack.uvs).all()):
        return "vertices and uvs must be finite"
    # Half a step of the stored integers, and what float32 adds.
    if np.abs(pack.vertices).max() > 1 + 1e-4:
        return f"vertices must be within [-1, 1], found {np.abs(pack.vertices).max():.4g}"
    if pack.triangles.min() < 0 or (pack.triangles.max(-1) >= vertices_of).any():
        return "triangles name vertices that their mesh does not have"
    for name, count in (("triangle_texture", len(pack.texture_alpha)), ("category", len(pack.categories))):
        numbers = getattr(pack, name)
        if numbers.min() < 0 or numbers.max() >= count:
            return f"{name} must be in [0, {count})"
    return "" if pack.texture_alpha.max() <= TINTED else f"texture_alpha must be 0, 1 or {TINTED}"
