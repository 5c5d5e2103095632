"""The kinds of scenes of meshes, each as people capture it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes import paths
from tokengs_nerfstudio.data.procedural.meshes.arrangement import Arrangement, Hold, Look, about_z
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.draft import (
    BUILDING,
    CLUTTER,
    FROM_ABOVE,
    FRONT,
    INDOORS,
    OUTDOORS,
    STREET,
    SUBJECT,
    Draft,
)
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary
from tokengs_nerfstudio.data.procedural.meshes.mesh_scene import MeshScene
from tokengs_nerfstudio.data.procedural.meshes.paths import CameraPath, log_uniform
from tokengs_nerfstudio.data.procedural.meshes.shapes import Shape

FEWEST, MOST = 10, 60
"""Instances of a scene, ground and walls among them."""
UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
FAR = 99.0


def _framed(draft: Draft, size: float, fill: tuple[float, float], nearest: float, farthest: float) -> float:
    """Distance from which something of half size `size` fills about such a share of the picture."""
    wanted = size / (math.tan(draft.fov / 2) * draft.rng.uniform(*fill))
    return min(max(wanted, nearest), farthest)


def _within(path: CameraPath, low: np.ndarray, high: np.ndarray) -> CameraPath:
    """The path with its positions kept in a box, looking the same way."""
    positions = np.clip(path.positions, low, high)
    return CameraPath(positions, path.targets + positions - path.positions, path.up)


def _over(path: CameraPath, height: float) -> CameraPath:
    """The path with its positions kept above a height."""
    return _within(path, np.array([-FAR, -FAR, height]), np.array([FAR, FAR, FAR]))


def _objects(draft: Draft) -> CameraPath:
    """An object or a few in the middle of a table or a floor, with clutter around, gone round."""
    rng = draft.rng
    distance = _framed(draft, 1.0, draft.config.fill, 1.6, 11.0)
    path = _gone_round(draft, distance)
    floor = _table(draft) if draft.chance(0.45) else 0.0
    inside = _around(draft, floor, path)
    subjects = 1 if draft.chance(0.55) else int(rng.integers(2, 6))
    draft.stand(SUBJECT, (*rng.uniform(-0.15, 0.15, 2), 0.0), rng.uniform(0.65, 1.1), hold=Hold.SUBJECT)
    for _ in range(1, subjects):
        draft.stand(SUBJECT, (*rng.uniform(-0.7, 0.7, 2), 0.0), rng.uniform(0.25, 0.7))
    for _ in range(rng.integers(4, 15)):
        spot = rng.uniform(0.7, 2.2) * paths.sphere(rng.uniform(0, 2 * math.pi), 0.0)
        draft.stand(CLUTTER, spot, rng.uniform(0.08, 0.4))
    for _ in range(rng.integers(6, 16)):
        spot = rng.uniform(2.5, 2.5 + distance) * paths.sphere(rng.uniform(0, 2 * math.pi), 0.0)
        spot = spot if inside is None else np.clip(spot, 0.95 * inside[0], 0.95 * inside[1])
        kind = OUTDOORS if inside is None else INDOORS
        draft.stand(kind, (spot[0], spot[1], floor), rng.uniform(0.3, 1.3))
    return path


def _gone_round(draft: Draft, distance: float) -> CameraPath:
    """Round what stands in the middle, wholly or in part; some look at it from places side by side."""
    rng = draft.rng
    target = np.array([*rng.uniform(-0.15, 0.15, 2), rng.uniform(0.2, 0.7)])
    if draft.chance(0.84):
        span = (170.0, 360.0) if draft.chance(0.72) else (25.0, 170.0)
        return paths.orbit(rng, draft.views, target, distance, span, (4.0, 50.0), 0.06 * math.tan(draft.fov / 2))
    spread = distance * log_uniform(rng, 0.12, 1.6)
    azimuth, height = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(3, 50))
    return _over(paths.side_by_side(rng, draft.views, target, distance, spread, azimuth, height), 0.05)


def _studio(draft: Draft) -> CameraPath:
    """An object or a few before plain cloth or paper, mostly black, as figures, bones and plants are taken."""
    rng = draft.rng
    path = _gone_round(draft, _framed(draft, 1.0, draft.config.fill, 1.6, 11.0))
    color = draft.backcloth()
    if draft.chance(0.6):
        half, look = rng.uniform(1.2, 12.0), draft.dyed(color)
        draft.scene.put_shape(rng, Shape.PLANE, (0, 0, 0), (half, half, 1), about_z(rng.random()), look)
    draft.stand(SUBJECT, (*rng.uniform(-0.1, 0.1, 2), 0.0), rng.uniform(0.7, 1.1), hold=Hold.SUBJECT)
    for _ in range(rng.integers(0, 3)):
        draft.stand(SUBJECT, (*rng.uniform(-0.7, 0.7, 2), 0.0), rng.uniform(0.2, 0.6))
    for _ in range(rng.integers(9, 14)):
        spot = rng.uniform(0.1, 0.8) * paths.sphere(rng.uniform(0, 2 * math.pi), 0.0)
        draft.stand(CLUTTER, spot, log_uniform(rng, 0.02, 0.12))
    return path


def _table(draft: Draft) -> float:
    """A table or a block whose top is at zero; height of the floor."""
    rng = draft.rng
    floor = -rng.uniform(0.8, 2.5)
    thick = rng.uniform(0.03, 0.15) if draft.chance(0.7) else -0.5 * floor
    shape = Shape.CYLINDER if draft.chance(0.35) else Shape.BOX
    look = draft.cover(draft.library.walls, rng.uniform(0.5, 3)) if draft.chance(0.65) else draft.plain()
    half = (*rng.uniform(1.1, 2.6, 2), thick)
    draft.scene.put_shape(rng, shape, (0, 0, -thick), half, about_z(rng.uniform(0, 2 * math.pi)), look)
    return floor


def _around(draft: Draft, floor: float, path: CameraPath) -> tuple[np.ndarray, np.ndarray] | None:
    """A room that holds all cameras, its low and high corner, or the open with a ground."""
    rng = draft.rng
    reach = 0.3 + np.abs(path.positions).max(0)
    if draft.chance(0.5):
        low = -np.maximum(reach, 2.0) * rng.uniform(1.0, 1.6, 3)
        high = np.maximum(reach, 2.0) * rng.uniform(1.0, 1.6, 3)
        low[2], high[2] = floor, max(high[2], floor + 2.5)
        draft.room(low, high)
        draft.indoors(low, high)
        return low, high
    textures = None if draft.chance(0.6) else draft.library.walls
    draft.ground(floor, 40.0, log_uniform(rng, 0.5, 8.0), textures)
    draft.outdoors()
    draft.backdrop(1.4 * max(4.0, float(np.max(reach[:2]))))
    return None


def _room(draft: Draft) -> CameraPath:
    """A furnished room from within: looked through from a side, turned about in, or a corner gone along."""
    rng = draft.rng
    half = np.array([rng.uniform(1.8, 4.2), rng.uniform(1.8, 4.2), rng.uniform(1.1, 1.6)])
    low, high = np.array([-half[0], -half[1], 0.0]), np.array([half[0], half[1], 2 * half[2]])
    draft.room(low, high)
    draft.indoors(low, high)
    for _ in range(rng.integers(14, 34)):
        spot, size = rng.uniform(-0.95, 0.95, 2) * half[:2], rng.uniform(0.15, 0.75)
        if draft.chance(0.55):
            axis = rng.integers(0, 2)
            spot[axis] = math.copysign(half[axis] - 0.6 * size, spot[axis])
        elevated = draft.chance(0.2)
        draft.stand(INDOORS, (*spot, rng.uniform(0.4, 1.1) if elevated else 0.0), size * (0.5 if elevated else 1.0))
    return _within(_in_a_room(draft, half), low + 0.15, high - 0.15)


def _in_a_room(draft: Draft, half: np.ndarray) -> CameraPath:
    rng, way, eye = draft.rng, draft.rng.random(), draft.rng.uniform(0.7, 1.7)
    if way < 0.4:
        place = np.array([*rng.uniform(-0.3, 0.3, 2) * half[:2], eye])
        return paths.turning(rng, draft.views, place, (30.0, 150.0), rng.uniform(0.05, 0.5), 0.8 * half[:2].mean())
    if way < 0.75:
        azimuth = rng.uniform(0, 2 * math.pi)
        target = np.array([*rng.uniform(-0.4, 0.4, 2) * half[:2], eye * rng.uniform(0.4, 1.0)])
        distance = rng.uniform(0.6, 1.3) * half[:2].min()
        spread, height = distance * log_uniform(rng, 0.2, 1.6), math.radians(rng.uniform(0, 25))
        return paths.side_by_side(rng, draft.views, target, distance, spread, azimuth, height)
    target = np.array([*rng.uniform(-0.2, 0.2, 2) * half[:2], rng.uniform(0.3, 0.9)])
    distance = rng.uniform(0.6, 0.9) * half[:2].min()
    return paths.orbit(rng, draft.views, target, distance, (40.0, 300.0), (5.0, 40.0), 0.1)


def _yard(draft: Draft) -> CameraPath:
    """Buildings, trees, rocks: a place walked through, turned about in, or a building gone round."""
    rng = draft.rng
    draft.ground(0.0, 60.0, log_uniform(rng, 1.0, 8.0))
    draft.outdoors()
    draft.backdrop(16.0)
    if draft.chance(0.4):
        width = rng.uniform(1.6, 3.5)
        for side in (-1.0, 1.0):
            _street(draft, side, width)
    else:
        draft.stand(BUILDING, (0, 0, 0), rng.uniform(1.0, 2.0), hold=Hold.SUBJECT)
    for _ in range(rng.integers(14, 30)):
        draft.stand(OUTDOORS, (*rng.normal(0.0, 4.5, 2), 0.0), log_uniform(rng, 0.15, 1.8))
    return _over(_in_a_yard(draft), 0.15)


def _street(draft: Draft, side: float, width: float) -> None:
    rng, x = draft.rng, -9.0
    while x < 9.0:
        size = rng.uniform(1.0, 2.2)
        draft.stand(STREET, (x + size, side * (width + size), 0.0), size, draft.quarter())
        x += 2.0 * size + rng.uniform(0.0, 1.0)


def _in_a_yard(draft: Draft) -> CameraPath:
    rng, way, eye = draft.rng, draft.rng.random(), draft.rng.uniform(0.25, 1.0)
    if way < 0.6:
        distance = _framed(draft, 1.6, (0.4, 1.1), 2.6, 12.0)
        span = (25.0, 120.0) if draft.chance(0.3) else (120.0, 340.0)
        target = np.array([0.0, 0.0, rng.uniform(0.4, 0.9)])
        return paths.orbit(rng, draft.views, target, distance, span, (3.0, 35.0), 0.08)
    if way < 0.85:
        distance = rng.uniform(3.0, 7.0)
        reach = 0.5 * distance * log_uniform(rng, 0.25, 1.4) * (1.0 if draft.chance(0.5) else -1.0)
        start, stop = (np.array([x, rng.uniform(-1, 1), eye]) for x in (-reach, reach))
        turn = rng.uniform(-25, 25) if draft.chance(0.5) else rng.choice([-1, 1]) * rng.uniform(50, 110)
        return paths.walk(rng, draft.views, start, stop, math.radians(turn), distance)
    place = np.array([*rng.uniform(-2, 2, 2), eye])
    return paths.turning(rng, draft.views, place, (30.0, 140.0), rng.uniform(0.1, 1.0), rng.uniform(3.0, 6.0))


def _facade(draft: Draft) -> CameraPath:
    """A front, or a relief, with things before it, seen from places side by side."""
    rng, scene = draft.rng, draft.scene
    draft.ground(0.0, 40.0, log_uniform(rng, 0.6, 5.0), None if draft.chance(0.6) else draft.library.walls)
    draft.outdoors()
    wide, tall = rng.uniform(4.0, 9.0), rng.uniform(1.4, 4.0)
    look: Look = draft.picture() if draft.chance(0.3) else draft.cover(draft.library.walls, rng.uniform(1.0, 5.0))
    if draft.chance(0.35):
        scene.put_shape(rng, Shape.UNEVEN, (0, 0.8, tall), (wide, tall, rng.uniform(0.2, 0.8)), UPRIGHT, look)
    else:
        scene.put_shape(rng, Shape.PLANE, (0, 0.5, tall), (wide, tall, 1.0), UPRIGHT, look)
    for _ in range(rng.integers(3, 9)):
        size, height = rng.uniform(0.4, 1.4), rng.uniform(0, tall) if draft.chance(0.5) else 0.0
        draft.stand(FRONT, (rng.uniform(-0.5, 0.5) * wide, 0.5 - 0.3 * size, height), size, draft.quarter())
    for _ in range(rng.integers(9, 26)):
        size = log_uniform(rng, 0.12, 0.9)
        draft.stand(OUTDOORS, (rng.normal(0.0, 2.2), 0.3 - abs(rng.normal(0.0, 0.9)) - size, 0.0), size)
    distance = _framed(draft, 1.4, (0.5, 1.3), 1.6, 9.0)
    spread = distance * log_uniform(rng, 0.2, 2.2)
    target = np.array([rng.uniform(-1, 1), 0.0, rng.uniform(0.4, 1.3)])
    azimuth = -math.pi / 2 + math.radians(35) * rng.uniform(-1, 1) * rng.random()
    height = math.radians(rng.uniform(-4, 20))
    return _over(paths.side_by_side(rng, draft.views, target, distance, spread, azimuth, height), 0.2)


def _from_above(draft: Draft) -> CameraPath:
    """Ground with buildings and trees as a drone or a kite sees it."""
    rng, library = draft.rng, draft.library
    half = rng.uniform(5.0, 11.0)
    if draft.chance(0.4):
        look = draft.cover(library.grounds, rng.uniform(2.0, 12.0))
        size, turn = (2.5 * half, 2.5 * half, rng.uniform(0.2, 1.2)), about_z(rng.uniform(0, 2 * math.pi))
        draft.scene.put_shape(rng, Shape.UNEVEN, (0, 0, -0.15), size, turn, look)
    else:
        textures = library.pictures if draft.chance(0.25) else library.grounds
        draft.ground(0.0, 4.0 * half, log_uniform(rng, 1.0, half), textures)
    draft.outdoors()
    for _ in range(rng.integers(18, 58)):
        draft.stand(FROM_ABOVE, (*rng.uniform(-half, half, 2), -0.05), log_uniform(rng, 0.2, 1.3))
    height = rng.uniform(0.5, 1.3) * half
    if draft.chance(0.4):
        target = np.array([*rng.uniform(-1, 1, 2), 0.2])
        span = (20.0, 120.0) if draft.chance(0.4) else (120.0, 360.0)
        return paths.orbit(rng, draft.views, target, 1.3 * height, span, (28.0, 75.0), 0.08)
    tilt = math.radians(rng.uniform(0, 6) if draft.chance(0.5) else rng.uniform(6, 50))
    return paths.above(rng, draft.views, height, height * log_uniform(rng, 0.6, 3.0), tilt)


KINDS: dict[str, Callable[[Draft], CameraPath]] = {
    "studio": _studio,
    "object": _objects,
    "room": _room,
    "yard": _yard,
    "facade": _facade,
    "above": _from_above,
}
WIDE = ("room", "yard")


@dataclass(frozen=True, eq=False)
class Composition:
    """What a scene is made of, and the way of its cameras, in which nothing stands."""

    draft: Draft
    path: CameraPath
    kind: str

    def scene(self) -> MeshScene:
        """At rest; exposure is one: see `tracing`."""
        draft, path = self.draft, self.path
        reach = float(np.median(np.linalg.norm(path.targets - path.positions, axis=-1)))
        c2w = path.cameras(draft.rng, math.radians(draft.config.roll))
        return MeshScene(draft.scene.parts(draft.environment), c2w, draft.fov, reach, self.kind)


def composed(rng: Generator, config: MeshSceneConfig, library: MeshLibrary, views: int) -> Composition:
    """A random scene for `views` cameras."""
    kind = list(KINDS)[int(rng.choice(len(KINDS), p=np.array(config.kinds) / sum(config.kinds)))]
    fov = math.radians(log_uniform(rng, *(config.phones if rng.random() < 0.5 else config.fov)))
    if kind in WIDE:
        fov = max(fov, math.radians(rng.uniform(28.0, 50.0)))
    environment = np.zeros(at.ENVIRONMENT)
    environment[at.EXPOSURE] = 1.0
    draft = Draft(rng, config, library, Arrangement(library), environment, views, fov)
    path = KINDS[kind](draft)
    draft.scene.clear_the_way(path)
    return Composition(draft, path, kind)


def random_mesh_scene(rng: Generator, config: MeshSceneConfig, library: MeshLibrary, views: int) -> MeshScene:
    """A random scene with `views` cameras; nothing stands in their way. Exposure is one: see `tracing`."""
    return composed(rng, config, library, views).scene()
