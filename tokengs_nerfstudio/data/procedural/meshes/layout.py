"""How a scene of meshes lies in memory: the columns of its arrays, and the records that kernels take.

World frame: z up, right handed. Colours are linear where light is added up, their roots where they are seen.
"""

from typing import NamedTuple

import numpy as np

# Instance: world-to-mesh rotation with scale by rows and offset, volume of the mesh's unit cube in the world, tint,
# texture instead of the mesh's own (-1: none), repeats and offset of its coordinates, reference of the mesh's root.
MATRIX, OFFSET, VOLUME, TINT, TEXTURE, REPEAT, SHIFT, ROOT, INSTANCE = 0, 9, 12, 13, 16, 17, 19, 21, 22
# Environment: sun (direction towards it, colour), lamp (place, colour, falloff), ambient light from above and below,
# sky (texture of a panorama or -1, turn, gain, colours at the horizon, above, below), exposure.
SUN, SUN_COLOUR, LAMP, LAMP_COLOUR, FALLOFF, AMBIENT_UP, AMBIENT_DOWN = 0, 3, 6, 9, 12, 13, 16
SKY_TEXTURE, SKY_TURN, SKY_GAIN, HORIZON, ZENITH, NADIR, EXPOSURE, ENVIRONMENT = 19, 20, 21, 22, 25, 28, 31, 32

LEVELS = 10
"""Most levels of a texture, halved from one to the next."""
STACK = 96
"""Nodes that may wait while a ray walks: as many as both hierarchies are deep, see `DEEPEST`."""
DEEPEST = STACK // 2
"""Most levels of a hierarchy."""
OPAQUE, CUT_OUT = 0, 1


class Meshes(NamedTuple):
    """Triangles of all meshes in the order of their leaves, and the hierarchies over them."""

    corners: np.ndarray
    """[T 9] float32: a corner and the edges from it to the other two"""
    uvs: np.ndarray
    """[T 6] float32: likewise"""
    texture: np.ndarray
    """[T] int32"""
    cover: np.ndarray
    """[T] float32: twice the share of its texture that a triangle shows, more than 2 where that repeats"""
    boxes: np.ndarray
    """[N 12] float32"""
    refs: np.ndarray
    """[N 2] int32"""


class Textures(NamedTuple):
    """Images with their halvings, one after another."""

    texels: np.ndarray
    """[.. 4] uint8"""
    levels: np.ndarray
    """[K LEVELS 3] int32: first texel, height, width"""
    alpha: np.ndarray
    """[K] uint8: OPAQUE or CUT_OUT"""


class SceneParts(NamedTuple):
    """Instances of one scene and the hierarchy over them."""

    instances: np.ndarray
    """[I INSTANCE] float64"""
    boxes: np.ndarray
    """[I 12] float64"""
    refs: np.ndarray
    """[I 2] int32"""
    order: np.ndarray
    """[I] int32"""
    root: int
    environment: np.ndarray
    """[ENVIRONMENT] float64"""
