"""Meshes put into a scene, one after another."""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural.cameras import length
from tokengs_nerfstudio.data.procedural.generation import box_distance
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary, tree_of
from tokengs_nerfstudio.data.procedural.meshes.mesh_scene import SLACK, Movement
from tokengs_nerfstudio.data.procedural.meshes.motion import Motion
from tokengs_nerfstudio.data.procedural.meshes.paths import CameraPath
from tokengs_nerfstudio.data.procedural.meshes.shapes import Shape

Vector = Sequence[float] | np.ndarray

TOUCHED, HIDDEN, ASIDE = 0.12, 0.55, 0.6
"""Shares of what a camera looks at: nearer to it nothing may be; up to there nothing may hide it; of its own size."""


class Hold(enum.Enum):
    """What may take a mesh away: nothing; a camera that it touches; that, or one whose view it blocks."""

    FIXED = "fixed"
    SUBJECT = "subject"
    LOOSE = "loose"


@dataclass(frozen=True)
class Look:
    """What a mesh wears: its own textures, or `texture` with repeats and offset of its coordinates; a tint."""

    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    texture: int = -1
    repeat: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)


OWN = Look()


@dataclass(frozen=True, eq=False)
class Boxes:
    """Oriented bounds of P meshes: centres [P 3], rotations from the world into them [P 3 3], half sizes [P 3]."""

    centre: np.ndarray
    rotation: np.ndarray
    half: np.ndarray


@dataclass(frozen=True, eq=False)
class Item:
    """A mesh in its place: `sizes` [3] along its own axes, then `rotation` [3 3] to the world."""

    mesh: int
    place: Vector
    """of the lowest point of its turned box where it `stands`, else of its middle"""
    sizes: Vector
    rotation: np.ndarray
    look: Look
    hold: Hold
    stands: bool
    motion: Motion | None = None


def about_z(angle: float) -> np.ndarray:
    """Rotation [3 3] about z, radians."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


@dataclass(eq=False)
class Arrangement:
    """Instances of a scene while it is put together."""

    library: MeshLibrary
    items: list[Item] = field(default_factory=list)

    def put(
        self, mesh: int, place: Vector, size: float, rotation: np.ndarray, look: Look = OWN, hold: Hold = Hold.LOOSE
    ) -> None:
        """Stand a mesh, `size` times its own, so that the lowest point of its turned box is at `place`.

        `rotation` [3 3] is mesh to world.
        """
        self.items.append(Item(mesh, place, (size, size, size), rotation, look, hold, stands=True))

    def put_shape(
        self, rng: Generator, shape: Shape, centre: Vector, half: Vector, rotation: np.ndarray, look: Look
    ) -> None:
        """A built-in shape of half sizes `half`, turned about its centre at `centre`; it stays whatever comes."""
        known = self.library.shapes[shape]
        mesh = int(known[rng.integers(len(known))])
        self.items.append(Item(mesh, centre, half, rotation, look, Hold.FIXED, stands=False))

    def clear_the_way(self, path: CameraPath) -> None:
        """Take away what touches a camera of a path, and what stands near one before most of what it looks at."""
        boxes = self.boxes()
        positions, ahead = path.positions, path.targets - path.positions
        reach = length(ahead)
        touches = box_distance(positions, boxes.centre, boxes.rotation, boxes.half) < TOUCHED * reach
        to = boxes.centre[:, None] - positions[None]
        along = np.einsum("pvi,vi->pv", to, ahead / reach[:, None])
        aside = np.sqrt(np.maximum(length(to) ** 2 - along**2, 0.0))
        hides = (along > 0.0) & (along < HIDDEN * reach) & (aside < ASIDE * length(boxes.half)[:, None])
        fixed, loose = (np.array([item.hold is hold for item in self.items]) for hold in (Hold.FIXED, Hold.LOOSE))
        gone = ~fixed & (touches.any(-1) | (loose & hides.any(-1)))
        self.items[:] = [self.items[k] for k in np.flatnonzero(~gone)]

    def boxes(self) -> Boxes:
        """Bounds of what has been put so far, in its order."""
        mesh, forward, offset = self.placed()
        low, high = self.library.low[mesh], self.library.high[mesh]
        sizes = _sizes(forward)
        centre = np.einsum("pij,pj->pi", forward, 0.5 * (low + high)) + offset
        return Boxes(centre, (forward / sizes[:, None]).transpose(0, 2, 1), 0.5 * (high - low) * sizes)

    def parts(self, environment: np.ndarray) -> at.SceneParts:
        """The scene as kernels take it."""
        mesh, forward, offset = self.placed()
        low, high = self.library.chunks[mesh, :, 0], self.library.chunks[mesh, :, 1]
        centre = np.einsum("pij,pcj->pci", forward, 0.5 * (low + high)) + offset[:, None]
        reach = np.einsum("pij,pcj->pci", np.abs(forward), 0.5 * (high - low)) + SLACK
        nodes, refs, order, root = tree_of((centre - reach).min(1), (centre + reach).max(1))
        return at.SceneParts(
            _rows(self.library, self.items, mesh, forward, offset), nodes, refs, order, root, environment
        )

    def movement(self) -> Movement:
        """Which of the items move, and how."""
        mesh, forward, offset = self.placed()
        low, high = self.library.chunks[mesh, :, 0], self.library.chunks[mesh, :, 1]
        centre = np.einsum("pij,pcj->pci", forward, 0.5 * (low + high)) + offset[:, None]
        axes = forward[:, None] * (0.5 * (high - low))[:, :, None, :]
        motions = {number: item.motion for number, item in enumerate(self.items) if item.motion is not None}
        return Movement(motions, centre, axes)

    def placed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers [P] of the meshes; world = forward [P 3 3] mesh + offset [P 3]."""
        items = self.items
        mesh = np.array([item.mesh for item in items])
        sizes = np.array([tuple(item.sizes) for item in items], float)
        forward = np.array([item.rotation for item in items]) * np.maximum(sizes, 1e-6)[:, None]
        offset = np.array([tuple(item.place) for item in items], float)
        low, high = self.library.low[mesh], self.library.high[mesh]
        row = forward[:, 2]
        bottom = np.einsum("pj,pj->p", row, 0.5 * (low + high)) - np.einsum("pj,pj->p", abs(row), 0.5 * (high - low))
        offset[:, 2] -= np.where([item.stands for item in items], bottom, 0.0)
        return mesh, forward, offset


def _sizes(forward: np.ndarray) -> np.ndarray:
    """Lengths [P 3] of the columns of [P 3 3]."""
    return np.sqrt(np.einsum("pij,pij->pj", forward, forward))


def _rows(
    library: MeshLibrary, items: Sequence[Item], mesh: np.ndarray, forward: np.ndarray, offset: np.ndarray
) -> np.ndarray:
    """Instances [P INSTANCE] of what is put by forward and offset."""
    sizes = _sizes(forward)
    inverse = (forward / sizes[:, None] ** 2).transpose(0, 2, 1)
    rows = np.empty((len(mesh), at.INSTANCE))
    rows[:, at.MATRIX : at.MATRIX + 9] = inverse.reshape(-1, 9)
    rows[:, at.OFFSET : at.OFFSET + 3] = -np.einsum("pij,pj->pi", inverse, offset)
    rows[:, at.VOLUME] = np.prod(sizes, -1)
    rows[:, at.ROOT] = library.roots[mesh]
    looks = [item.look for item in items]
    rows[:, at.TINT : at.TINT + 3] = [look.tint for look in looks]
    rows[:, at.TEXTURE] = [look.texture for look in looks]
    rows[:, at.REPEAT : at.REPEAT + 2] = [look.repeat for look in looks]
    rows[:, at.SHIFT : at.SHIFT + 2] = [look.shift for look in looks]
    return rows
