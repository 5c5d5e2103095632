"""A scene of meshes as the tracer takes it, at rest and at any time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.library import tree_of
from tokengs_nerfstudio.data.procedural.meshes.motion import Motion

SLACK = 1e-6
"""How far bounds reach beyond what they hold, for rounding."""


@dataclass(frozen=True, eq=False)
class Movement:
    """What of a scene moves; the bounds that its hierarchy is made of."""

    motions: Mapping[int, Motion]
    """by the number of the instance"""
    centre: np.ndarray
    """[P C 3] of bounds of parts of each instance, at rest in the world"""
    axes: np.ndarray
    """[P C 3 3] half axes of these, as columns"""

    def posed(self, parts: at.SceneParts, time: float) -> at.SceneParts:
        """Instances that were given at rest, as they are at a time; what stands still keeps every bit."""
        maps, rows = self._maps(time), parts.instances.copy()
        for number in self.motions:
            row, linear, offset = rows[number], maps[number, :3, :3], maps[number, :3, 3]
            into = row[at.MATRIX : at.MATRIX + 9].reshape(3, 3) @ np.linalg.inv(linear)
            row[at.MATRIX : at.MATRIX + 9] = into.reshape(9)
            row[at.OFFSET : at.OFFSET + 3] -= into @ offset
            row[at.VOLUME] *= np.linalg.det(linear)
        linear = maps[:, None, :3, :3]
        centre = np.einsum("pcij,pcj->pci", np.broadcast_to(linear, self.axes.shape), self.centre)
        centre += maps[:, None, :3, 3]
        reach = np.abs(linear @ self.axes).sum(-1) + SLACK
        boxes, refs, order, root = tree_of((centre - reach).min(1), (centre + reach).max(1))
        return at.SceneParts(rows, boxes, refs, order, root, parts.environment)

    def changes(self, time: float, other: float) -> np.ndarray:
        """[P 3 4]: what is added to a point of the world, on an instance at `time`, on its way to `other`.

        Zero for what stands still.
        """
        found = np.zeros((len(self.centre), 3, 4))
        for number, motion in self.motions.items():
            found[number] = (motion.at(other) @ np.linalg.inv(motion.at(time)) - np.eye(4))[:3]
        return found

    @property
    def moves(self) -> np.ndarray:
        """[P] which instances do."""
        found = np.zeros(len(self.centre), bool)
        found[list(self.motions)] = True
        return found

    def _maps(self, time: float) -> np.ndarray:
        maps = np.tile(np.eye(4), (len(self.centre), 1, 1))
        for number, motion in self.motions.items():
            maps[number] = motion.at(time)
        return maps


@dataclass(frozen=True, eq=False)
class MeshScene:
    """One scene with its cameras, as the tracer takes it."""

    parts: at.SceneParts
    """at rest"""
    c2w: np.ndarray
    """[V 4 4] OpenCV camera-to-world"""
    fov: float
    """along the shorter side of the image, radians"""
    reach: float
    """usual distance from a camera to what it looks at"""
    kind: str
    movement: Movement | None = None
    """None for a scene that stands still"""
    times: np.ndarray | None = None
    """[V] when each view is taken, for a scene that moves"""

    def parts_by_view(self) -> list[at.SceneParts]:
        """The instances as each view finds them: one object for all views of one time."""
        if self.movement is None or self.times is None:
            return [self.parts] * len(self.c2w)
        known = {time: self.movement.posed(self.parts, time) for time in dict.fromkeys(self.times.tolist())}
        return [known[time] for time in self.times.tolist()]
