"""Meshes that need no pack: planes, boxes, cylinders, uneven grounds and balls."""

import enum
import math
from dataclasses import dataclass

import numpy as np

SIDES = 20
UNEVEN, UNEVEN_CELLS = 24, 24


class Shape(enum.Enum):
    """Kinds of built-in meshes. Their longest side spans [-1, 1]; textures run once over a face (three times round)."""

    PLANE = "plane"
    """z = 0"""
    BOX = "box"
    CYLINDER = "cylinder"
    """along z"""
    UNEVEN = "uneven"
    """a height field over the plane, heights within [-1, 1], nearly level at the middle of its rim"""
    BALL = "ball"


@dataclass(frozen=True, eq=False)
class BuiltIn:
    """One of them: float32 corners [T 3 3] and texture coordinates [T 3 2]."""

    shape: Shape
    corners: np.ndarray
    uvs: np.ndarray


def _quads(corners: np.ndarray, uvs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two triangles for each quad: [Q 4 n] -> [2Q 3 n], for corners and texture coordinates."""
    return _halved(corners), _halved(uvs)


def _halved(quads: np.ndarray) -> np.ndarray:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.float32)


_SQUARE = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
_UNIT = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])


def _plane() -> tuple[np.ndarray, np.ndarray]:
    return _quads(np.concatenate([_SQUARE, np.zeros((4, 1))], -1)[None], _UNIT[None])


def _box() -> tuple[np.ndarray, np.ndarray]:
    faces = [np.insert(_SQUARE, axis, side, axis=1) for axis in range(3) for side in (-1.0, 1.0)]
    return _quads(np.array(faces), np.repeat(_UNIT[None], 6, 0))


def _cylinder() -> tuple[np.ndarray, np.ndarray]:
    angle = 2 * math.pi * np.arange(SIDES + 1) / SIDES
    ring, turns = np.stack([np.cos(angle), np.sin(angle)], -1), 3.0 * np.arange(SIDES + 1) / SIDES
    corners, uvs = _quads(
        np.stack([_at(ring[:-1], -1.0), _at(ring[1:], -1.0), _at(ring[1:], 1.0), _at(ring[:-1], 1.0)], 1),
        np.stack([_at(turns[:-1, None], v) if first else _at(turns[1:, None], v) for first, v in _CORNERS], 1),
    )
    caps = [np.stack([_at(0.0 * ring[:-1], z), _at(ring[:-1], z), _at(ring[1:], z)], 1) for z in (-1.0, 1.0)]
    flat = [0.5 + 0.5 * cap[..., :2] for cap in caps]
    return np.concatenate([corners, *caps]).astype(np.float32), np.concatenate([uvs, *flat]).astype(np.float32)


_CORNERS = ((True, 1.0), (False, 1.0), (False, 0.0), (True, 0.0))


def _at(points: np.ndarray, last: float) -> np.ndarray:
    """Points [n k] with another coordinate, [n k + 1]."""
    return np.insert(points, points.shape[1], last, axis=1)


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
    return _quads(_cells(points), _cells(uvs))


def _cells(grid: np.ndarray) -> np.ndarray:
    """Corners [Q 4 k] of the cells of a grid [m n k]."""
    around = (grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:])
    return np.stack([corner.reshape(-1, grid.shape[-1]) for corner in around], 1)


def _ball() -> tuple[np.ndarray, np.ndarray]:
    turn, tilt = np.meshgrid(np.linspace(0, 1, SIDES + 1), np.linspace(0, 1, SIDES // 2 + 1), indexing="ij")
    flat, up = np.sin(math.pi * tilt), np.cos(math.pi * tilt)
    points = np.stack([flat * np.cos(2 * math.pi * turn), flat * np.sin(2 * math.pi * turn), up], -1)
    return _quads(*(_cells(grid) for grid in (points, np.stack([3.0 * turn, tilt], -1))))


BUILT_IN = (
    BuiltIn(Shape.PLANE, *_plane()),
    BuiltIn(Shape.BOX, *_box()),
    BuiltIn(Shape.CYLINDER, *_cylinder()),
    *(BuiltIn(Shape.UNEVEN, *_uneven(seed)) for seed in range(UNEVEN)),
    BuiltIn(Shape.BALL, *_ball()),
)
