"""A mesh pack small enough to check by hand."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources
from tokengs_nerfstudio.data.procedural.meshes.pack import CUT_OUT, OPAQUE, MeshPack

CHECKS = np.array([[[255, 0, 0, 255], [0, 255, 0, 255]], [[0, 0, 255, 255], [255, 255, 255, 0]]], np.uint8)
"""Red, green / blue, a hole."""

GREY = np.full((1, 1, 4), (90, 90, 90, 255), np.uint8)


def encoded(pixels: np.ndarray) -> np.ndarray:
    """An image file without loss, as bytes uint8 [n]."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True, exact=True)
    return np.frombuffer(file.getvalue(), np.uint8)


def small_pack() -> MeshPack:
    """A square that faces -y, cut out by CHECKS, upright with its image, then a grey tetrahedron."""
    square = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], np.float32)
    tetrahedron = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]], np.int32)
    files = [encoded(CHECKS), encoded(GREY)]
    return MeshPack(
        vertices=np.concatenate([square, tetrahedron]),
        uvs=np.concatenate([[[0, 1], [1, 1], [1, 0], [0, 0]], np.zeros((4, 2))]).astype(np.float32),
        triangles=faces,
        triangle_texture=np.array([0, 0, 1, 1, 1, 1], np.int32),
        vertex_offsets=np.array([0, 4, 8], np.int32),
        triangle_offsets=np.array([0, 2, 6], np.int32),
        category=np.array([1, 0], np.int32),
        categories=("props", "flora"),
        names=("flora/square", "props/tetrahedron"),
        texture_bytes=np.concatenate(files),
        texture_offsets=np.cumsum([0, *map(len, files)]).astype(np.int64),
        texture_alpha=np.array([CUT_OUT, OPAQUE], np.uint8),
    )


def small_sources(folder: Path) -> MeshSources:
    """The small pack with two grounds, two walls, a panorama and three photos, all of coloured blotches."""
    rng = np.random.default_rng(0)
    small_pack().save(folder / "pack.npz")
    names = ("ground/a", "ground/b", "building/a", "building/b", "panoramas/a")
    for name in (*(f"textures/{name}" for name in names), *(f"photos/{k}" for k in range(3))):
        file = folder / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        shape = (16, 32, 3) if "panoramas" in name else (24, 20, 3)
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(file)
    return MeshSources(folder / "pack.npz", folder / "textures", folder / "photos", texture_size=32)
