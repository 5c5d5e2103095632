"""Meshes that need no pack: planes, boxes, cylinders and uneven grounds."""

import enum
import math
from dataclasses import dataclass

import numpy as np

SIDES = 20
UNEVEN, UNEVEN_CELLS = 24, 24


class Shape(enum.Enum):
    """Kinds of built-in meshes. Their longest side spans [-1, 1]; textures run once over a face."""

    PLANE = "plane"
    """z = 0"""
    BOX = "box"
    CYLINDER = "cylinder"
    """along z"""
    UNEVEN = "uneven"
    """a height field over the plane, heights within [-1, 1], nearly level at the middle of its rim"""


@dataclass(frozen=True, eq=False)
class BuiltIn:
    """One of them: float32 corners [T 3 3] and texture coordinates [T 3 2]."""

    shape: Shape
    corners: np.ndarray
    uvs: np.ndarray


def _quads(corners: np.ndarray, uvs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two triangles for each quad: [Q 4 n] -> [2Q 3 n], for corners and texture coordinates."""
    halves = ([0, 1, 2], [0, 2, 3])
    return tuple(np.concatenate([a[:, half] for half in halves]).astype(np.float32) for a in (corners, uvs))  # type: ignore[return-value]


_SQUARE = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
_UNIT = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])


def _plane() -> tuple[np.ndarray, np.ndarray]:
    return _quads(np.concatenate([_SQUARE, np.zeros((4, 1))], -1)[None], _UNIT[None])


def _box() -> tuple[np.ndarray, np.ndarray]:
    faces = []
    for axis in range(3):
        for side in (-1.0, 1.0):
            faces.append(np.insert(_SQUARE, axis, side, axis=1) if axis else np.insert(_SQUARE, 0, side, axis=1))
    return _quads(np.array(faces), np.repeat(_UNIT[None], 6, 0))


def _cylinder() -> tuple[np.ndarray, np.ndarray]:
    angle = 2 * math.pi * np.arange(SIDES + 1) / SIDES
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    a, b = ring[:-1], ring[1:]
    low, high = np.full((SIDES, 1), -1.0), np.full((SIDES, 1), 1.0)
    corners = np.stack([np.hstack(pair) for pair in ((a, low), (b, low), (b, high), (a, high))], 1)
    turns = 3.0 * np.arange(SIDES + 1)[:, None] / SIDES
    zero = np.zeros((SIDES, 1))
    uvs = np.stack([np.hstack(p) for p in ((turns[:-1], zero + 1), (turns[1:], zero + 1), (turns[1:], zero), (turns[:-1], zero))], 1)  # fmt: skip
    sides = _quads(corners, uvs)
    caps = [np.stack([np.hstack([np.zeros((SIDES, 2)), z]), np.hstack([a, z]), np.hstack([b, z])], 1) for z in (low, high)]  # fmt: skip
    flat = [0.5 + 0.5 * cap[..., :2] for cap in caps]
    return np.concatenate([sides[0], *caps]).astype(np.float32), np.concatenate([sides[1], *flat]).astype(np.float32)


def _uneven(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng((20260, seed))
    grid = np.linspace(-1, 1, UNEVEN_CELLS + 1)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    z = np.zeros_like(x)
    for _ in range(10):
        frequency = rng.uniform(0.6, 7.0)
        turn, phase = rng.uniform(0, 2 * math.pi, 2)
        z += np.sin(frequency * (x * math.cos(turn) + y * math.sin(turn)) + phase) / (1.0 + frequency)
    z -= z[UNEVEN_CELLS // 2, UNEVEN_CELLS // 2]
    z /= np.abs(z).max()
    points, uvs = np.stack([x, y, z], -1), np.stack([0.5 + 0.5 * x, 0.5 - 0.5 * y], -1)
    around = [lambda a: a[:-1, :-1], lambda a: a[1:, :-1], lambda a: a[1:, 1:], lambda a: a[:-1, 1:]]
    return _quads(*(np.stack([part(a).reshape(-1, a.shape[-1]) for part in around], 1) for a in (points, uvs)))


BUILT_IN = (
    BuiltIn(Shape.PLANE, *_plane()),
    BuiltIn(Shape.BOX, *_box()),
    BuiltIn(Shape.CYLINDER, *_cylinder()),
    *(BuiltIn(Shape.UNEVEN, *_uneven(seed)) for seed in range(UNEVEN)),
)
