"""What every kind of scene is put together with: meshes and what they wear, grounds, rooms, backdrops, light."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural.materials import hsv_to_rgb
from tokengs_nerfstudio.data.procedural.meshes import paths
from tokengs_nerfstudio.data.procedural.meshes.arrangement import Arrangement, Hold, Look, Vector, about_z
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary, numbers_of
from tokengs_nerfstudio.data.procedural.meshes.shapes import Shape
from tokengs_nerfstudio.data.procedural.meshes.surroundings import backcloth, lamplight, plain_indoors, sky, sunlight

Shares = dict[str, float]

# What stands where: categories of the pack with their shares.
SUBJECT = {"props": 0.35, "fauna": 0.15, "furniture": 0.2, "flora": 0.1, "geology": 0.1, "structures": 0.1}
CLUTTER = {"props": 0.5, "furniture": 0.25, "geology": 0.1, "flora": 0.1, "fauna": 0.05}
INDOORS = {"furniture": 0.65, "props": 0.25, "flora": 0.07, "fauna": 0.03}
OUTDOORS = {"flora": 0.35, "structures": 0.2, "geology": 0.2, "props": 0.2, "fauna": 0.05}
FROM_ABOVE = {"structures": 0.45, "flora": 0.35, "geology": 0.1, "props": 0.1}
STREET = {"structures": 0.75, "flora": 0.15, "geology": 0.1}
BUILDING = {"structures": 0.6, "flora": 0.2, "geology": 0.2}
FRONT = {"structures": 0.6, "props": 0.4}

LYING, OTHER_TEXTURE = 0.08, 0.15
"""shares of meshes that lie in any way, and that wear another texture than their own"""


def one_of(rng: Generator, numbers: np.ndarray) -> int:
    """Any of them."""
    return int(numbers[rng.integers(len(numbers))])


def drawn(rng: Generator, shares: Shares) -> str:
    """A name by its share of all."""
    left = rng.random() * sum(shares.values())
    for name, share in shares.items():
        left -= share
        if left < 0.0:
            return name
    return next(reversed(shares))


@dataclass(frozen=True, eq=False)
class Draft:
    """A scene in the making; z = 0 is the floor that things stand on."""

    rng: Generator
    config: MeshSceneConfig
    library: MeshLibrary
    scene: Arrangement
    environment: np.ndarray
    views: int
    fov: float
    """along the shorter side, radians"""

    def chance(self, share: float) -> bool:
        """True in this share of all cases."""
        return bool(self.rng.random() < share)

    def turn(self) -> np.ndarray:
        """Upright and turned [3 3]; few meshes lie in any way."""
        if not self.chance(LYING):
            return about_z(self.rng.uniform(0, 2 * math.pi))
        turned = np.linalg.qr(self.rng.standard_normal((3, 3)))[0]
        return turned * np.linalg.det(turned)

    def quarter(self) -> np.ndarray:
        """Upright, a side to the front."""
        return about_z(math.pi / 2 * self.rng.integers(0, 4))

    def stand(
        self, shares: Shares, place: Vector, size: float, turn: np.ndarray | None = None, hold: Hold = Hold.LOOSE
    ) -> None:
        """A random mesh with its lowest point at `place`, half its longest side `size`."""
        numbers = numbers_of(self.library, [drawn(self.rng, shares)])
        turn = self.turn() if turn is None else turn
        self.scene.put(one_of(self.rng, numbers), place, float(size), turn, self.own_look(), hold)

    def own_look(self) -> Look:
        """Mostly a mesh's own textures, lighter or darker; some wear another."""
        tint = self.rng.uniform(0.7, 1.25) * (1.0 + 0.2 * self.rng.uniform(-1, 1, 3))
        if self.chance(OTHER_TEXTURE):
            return self.cover(self.library.walls, 1.0, tint)
        return Look(tint=tuple(tint))

    def cover(self, textures: np.ndarray, repeat: float, tint: np.ndarray | None = None) -> Look:
        """A texture that repeats about so often across a mesh."""
        rng = self.rng
        repeats = (repeat, repeat * rng.uniform(0.8, 1.25))
        if tint is None:
            tint = rng.uniform(0.6, 1.3) * (1.0 + 0.15 * rng.uniform(-1, 1, 3))
        return Look(tuple(tint), one_of(rng, textures), repeats, tuple(rng.random(2)))

    def plain(self) -> Look:
        """Hardly any texture: one, seen from so near that it is a colour."""
        rng = self.rng
        tint = 2.0 * hsv_to_rgb(np.array([rng.random(), 0.5 * rng.random() ** 2, rng.uniform(0.3, 1.2)]))
        return Look(tuple(tint), one_of(rng, self.library.walls), (0.01, 0.01), tuple(rng.random(2)))

    def picture(self, mirrored: bool = False) -> Look:
        """A photo, once over the mesh."""
        return Look(texture=one_of(self.rng, self.library.pictures), repeat=(-1.0 if mirrored else 1.0, 1.0))

    def ground(self, height: float, half: float, cell: float, textures: np.ndarray | None = None) -> None:
        """A level ground whose texture repeats every `cell`."""
        look = self.cover(self.library.grounds if textures is None else textures, 2.0 * half / cell)
        self.scene.put_shape(self.rng, Shape.PLANE, (0, 0, height), (half, half, 1), about_z(self.rng.random()), look)

    def room(self, low: np.ndarray, high: np.ndarray) -> None:
        """Floor, ceiling and walls of a box, with pictures on the walls."""
        rng, middle, half = self.rng, 0.5 * (low + high), 0.5 * (high - low)
        level, put = (half[0], half[1], 1.0), self.scene.put_shape
        floors = np.concatenate([self.library.walls, self.library.grounds[:1]])
        floor = self.cover(floors, half[0] * rng.uniform(0.5, 2.0)) if self.chance(0.75) else self.plain()
        put(rng, Shape.PLANE, (middle[0], middle[1], low[2]), level, np.eye(3), floor)
        put(rng, Shape.PLANE, (middle[0], middle[1], high[2]), level, np.eye(3), self.plain())
        same = self._paper(half[2])
        for side in range(4):
            whole = np.array([half[side % 2], half[2]])
            centre, rotation = _on_wall(middle, half, side, np.zeros(2), 0.0)
            put(rng, Shape.PLANE, centre, (*whole, 1.0), rotation, same if self.chance(0.7) else self._paper(half[2]))
            for _ in range(rng.integers(0, 4)):
                size = rng.uniform(0.1, 0.4, 2) * whole
                centre, rotation = _on_wall(middle, half, side, rng.uniform(-1, 1, 2) * (whole - size), 0.01)
                put(rng, Shape.PLANE, centre, (*size, 1.0), rotation, self.picture())

    def _paper(self, half: float) -> Look:
        """Wall paper, bricks, paint on a wall of that half height."""
        return self.plain() if self.chance(0.35) else self.cover(self.library.walls, half * self.rng.uniform(0.4, 1.5))

    def backdrop(self, distance: float) -> None:
        """What lies far away: trees and houses, a photo all around, or nothing."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.15:
            height = distance * rng.uniform(0.5, 1.2)
            size = (1.5 * distance, 1.5 * distance, height)
            turn = about_z(rng.uniform(0, 2 * math.pi))
            # Seen from within, where the texture would stand mirrored.
            self.scene.put_shape(rng, Shape.CYLINDER, (0, 0, 0.6 * height), size, turn, self.picture(mirrored=True))
        elif kind < 0.65:
            for angle in rng.uniform(0, 2 * math.pi, rng.integers(3, 14)):
                place = distance * rng.uniform(0.8, 1.6) * paths.sphere(angle, 0.0)
                self.stand(OUTDOORS, place, distance * rng.uniform(0.08, 0.35))

    def outdoors(self) -> None:
        """Sky and sun."""
        sky(self.rng, self.environment, self.library)
        sunlight(self.rng, self.environment)

    def backcloth(self) -> np.ndarray:
        """Nothing but one colour all around, mostly nearly black, and lamps; linear RGB of that colour [3]."""
        rng, shade = self.rng, self.rng.random()
        value = rng.uniform(0.0, 0.12) if shade < 0.6 else rng.uniform(0.75, 1.0) if shade < 0.8 else rng.random()
        color = hsv_to_rgb(np.array([rng.random(), 0.5 * rng.random() ** 2, value])) ** 2
        backcloth(self.environment, color)
        lamplight(rng, self.environment, np.array([-4.0, -4.0, 2.0]), np.array([4.0, 4.0, 6.0]))
        return color

    def dyed(self, color: np.ndarray) -> Look:
        """Cloth of about that linear colour [3]."""
        cell = self.rng.uniform(0.01, 3.0)
        return Look(tuple(2.0 * color), one_of(self.rng, self.library.walls), (cell, cell), tuple(self.rng.random(2)))

    def indoors(self, low: np.ndarray, high: np.ndarray) -> None:
        """A lamp in a room, or light as from a window."""
        plain_indoors(self.rng, self.environment)
        lamplight(self.rng, self.environment, 0.9 * low + 0.1 * high, 0.05 * low + 0.95 * high)


def _on_wall(
    middle: np.ndarray, half: np.ndarray, side: int, place: np.ndarray, off: float
) -> tuple[np.ndarray, np.ndarray]:
    """Centre and rotation of an upright rectangle on wall `side` of a box (0, 2: across y; 1, 3: across x).

    `place` [2] says where on the wall, from its middle along it and up; `off` how far it stands before the wall.
    """
    sign = 1.0 if side < 2 else -1.0
    out = np.array([0.0, sign, 0.0]) if side % 2 == 0 else np.array([sign, 0.0, 0.0])
    right = np.array([out[1], -out[0], 0.0])
    centre = middle + out * (half[1 - side % 2] - off) + place[0] * right + place[1] * paths.UP
    return centre, np.stack([right, paths.UP, -out], 1)
