"""Meshes put into a scene, one after another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural.cameras import length
from tokengs_nerfstudio.data.procedural.generation import box_distance
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary, tree_of
from tokengs_nerfstudio.data.procedural.meshes.shapes import Shape

_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)


@dataclass(frozen=True)
class Look:
    """What a mesh wears: its own textures, or `texture` with repeats and offset of its coordinates; a tint."""

    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    texture: int = -1
    repeat: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)


OWN = Look()


def about_z(angle: float) -> np.ndarray:
    """Rotation [3 3] about z, radians."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


@dataclass(eq=False)
class Arrangement:
    """Instances of a scene while it is put together."""

    library: MeshLibrary
    rows: list[np.ndarray] = field(default_factory=list)
    centre: list[np.ndarray] = field(default_factory=list)
    rotation: list[np.ndarray] = field(default_factory=list)
    half: list[np.ndarray] = field(default_factory=list)
    loose: list[bool] = field(default_factory=list)

    def put(
        self,
        mesh: int,
        place: Sequence[float],
        scale: float | Sequence[float],
        rotation: np.ndarray,
        look: Look = OWN,
        loose: bool = True,
    ) -> float:
        """Stand a mesh so that the lowest point of its turned box is at `place`; returns the height of its top.

        `rotation` [3 3] is mesh to world; `loose` meshes are taken away where they are in a camera's way.
        """
        low, high = self.library.low[mesh], self.library.high[mesh]
        sizes = np.broadcast_to(np.asarray(scale, float), 3)
        forward = rotation * sizes
        corners = (low + _CORNERS * (high - low)) @ forward.T
        bottom, top = corners[:, 2].min(), corners[:, 2].max()
        offset = np.array([place[0], place[1], place[2] - bottom])
        self._add(mesh, forward, offset, look, loose)
        return float(place[2] + top - bottom)

    def put_shape(
        self,
        rng: Generator,
        shape: Shape,
        centre: Sequence[float],
        half: Sequence[float],
        rotation: np.ndarray,
        look: Look,
        loose: bool = False,
    ) -> None:
        """A built-in shape of half sizes `half`, turned about its centre at `centre`."""
        mesh = int(rng.choice(self.library.shapes[shape]))
        self._add(mesh, rotation * np.asarray(half, float), np.asarray(centre, float), look, loose)

    def _add(self, mesh: int, forward: np.ndarray, offset: np.ndarray, look: Look, loose: bool) -> None:
        low, high = self.library.low[mesh], self.library.high[mesh]
        sizes = np.maximum(length(forward.T), 1e-6)
        inverse = (forward / sizes**2).T
        row = np.empty(at.INSTANCE)
        row[at.MATRIX : at.MATRIX + 9] = inverse.reshape(9)
        row[at.OFFSET : at.OFFSET + 3] = -inverse @ offset
        row[at.SIZE] = float(np.prod(sizes)) ** (1 / 3)
        row[at.TINT : at.TINT + 3] = look.tint
        row[at.TEXTURE] = look.texture
        row[at.REPEAT : at.REPEAT + 2], row[at.SHIFT : at.SHIFT + 2] = look.repeat, look.shift
        row[at.ROOT] = self.library.roots[mesh]
        self.rows.append(row)
        self.centre.append(forward @ (0.5 * (low + high)) + offset)
        self.rotation.append((forward / sizes).T)
        self.half.append(0.5 * (high - low) * sizes)
        self.loose.append(loose)

    def clear_the_way(self, positions: np.ndarray, targets: np.ndarray) -> None:
        """Take away loose meshes that touch a camera at positions [V 3], or stand before most of its view of its
        target [V 3] and nearer to the camera than to the target."""
        centre, half = np.array(self.centre), np.array(self.half)
        reach = length(targets - positions)
        near = box_distance(positions, centre, np.array(self.rotation), half) < 0.12 * reach
        ahead = (targets - positions) / reach[:, None]
        to = centre[:, None] - positions[None]
        along = np.einsum("pvi,vi->pv", to, ahead)
        aside = np.sqrt(np.maximum(length(to) ** 2 - along**2, 0.0))
        hides = (along > 0.0) & (along < 0.55 * reach) & (aside < 0.6 * length(half)[:, None])
        keep = ~np.array(self.loose) | ~(near | hides).any(-1)
        for items in (self.rows, self.centre, self.rotation, self.half, self.loose):
            items[:] = [item for item, kept in zip(items, keep) if kept]

    def parts(self, environment: np.ndarray) -> at.SceneParts:
        """The scene as kernels take it."""
        centre, half, rotation = np.array(self.centre), np.array(self.half), np.array(self.rotation)
        reach = np.einsum("pij,pi->pj", np.abs(rotation), half) + 1e-6
        boxes, refs, order, root = tree_of(centre - reach, centre + reach)
        return at.SceneParts(np.array(self.rows), boxes, refs, order, root, environment)
