"""What scenes of meshes are put together from: meshes with their hierarchies, and textures with their halvings."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.pack import CUT_OUT, MeshPack
from tokengs_nerfstudio.data.procedural.meshes.shapes import BUILT_IN, Shape

_log = logging.getLogger(__name__)
_LEAF_TRIANGLES = 4
CHUNKS = 8
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class MeshSources:
    """Where meshes and pictures come from."""

    pack: Path | None = None
    """a mesh pack, see `tokengs-capture pack-meshes`; without one there are no scenes of meshes"""
    textures: Path | None = None
    """folder of pictures for grounds and walls: those below a folder `ground` are for grounds, those below `panoramas`
    are equirectangular surroundings; without one, textures of the pack serve"""
    photos: Path | None = None
    """folder of photos for pictures on walls and for backdrops, searched with all its folders"""
    texture_size: int = 128
    """longest side of a texture, in pixels; panoramas have twice that"""
    most_photos: int = 200
    """photos that are taken, evenly from among all"""

    def __post_init__(self) -> None:
        if not 1 <= self.texture_size <= 2 ** (at.LEVELS - 1) or self.most_photos < 0:
            raise UserError(f"1 <= texture_size <= {2 ** (at.LEVELS - 1)}, most_photos >= 0 needed; got {self}")


@dataclass(frozen=True, eq=False)
class MeshLibrary:
    """Meshes and textures as the kernels take them, with what placing them needs."""

    meshes: at.Meshes
    textures: at.Textures
    roots: np.ndarray
    """[M] reference of each mesh's root; the built-in shapes come last"""
    low: np.ndarray
    """[M 3] bounds of each mesh in its own frame"""
    high: np.ndarray
    chunks: np.ndarray
    """[M CHUNKS 2 3] bounds of parts of each mesh, which together are tighter than one box that is turned"""
    by_category: dict[str, np.ndarray]
    """numbers of the meshes of each category of the pack"""
    shapes: dict[Shape, np.ndarray]
    """numbers of the built-in meshes"""
    grounds: np.ndarray
    """numbers of textures for grounds, as `walls`, `pictures` and `panoramas`"""
    walls: np.ndarray
    pictures: np.ndarray
    panoramas: np.ndarray


@lru_cache(maxsize=2)
def library_of(sources: MeshSources) -> MeshLibrary:
    """Read and prepare meshes and textures: seconds, once a process.

    FileNotFoundError for a pack or folder that is not there, ValueError for a broken pack, for none, or for a folder
    without pictures.
    """
    if sources.pack is None:
        raise UserError("scenes of meshes need a mesh pack: make one with `tokengs-capture pack-meshes FOLDER OUT.npz`")
    pack = MeshPack.load(sources.pack)
    atlas = _Atlas(sources.texture_size)
    for number in range(len(pack.texture_alpha)):
        cut_out = pack.texture_alpha[number] == CUT_OUT
        atlas.add(Image.fromarray(pack.texture(number)), at.CUT_OUT if cut_out else at.OPAQUE)
    grounds, walls, panoramas = _folder(atlas, sources.textures)
    pictures = _photos(atlas, sources)
    spare = np.array([k for k in range(len(pack.texture_alpha)) if atlas.alpha[k] == at.OPAQUE and atlas.large(k)])
    spare = spare if len(spare) else np.array([atlas.add(Image.new("RGB", (1, 1), (160, 160, 160)), at.OPAQUE)])
    textures = atlas.textures()
    meshes, roots, chunks = _meshes(pack)
    count = len(pack)
    return MeshLibrary(
        meshes,
        textures,
        roots,
        chunks[:, :, 0].min(1),
        chunks[:, :, 1].max(1),
        chunks,
        by_category={name: np.flatnonzero(pack.category == k) for k, name in enumerate(pack.categories)},
        shapes={s: np.array([count + k for k, b in enumerate(BUILT_IN) if b.shape == s]) for s in Shape},
        grounds=grounds if len(grounds) else spare,
        walls=walls if len(walls) else spare,
        pictures=pictures if len(pictures) else walls if len(walls) else spare,
        panoramas=panoramas,
    )


class _Atlas:
    """Textures with their halvings, while they are collected."""

    def __init__(self, size: int) -> None:
        self.size, self.alpha = size, list[int]()
        self._texels, self._levels, self._count = list[np.ndarray](), list[list[tuple[int, int, int]]](), 0

    def add(self, image: Image.Image, alpha: int, size: int | None = None) -> int:
        """The number of a texture that looks like `image`, shrunk to `size`."""
        image = image.convert("RGBA" if alpha == at.CUT_OUT else "RGB")
        longest = size or self.size
        if max(image.size) > longest:
            scale = longest / max(image.size)
            image = image.resize(
                (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BOX
            )
        levels = [self._add_level(image)]
        while max(image.size) > 1 and len(levels) < at.LEVELS:
            image = image.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.BOX)
            levels.append(self._add_level(image))
        levels += levels[-1:] * (at.LEVELS - len(levels))
        self._levels.append(levels)
        self.alpha.append(alpha)
        return len(self.alpha) - 1

    def _add_level(self, image: Image.Image) -> tuple[int, int, int]:
        """First texel, height, width; holes take the mean colour, for what is seen beside them is mixed with them."""
        pixels = np.array(image.convert("RGBA")).reshape(-1, 4)
        holes = pixels[:, 3] == 0
        if holes.any() and not holes.all():
            pixels[holes, :3] = np.average(pixels[:, :3], axis=0, weights=pixels[:, 3])
        self._texels.append(pixels)
        self._count += len(pixels)
        return self._count - len(pixels), image.height, image.width

    def large(self, number: int) -> bool:
        """Whether a texture shows more than a colour."""
        return min(self._levels[number][0][1:]) >= self.size // 2

    def textures(self) -> at.Textures:
        """All of them."""
        return at.Textures(
            np.concatenate(self._texels), np.array(self._levels, np.int32), np.array(self.alpha, np.uint8)
        )


def _pictures_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise MissingFileError(f"there is no folder {folder}")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES)
    if not files:
        raise UserError(f"there are no pictures in {folder}: expected {', '.join(sorted(_SUFFIXES))} files")
    return files


def _folder(atlas: _Atlas, folder: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of the textures for grounds, walls and surroundings."""
    found: dict[str, list[int]] = {"ground": [], "wall": [], "panoramas": []}
    for file in [] if folder is None else _pictures_in(folder):
        use = next((name for name in ("ground", "panoramas") if name in file.relative_to(folder or "").parts), "wall")
        number = _add_file(atlas, file, 2 * atlas.size if use == "panoramas" else atlas.size)
        found[use] += [] if number is None else [number]
    grounds, walls, panoramas = (np.array(numbers, int) for numbers in found.values())
    return grounds, walls, panoramas


def _photos(atlas: _Atlas, sources: MeshSources) -> np.ndarray:
    if sources.photos is None or not sources.most_photos:
        return np.array([], int)
    files = _pictures_in(sources.photos)
    files = [files[k] for k in np.unique(np.linspace(0, len(files) - 1, sources.most_photos).astype(int))]
    numbers = [_add_file(atlas, file, atlas.size) for file in files]
    return np.array([number for number in numbers if number is not None], int)


def _add_file(atlas: _Atlas, file: Path, size: int) -> int | None:
    try:
        with Image.open(file) as image:
            image.draft("RGB", (2 * size, 2 * size))
            return atlas.add(image, at.OPAQUE, size)
    except (OSError, SyntaxError, ValueError) as error:
        _log.warning("left out %s, which cannot be read as a picture: %s", file, error)
        return None


def _meshes(pack: MeshPack) -> tuple[at.Meshes, np.ndarray, np.ndarray]:
    """All triangles in the order of their leaves with the hierarchies; root and parts of each mesh."""
    from tokengs_nerfstudio.data.procedural.meshes.bvh_kernels import build

    parts = [_corners_of(pack, i) for i in range(len(pack))]
    parts += [(b.corners, b.uvs, np.zeros(len(b.corners), np.int32)) for b in BUILT_IN]
    counts = [len(part[0]) for part in parts]
    corners, uvs = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    texture = np.concatenate([part[2] for part in parts])
    low, high = corners.min(1).astype(np.float64), corners.max(1).astype(np.float64)
    boxes, refs = np.empty((len(corners), 12), np.float32), np.empty((len(corners), 2), np.int32)
    order, roots, nodes, first = np.empty(len(corners), np.int64), np.empty(len(parts), np.int32), 0, 0
    chunks = np.empty((len(parts), CHUNKS, 2, 3))
    for i, count in enumerate(counts):
        own = slice(first, first + count)
        local = np.empty(count, np.int64)
        roots[i], made = build(low[own], high[own], _LEAF_TRIANGLES, local, boxes, refs, first, nodes)
        order[own] = first + local
        # Neighbours in the order of the leaves are neighbours in space.
        for k, part in enumerate(np.array_split(order[own], CHUNKS) if count >= CHUNKS else [order[own]] * CHUNKS):
            chunks[i, k] = low[part].min(0), high[part].max(0)
        nodes, first = nodes + made, first + count
    # Rounded outwards, for the boxes are kept with fewer digits than the corners were compared with.
    boxes = boxes[:nodes] + np.float32(1e-6) * np.repeat([-1.0, 1.0, -1.0, 1.0], 3).astype(np.float32)
    corners, uvs, texture = corners[order], uvs[order], texture[order]
    meshes = at.Meshes(
        np.ascontiguousarray(_edges(corners), np.float32),
        np.ascontiguousarray(_edges(uvs), np.float32),
        texture.astype(np.int32),
        _cover(uvs),
        boxes,
        refs[:nodes],
    )
    return meshes, roots, chunks


def _corners_of(pack: MeshPack, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    vertices = slice(*pack.vertex_offsets[i : i + 2])
    own = slice(*pack.triangle_offsets[i : i + 2])
    triangles = pack.triangles[own]
    return pack.vertices[vertices][triangles], pack.uvs[vertices][triangles], pack.triangle_texture[own]


def _edges(corners: np.ndarray) -> np.ndarray:
    """[T 3 n] -> [T 3n]: a corner and the ways from it to the others."""
    return np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], -1)


def _cover(uvs: np.ndarray) -> np.ndarray:
    """Area of the parallelograms of texture coordinates [T 3 2], [T]."""
    a, b = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).astype(np.float32)


def tree_of(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Hierarchy over boxes low, high [n 3], one to a leaf: boxes [.. 12], references [.. 2], order [n], root."""
    from tokengs_nerfstudio.data.procedural.meshes.bvh_kernels import build

    count = len(low)
    boxes, refs, order = np.empty((count, 12)), np.empty((count, 2), np.int32), np.empty(count, np.int64)
    root, _ = build(low, high, 1, order, boxes, refs, 0, 0)
    return boxes, refs, order.astype(np.int32), root


def numbers_of(library: MeshLibrary, categories: Sequence[str]) -> np.ndarray:
    """Meshes of any of these categories, or all of the pack where it has none of them."""
    known = [library.by_category[name] for name in categories if len(library.by_category.get(name, ()))]
    return np.concatenate(known or list(library.by_category.values()))
