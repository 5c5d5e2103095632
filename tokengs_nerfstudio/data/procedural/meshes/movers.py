"""What is set in motion in a scene, and by which ways."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural.cameras import length
from tokengs_nerfstudio.data.procedural.generation import box_distance
from tokengs_nerfstudio.data.procedural.meshes import machines
from tokengs_nerfstudio.data.procedural.meshes.arrangement import TOUCHED, Arrangement, Boxes, Hold, Item
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.draft import Draft
from tokengs_nerfstudio.data.procedural.meshes.kinds import composed
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary
from tokengs_nerfstudio.data.procedural.meshes.mesh_scene import MeshScene
from tokengs_nerfstudio.data.procedural.meshes.motion import Course, Glide, Hung, Motion, Stretch, Turn
from tokengs_nerfstudio.data.procedural.meshes.paths import UP, CameraPath, log_uniform, sphere

TRIES = 10
MOMENTS = np.linspace(0.0, 1.0, 7)
"""When it is asked whether something is in a way, and whether it is seen."""
DEEP, IN_SIGHT = 0.4, 0.4
"""Nothing comes nearer to others than that share of its radius; cameras see what moves in at least such a share of
views and times."""


@dataclass(frozen=True, eq=False)
class Body:
    """Something at rest: the middle, half sizes [3] and radius of its box, and where it stands."""

    centre: np.ndarray
    half: np.ndarray
    radius: float
    bottom: float

    @classmethod
    def of(cls, boxes: Boxes, number: int) -> "Body":
        """One of several."""
        half, rotation = boxes.half[number], boxes.rotation[number]
        tall = float(np.abs(rotation[:, 2]) @ half)
        return cls(boxes.centre[number], half, float(np.linalg.norm(half)), float(boxes.centre[number, 2]) - tall)

    @property
    def foot(self) -> np.ndarray:
        """The point below its middle, on what it stands on."""
        return np.array([self.centre[0], self.centre[1], self.bottom])


@dataclass(frozen=True, eq=False)
class Sight:
    """What the cameras of a path see."""

    path: CameraPath
    fov: float

    def of(self, centre: np.ndarray, radius: np.ndarray) -> np.ndarray:
        """How large balls [P] are in views [V], as a share of the image's half: 0 out of sight or far away."""
        ahead = self.path.targets - self.path.positions
        reach = length(ahead)
        to = centre[:, None] - self.path.positions
        along = np.einsum("pvi,vi->pv", to, ahead / reach[:, None])
        aside = np.sqrt(np.maximum(length(to) ** 2 - along**2, 0.0))
        near = np.maximum(along, 1e-6) * math.tan(self.fov / 2)
        inside = (along > 0.1 * reach) & (along < 2.5 * reach) & (aside < 0.9 * near)
        return np.where(inside, np.minimum(radius[:, None] / near, 1.0), 0.0)

    def touched(self, centre: np.ndarray, radius: np.ndarray) -> bool:
        """Whether any camera is too near to any of some balls."""
        reach = length(self.path.targets - self.path.positions)
        away = length(centre[:, None] - self.path.positions) - radius[:, None]
        return bool((away < TOUCHED * reach).any())


def random_moving_scene(rng: Generator, config: MeshSceneConfig, library: MeshLibrary, views: int) -> MeshScene:
    """A random scene in which something moves, without times; as `random_mesh_scene` else."""
    composition = composed(rng, config, library, views)
    draft, sight = composition.draft, Sight(composition.path, composition.draft.fov)
    for _ in range(int(rng.integers(config.movement.movers[0], config.movement.movers[1] + 1))):
        set_in_motion(draft, sight)
    return replace(composition.scene(), movement=draft.scene.movement())


def set_in_motion(draft: Draft, sight: Sight) -> None:
    """Let one thing of the scene move, or put one there that does; nothing where no place for it is found."""
    rng, ways = draft.rng, np.array(draft.config.movement.ways)
    way = WAYS[int(rng.choice(len(WAYS), p=ways / ways.sum()))]
    items, anew = draft.scene.items, way in BESIDE
    if len(items) < 2:
        return
    boxes = draft.scene.boxes()
    weight = _in_sight(items, boxes, sight)
    for _ in range(TRIES if weight.sum() > 0 else 0):
        number = int(rng.choice(len(items), p=weight / weight.sum()))
        group = way(draft, items[number], Body.of(boxes, number))
        others = [k for k in range(len(items)) if k != number or anew]
        fixed = np.array([items[k].hold is Hold.FIXED for k in others])
        rest = Boxes(boxes.centre[others], boxes.rotation[others], boxes.half[others])
        if _has_way(draft.library, group, rest, fixed | (not anew), sight):
            items[:] = [*(items[k] for k in others), *group]
            return


def _in_sight(items: list[Item], boxes: Boxes, sight: Sight) -> np.ndarray:
    """How likely each is to be chosen: of the things that stand, the larger it is seen the more so."""
    free = np.array([item.hold is not Hold.FIXED and item.motion is None for item in items])
    return free * np.sqrt(sight.of(boxes.centre, length(boxes.half)).mean(-1))


def _has_way(library: MeshLibrary, group: list[Item], rest: Boxes, may_be_in: np.ndarray, sight: Sight) -> bool:
    """Whether a group is seen, touches no camera and enters nothing of the `rest` but what it is in from the beginning.

    `may_be_in` says of which that may be: of grounds and walls alone where it is put there anew.
    """
    own = Arrangement(library, group).boxes()
    motions = [item.motion for item in group if item.motion is not None]
    maps = np.array([[motion.at(time) for time in MOMENTS] for motion in motions])
    radius = length(own.half)[:, None] * np.linalg.norm(maps[..., :3, :3], 2, axis=(-2, -1))
    centre = np.einsum("gtij,gj->gti", maps[..., :3, :3], own.centre) + maps[..., :3, 3]
    places, sizes = centre.reshape(-1, 3), radius.reshape(-1)
    if sight.touched(places, sizes) or (sight.of(places, sizes) > 0).mean() < IN_SIGHT:
        return False
    near = box_distance(places, rest.centre, rest.rotation, rest.half) < DEEP * sizes
    at_first = box_distance(own.centre, rest.centre, rest.rotation, rest.half) < DEEP * length(own.half)
    was_in = at_first & may_be_in[:, None]
    return not (near & ~was_in.repeat(len(MOMENTS), 1)).any()


def _level(draft: Draft) -> np.ndarray:
    return sphere(draft.rng.uniform(0, 2 * math.pi), 0.0)


def _onwards(draft: Draft, way: float = 1.0) -> Course:
    """There, or to and fro."""
    rng = draft.rng
    if draft.chance(0.75):
        return Course(way, ease=rng.uniform(-0.9, 0.9))
    return _to_and_fro(draft, 0.5 * way)


def _to_and_fro(draft: Draft, swing: float) -> Course:
    return Course(swing=swing, turns=log_uniform(draft.rng, 0.4, 2.0), phase=draft.rng.random())


def _glide(draft: Draft, item: Item, body: Body) -> list[Item]:
    """Along the ground or through the air, some of it breathing."""
    rng, way = draft.rng, _level(draft)
    far = body.radius * rng.uniform(*draft.config.movement.far)
    bend = far * rng.uniform(-0.5, 0.5) * np.cross(UP, way)
    if draft.chance(0.3):
        bend = bend + far * rng.uniform(0.2, 0.6) * UP
    motion: Motion = Glide(far * way, bend, Course(1.0, ease=rng.uniform(-0.9, 0.9)))
    if draft.chance(0.3):
        motion = Hung(motion, Turn(body.centre, UP, _onwards(draft, rng.uniform(-2.0, 2.0))))
    if draft.chance(0.15):
        motion = Hung(motion, _breath(draft, body))
    return [replace(item, motion=motion)]


def _swing(draft: Draft, item: Item, body: Body) -> list[Item]:
    """As from a rope above it, or as a door on its hinge."""
    rng = draft.rng
    if draft.chance(0.3):
        hinge = body.centre + rng.uniform(0.6, 1.0) * body.radius * _level(draft)
        return [replace(item, motion=Turn(hinge, UP, _to_and_fro(draft, rng.uniform(0.3, 0.9))))]
    pivot = body.centre + body.radius * log_uniform(rng, 0.8, 3.0) * UP
    lifted = np.array([*item.place[:2], item.place[2] + rng.uniform(0.1, 0.5) * body.radius])
    return [replace(item, place=lifted, motion=Turn(pivot, _level(draft), _to_and_fro(draft, rng.uniform(0.25, 0.7))))]


def _spin(draft: Draft, item: Item, body: Body) -> list[Item]:
    """On the spot, or in the air about any axis."""
    rng, turn = draft.rng, math.pi * draft.rng.choice([-1.0, 1.0]) * log_uniform(draft.rng, 0.2, 1.6)
    if draft.chance(0.75):
        return [replace(item, motion=Turn(body.foot, UP, _onwards(draft, turn)))]
    lift = body.radius - (body.centre[2] - body.bottom) + rng.uniform(0.0, 0.5) * body.radius
    lifted, axis = np.array([*item.place[:2], item.place[2] + lift]), rng.standard_normal(3)
    return [
        replace(item, place=lifted, motion=Turn(body.centre + lift * UP, axis / np.linalg.norm(axis), Course(turn)))
    ]


def _deform(draft: Draft, item: Item, body: Body) -> list[Item]:
    """Breathing, or swaying as trees in the wind."""
    if draft.chance(0.5):
        return [replace(item, motion=_breath(draft, body))]
    sway = np.outer(_level(draft), UP)
    return [replace(item, motion=Stretch(body.foot, sway, _to_and_fro(draft, draft.rng.uniform(0.15, 0.5))))]


def _breath(draft: Draft, body: Body) -> Stretch:
    rng = draft.rng
    pull = np.diag([*(rng.uniform(-0.6, 0.6) * np.ones(2)), rng.choice([-1.0, 1.0])])
    return Stretch(body.foot, pull, _to_and_fro(draft, rng.uniform(0.15, 0.4)))


def _roll(draft: Draft, item: Item, body: Body) -> list[Item]:
    """A ball or a cylinder beside something that stands."""
    return machines.roller(draft, _beside(draft, body), _size(draft, body), _onwards(draft))


def _cart(draft: Draft, item: Item, body: Body) -> list[Item]:
    """Something on wheels beside something that stands."""
    return machines.cart(draft, _beside(draft, body), _size(draft, body), _onwards(draft))


def _arm(draft: Draft, item: Item, body: Body) -> list[Item]:
    """An arm with joints beside something that stands."""
    courses = [_onwards(draft, draft.rng.uniform(-1.8, 1.8)) for _ in range(4)]
    return machines.arm(draft, _beside(draft, body), _size(draft, body), courses)


def _beside(draft: Draft, body: Body) -> np.ndarray:
    return body.foot + body.radius * draft.rng.uniform(0.9, 2.2) * _level(draft)


def _size(draft: Draft, body: Body) -> float:
    return body.radius * log_uniform(draft.rng, 0.15, 0.7)


WAYS: tuple[Callable[[Draft, Item, Body], list[Item]], ...] = (_glide, _roll, _swing, _spin, _cart, _arm, _deform)
BESIDE = (_roll, _cart, _arm)
"""Those that put something beside what they are given."""
