"""A folder of mesh files as one mesh pack."""

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.procedural.meshes.files import SUFFIXES, Look, Surface, read_surfaces, require_trimesh
from tokengs_nerfstudio.data.procedural.meshes.pack import CUT_OUT, OPAQUE, MeshPack

OTHER_CATEGORY = "props"
_QUALITY = 80
_LOSSLESS = 16
"""pixels up to which a texture keeps its exact colours"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PackingConfig:
    """How mesh files become a pack."""

    up: Literal["y", "z"] = "y"
    """axis that points up in .obj files, y or z; in glTF it is y"""
    split: bool = False
    """one mesh for each node of a .glb or .gltf and each object of an .obj instead of one for each file"""
    texture_size: int = 256
    """longer side that textures are shrunk to, in pixels"""
    max_triangles: int = 20_000
    """meshes of more triangles are left out"""

    def __post_init__(self) -> None:
        if min(self.texture_size, self.max_triangles) < 1:
            raise UserError(
                f"texture_size and max_triangles must be at least 1, got {self.texture_size} and {self.max_triangles}"
            )


@dataclass
class LeftOut:
    """How much of a folder is not in its pack."""

    broken: int = 0
    """files"""
    too_large: int = 0
    """meshes of too many triangles"""
    empty: int = 0
    """meshes of which nothing is to be seen"""

    def __str__(self) -> str:
        return f"{self.broken} broken files, {self.too_large} meshes too large, {self.empty} with nothing to see"


def pack_meshes(folder: Path, config: PackingConfig) -> tuple[MeshPack, LeftOut]:
    """All meshes below `folder`; the first folder on the way to one is its category, else OTHER_CATEGORY.

    Broken files and too large meshes are named in the log. Raises FileNotFoundError for no files, ValueError where none
    of them gives a mesh and where there is no trimesh.
    """
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise MissingFileError(f"no {', '.join(SUFFIXES)} files in {folder}")
    require_trimesh()
    growing, left_out = _GrowingPack(), LeftOut()
    for file in files:
        _add_file(growing, left_out, file, folder, config)
    if not growing.names:
        raise UserError(f"none of the {len(files)} files in {folder} gives a mesh: {left_out}")
    return growing.pack(), left_out


def _add_file(growing: "_GrowingPack", left_out: LeftOut, file: Path, folder: Path, config: PackingConfig) -> None:
    name = file.relative_to(folder)
    category = name.parts[0] if len(name.parts) > 1 else OTHER_CATEGORY
    try:
        parts = read_surfaces(file, config.texture_size, config.up, config.split)
    except Exception as error:  # other people's files break readers in every way there is
        _log.warning("left out, cannot be read: %s (%s)", name, error or type(error).__name__)
        left_out.broken += 1
        return
    left_out.empty += not parts
    for part, surfaces in sorted(parts.items()):
        title = name.with_suffix("").as_posix() + (f"#{part}" if part else "")
        triangles = sum(len(surface.triangles) for surface in surfaces)
        if triangles > config.max_triangles:
            _log.warning("left out, more than %d triangles: %s (%d)", config.max_triangles, title, triangles)
            left_out.too_large += 1
        elif not growing.add(title, category, surfaces):
            left_out.empty += 1


@dataclass
class _GrowingPack:
    """The arrays of a pack, mesh by mesh."""

    vertices: list[np.ndarray] = field(default_factory=list)
    uvs: list[np.ndarray] = field(default_factory=list)
    triangles: list[np.ndarray] = field(default_factory=list)
    triangle_texture: list[np.ndarray] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    textures: dict[tuple[bytes, int], int] = field(default_factory=dict)

    def add(self, name: str, category: str, surfaces: Sequence[Surface]) -> bool:
        """Whether there was anything to add."""
        starts = np.cumsum([0, *(len(surface.vertices) for surface in surfaces)])
        triangles = np.concatenate([surface.triangles + start for surface, start in zip(surfaces, starts)])
        # Files that share a look between surfaces hand out the same object.
        known: dict[Look, int] = {}
        texture = np.concatenate([self._textures(surface, known) for surface in surfaces])
        used, corners = np.unique(triangles, return_inverse=True)
        vertices = np.concatenate([surface.vertices for surface in surfaces])[used]
        low, high = vertices.min(0), vertices.max(0)
        half = (high - low).max() / 2
        if not half > 0:
            return False
        self.vertices.append(((vertices - (low + high) / 2) / half).astype(np.float32))
        self.uvs.append(np.concatenate([surface.uvs for surface in surfaces])[used].astype(np.float32))
        self.triangles.append(corners.reshape(-1, 3).astype(np.int32))
        self.triangle_texture.append(texture.astype(np.int32))
        self.categories.append(category)
        self.names.append(name)
        return True

    def _textures(self, surface: Surface, known: dict[Look, int]) -> np.ndarray:
        for look in surface.looks:
            if look not in known:
                file = (_encoded(look), CUT_OUT if look.cut_out else OPAQUE)
                known[look] = self.textures.setdefault(file, len(self.textures))
        return np.array([known[look] for look in surface.looks])[surface.triangle_look]

    def pack(self) -> MeshPack:
        """What was added; there must be something."""
        categories = tuple(sorted(set(self.categories)))
        files = [np.frombuffer(file, np.uint8) for file, _ in self.textures]
        return MeshPack(
            vertices=np.concatenate(self.vertices),
            uvs=np.concatenate(self.uvs),
            triangles=np.concatenate(self.triangles),
            triangle_texture=np.concatenate(self.triangle_texture),
            vertex_offsets=_offsets(self.vertices).astype(np.int32),
            triangle_offsets=_offsets(self.triangles).astype(np.int32),
            category=np.array([categories.index(name) for name in self.categories], np.int32),
            categories=categories,
            names=tuple(self.names),
            texture_bytes=np.concatenate(files),
            texture_offsets=_offsets(files),
            texture_alpha=np.array([alpha for _, alpha in self.textures], np.uint8),
        )


def _offsets(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.cumsum([0, *(len(part) for part in parts)])


def _encoded(look: Look) -> bytes:
    height, width = look.pixels.shape[:2]
    file = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(look.pixels if look.cut_out else look.pixels[..., :3]))
    image.save(file, "WEBP", quality=_QUALITY, lossless=height * width <= _LOSSLESS)
    return file.getvalue()
