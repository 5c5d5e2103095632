"""Random scenes of meshes, each kind as people capture it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural.materials import hsv_to_rgb
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes import paths
from tokengs_nerfstudio.data.procedural.meshes.arrangement import Arrangement, Look, about_z
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary, numbers_of
from tokengs_nerfstudio.data.procedural.meshes.paths import CameraPath, log_uniform
from tokengs_nerfstudio.data.procedural.meshes.shapes import Shape
from tokengs_nerfstudio.data.procedural.meshes.surroundings import lamplight, plain_indoors, sky, sunlight

# What stands where: categories of the pack with their shares.
SUBJECT = {"props": 0.35, "fauna": 0.15, "furniture": 0.2, "flora": 0.1, "geology": 0.1, "structures": 0.1}
CLUTTER = {"props": 0.5, "furniture": 0.25, "geology": 0.1, "flora": 0.1, "fauna": 0.05}
INDOORS = {"furniture": 0.65, "props": 0.25, "flora": 0.07, "fauna": 0.03}
OUTDOORS = {"flora": 0.35, "structures": 0.2, "geology": 0.2, "props": 0.2, "fauna": 0.05}
FROM_ABOVE = {"structures": 0.45, "flora": 0.35, "geology": 0.1, "props": 0.1}


@dataclass(frozen=True, eq=False)
class MeshScene:
    """One scene with its cameras, as the tracer takes it."""

    parts: at.SceneParts
    c2w: np.ndarray
    """[V 4 4] OpenCV camera-to-world"""
    fov: float
    """along the shorter side of the image, radians"""
    reach: float
    """usual distance from a camera to what it looks at"""
    kind: str


@dataclass(frozen=True)
class Draft:
    """What every kind of scene is made with."""

    rng: Generator
    config: MeshSceneConfig
    library: MeshLibrary
    scene: Arrangement
    environment: np.ndarray
    views: int
    fov: float

    def mesh(self, shares: dict[str, float]) -> int:
        """A mesh of a category drawn by its share."""
        names = list(shares)
        chosen = self.rng.choice(len(names), p=np.array(list(shares.values())) / sum(shares.values()))
        return int(self.rng.choice(numbers_of(self.library, [names[chosen]])))

    def turn(self) -> np.ndarray:
        """Upright and turned; few meshes lie in any way."""
        if self.rng.random() > 0.08:
            return about_z(self.rng.uniform(0, 2 * math.pi))
        return np.linalg.qr(self.rng.standard_normal((3, 3)))[0]

    def stand(self, shares: dict[str, float], place: Sequence[float], size: float) -> None:
        """A random mesh with its lowest point at `place`, half its longest side `size`."""
        self.scene.put(self.mesh(shares), place, size, self.turn(), self.own_look())

    def own_look(self) -> Look:
        """Mostly a mesh's own textures, lighter or darker; some wear another."""
        tint = self.rng.uniform(0.7, 1.25) * (1.0 + 0.2 * self.rng.uniform(-1, 1, 3))
        if self.rng.random() < 0.15:
            return self.cover(self.library.walls, 1.0, tint)
        return Look(tint=tuple(tint))

    def cover(self, textures: np.ndarray, repeat: float, tint: np.ndarray | None = None) -> Look:
        """A texture that repeats about so often, or now and then a plain colour."""
        rng = self.rng
        repeats = (repeat, repeat * rng.uniform(0.8, 1.25))
        if tint is None:
            tint = rng.uniform(0.6, 1.3) * (1.0 + 0.15 * rng.uniform(-1, 1, 3))
        return Look(tuple(tint), int(rng.choice(textures)), repeats, tuple(rng.random(2)))

    def plain(self) -> Look:
        """Hardly any texture: one, seen from so near that it is a colour."""
        tint = hsv_to_rgb(np.array([self.rng.random(), 0.5 * self.rng.random() ** 2, self.rng.uniform(0.3, 1.2)]))
        return Look(
            tuple(2.0 * tint), int(self.rng.choice(self.library.walls)), (0.01, 0.01), tuple(self.rng.random(2))
        )

    def ground(self, height: float, half: float, cell: float, textures: np.ndarray | None = None) -> None:
        """A level ground whose texture repeats every `cell`."""
        look = self.cover(self.library.grounds if textures is None else textures, 2.0 * half / cell)
        self.scene.put_shape(self.rng, Shape.PLANE, (0, 0, height), (half, half, 1), about_z(self.rng.random()), look)

    def room(self, low: np.ndarray, high: np.ndarray) -> None:
        """Floor, ceiling and walls of a box, with pictures on the walls."""
        rng, middle, half = self.rng, 0.5 * (low + high), 0.5 * (high - low)
        floors = np.concatenate([self.library.walls, self.library.grounds[:1]])
        floor = self.cover(floors, half[0] * rng.uniform(0.5, 2.0)) if rng.random() < 0.75 else self.plain()
        put = self.scene.put_shape
        put(rng, Shape.PLANE, (middle[0], middle[1], low[2]), (half[0], half[1], 1), np.eye(3), floor)
        put(rng, Shape.PLANE, (middle[0], middle[1], high[2]), (half[0], half[1], 1), np.eye(3), self.plain())
        same = self.wall_look(half[2])
        for side in range(4):
            look = same if rng.random() < 0.7 else self.wall_look(half[2])
            put(rng, Shape.PLANE, *_wall(middle, half, side, 0.0, 0.0, half[side % 2], half[2]), look)
            for _ in range(rng.integers(0, 4)):
                size = rng.uniform(0.1, 0.4, 2) * (half[side % 2], half[2])
                place = rng.uniform(-1, 1, 2) * ((half[side % 2], half[2]) - size)
                look = Look(texture=int(rng.choice(self.library.pictures)))
                put(rng, Shape.PLANE, *_wall(middle, half, side, place[0], place[1], size[0], size[1], 0.01), look)

    def wall_look(self, half: float) -> Look:
        """Wall paper, bricks, paint."""
        if self.rng.random() < 0.35:
            return self.plain()
        return self.cover(self.library.walls, half * self.rng.uniform(0.4, 1.5))

    def backdrop(self, distance: float) -> None:
        """What lies far away: trees and houses, a photo all around, or nothing."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.15:
            look = Look(texture=int(rng.choice(self.library.pictures)), shift=tuple(rng.random(2)))
            height = distance * rng.uniform(0.5, 1.2)
            size = (1.5 * distance, 1.5 * distance, height)
            self.scene.put_shape(rng, Shape.CYLINDER, (0, 0, 0.6 * height), size, about_z(rng.uniform(0, 6)), look)
        elif kind < 0.65:
            for angle in rng.uniform(0, 2 * math.pi, rng.integers(3, 14)):
                place = distance * rng.uniform(0.8, 1.6) * paths.sphere(angle, 0.0)
                self.stand(OUTDOORS, place, distance * rng.uniform(0.08, 0.35))

    def outdoors(self) -> None:
        """Sky and sun."""
        sky(self.rng, self.environment, self.library)
        sunlight(self.rng, self.environment)

    def indoors(self, low: np.ndarray, high: np.ndarray) -> None:
        """A lamp in a room, or light as from a window."""
        plain_indoors(self.rng, self.environment)
        lamplight(self.rng, self.environment, 0.9 * low + 0.1 * high, 0.05 * low + 0.95 * high)


def _wall(
    middle: np.ndarray, half: np.ndarray, side: int, along: float, up: float, wide: float, tall: float, off: float = 0.0
) -> tuple[np.ndarray, tuple[float, float, float], np.ndarray]:
    """Centre, half sizes and rotation of an upright rectangle on wall `side` (0, 2: across y; 1, 3: across x)."""
    sign = 1.0 if side < 2 else -1.0
    out = np.array([0.0, sign, 0.0]) if side % 2 == 0 else np.array([sign, 0.0, 0.0])
    right = np.cross(out, paths.UP)
    centre = middle + out * (half[1 - side % 2] - off) + along * right + up * paths.UP
    return centre, (wide, tall, 1.0), np.stack([right, paths.UP, -out], 1)


def _objects(draft: Draft) -> CameraPath:
    """An object or a few in the middle of a table or a floor, with clutter around, gone round."""
    rng, config, scene = draft.rng, draft.config, draft.scene
    distance = float(np.clip(1.0 / (math.tan(draft.fov / 2) * rng.uniform(*config.fill)), 1.6, 11.0))
    target = np.array([*rng.uniform(-0.15, 0.15, 2), rng.uniform(0.2, 0.7)])
    way = rng.random()
    if way < 0.72:
        span = (150.0, 360.0) if rng.random() < 0.55 else (25.0, 150.0)
        path = paths.orbit(rng, draft.views, target, distance, span, (4.0, 60.0), 0.06 * math.tan(draft.fov / 2))
    else:
        spread = distance * log_uniform(rng, 0.08, 1.0)
        azimuth, height = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(3, 50))
        path = paths.side_by_side(rng, draft.views, target, distance, spread, azimuth, height)
    floor = 0.0
    if rng.random() < 0.45:
        floor = -rng.uniform(0.8, 2.5)
        half = rng.uniform(1.1, 2.6, 2)
        thick = rng.uniform(0.03, 0.15) if rng.random() < 0.7 else -0.5 * floor
        shape = Shape.CYLINDER if rng.random() < 0.35 else Shape.BOX
        look = draft.cover(draft.library.walls, rng.uniform(0.5, 3)) if rng.random() < 0.65 else draft.plain()
        scene.put_shape(rng, shape, (0, 0, -thick), (half[0], half[1], thick), about_z(rng.uniform(0, 6)), look)
    reach = 0.3 + np.abs(path.positions).max(0)
    if rng.random() < 0.5:
        low, high = (
            -np.maximum(reach, 2.0) * rng.uniform(1.0, 1.6, 3),
            np.maximum(reach, 2.0) * rng.uniform(1.0, 1.6, 3),
        )
        low[2], high[2] = floor, max(high[2], floor + 2.5)
        draft.room(low, high)
        draft.indoors(low, high)
        inside = (low, high)
    else:
        textures = None if rng.random() < 0.6 else draft.library.walls
        draft.ground(floor, 40.0, log_uniform(rng, 0.5, 8.0), textures)
        draft.outdoors()
        draft.backdrop(1.4 * max(4.0, float(np.max(reach[:2]))))
        inside = None
    subjects = 1 if rng.random() < 0.55 else int(rng.integers(2, 6))
    for k in range(subjects):
        size = rng.uniform(0.65, 1.1) if k == 0 else rng.uniform(0.25, 0.7)
        spot = rng.uniform(-0.15, 0.15, 2) if subjects == 1 else rng.uniform(-0.7, 0.7, 2)
        scene.put(draft.mesh(SUBJECT), (*spot, 0.0), size, draft.turn(), draft.own_look(), loose=k > 0)
    for _ in range(rng.integers(3, 16)):
        spot = rng.uniform(0.7, 2.2) * paths.sphere(rng.uniform(0, 6.3), 0.0)
        draft.stand(CLUTTER, (spot[0], spot[1], 0.0), rng.uniform(0.08, 0.4))
    for _ in range(rng.integers(4, 16)):
        spot = rng.uniform(2.5, 2.5 + distance) * paths.sphere(rng.uniform(0, 6.3), 0.0)
        if inside is not None:
            spot = np.clip(spot, 0.95 * inside[0], 0.95 * inside[1])
        draft.stand(INDOORS if inside is not None else OUTDOORS, (spot[0], spot[1], floor), rng.uniform(0.3, 1.3))
    return path


def _room(draft: Draft) -> CameraPath:
    """A furnished room from within: looked through from a side, turned about in, or a corner gone along."""
    rng = draft.rng
    half = np.array([rng.uniform(1.8, 4.2), rng.uniform(1.8, 4.2), rng.uniform(1.1, 1.6)])
    low, high = np.array([-half[0], -half[1], 0.0]), np.array([half[0], half[1], 2 * half[2]])
    draft.room(low, high)
    draft.indoors(low, high)
    for _ in range(rng.integers(10, 34)):
        spot, size = rng.uniform(-0.95, 0.95, 2) * half[:2], rng.uniform(0.15, 0.75)
        if rng.random() < 0.55:
            axis = rng.integers(0, 2)
            spot[axis] = math.copysign(half[axis] - 0.6 * size, spot[axis])
        elevated = rng.random() < 0.2
        draft.stand(INDOORS, (*spot, rng.uniform(0.4, 1.1) if elevated else 0.0), size * (0.5 if elevated else 1.0))
    eye = rng.uniform(0.7, 1.7)
    way = rng.random()
    if way < 0.4:
        place = np.array([*rng.uniform(-0.3, 0.3, 2) * half[:2], eye])
        path = paths.turning(rng, draft.views, place, (30.0, 150.0), rng.uniform(0.05, 0.5), 0.8 * half[:2].mean())
    elif way < 0.75:
        azimuth = rng.uniform(0, 2 * math.pi)
        target = np.array([*rng.uniform(-0.4, 0.4, 2) * half[:2], eye * rng.uniform(0.4, 1.0)])
        distance = rng.uniform(0.6, 1.3) * half[:2].min()
        spread = distance * log_uniform(rng, 0.1, 1.3)
        path = paths.side_by_side(rng, draft.views, target, distance, spread, azimuth, math.radians(rng.uniform(0, 25)))
    else:
        target = np.array([*rng.uniform(-0.2, 0.2, 2) * half[:2], rng.uniform(0.3, 0.9)])
        path = paths.orbit(
            rng, draft.views, target, rng.uniform(0.6, 0.9) * half[:2].min(), (40.0, 300.0), (5.0, 40.0), 0.1
        )
    return _within(path, low + 0.15, high - 0.15)


def _within(path: CameraPath, low: np.ndarray, high: np.ndarray) -> CameraPath:
    """The path with its positions kept in a box, looking the same way."""
    positions = np.clip(path.positions, low, high)
    return CameraPath(positions, path.targets + positions - path.positions, path.up)


def _yard(draft: Draft) -> CameraPath:
    """Buildings, trees, rocks: a place walked through, turned about in, or a building gone round."""
    rng = draft.rng
    draft.ground(0.0, 60.0, log_uniform(rng, 1.0, 8.0))
    draft.outdoors()
    draft.backdrop(16.0)
    street = rng.random() < 0.4
    if street:
        width = rng.uniform(1.6, 3.5)
        for side in (-1.0, 1.0):
            x = -9.0
            while x < 9.0:
                size = rng.uniform(0.9, 2.2)
                turn = about_z(math.pi / 2 * rng.integers(0, 4))
                shares = {"structures": 0.75, "flora": 0.15, "geology": 0.1}
                draft.scene.put(
                    draft.mesh(shares), (x + size, side * (width + size), 0.0), size, turn, draft.own_look()
                )
                x += 2.0 * size + rng.uniform(0.0, 1.0)
    else:
        size = rng.uniform(1.0, 2.0)
        shares = {"structures": 0.6, "flora": 0.2, "geology": 0.2}
        draft.scene.put(draft.mesh(shares), (0, 0, 0), size, draft.turn(), draft.own_look(), loose=False)
    for _ in range(rng.integers(10, 34)):
        spot = rng.normal(0.0, 4.5, 2)
        draft.stand(OUTDOORS, (*spot, 0.0), log_uniform(rng, 0.15, 1.8))
    eye = rng.uniform(0.25, 1.0)
    way = rng.random()
    if way < 0.45:
        distance = float(np.clip(1.6 / (math.tan(draft.fov / 2) * rng.uniform(0.4, 1.1)), 2.2, 12.0))
        span = (25.0, 120.0) if rng.random() < 0.5 else (120.0, 340.0)
        target = np.array([0.0, 0.0, rng.uniform(0.4, 0.9)])
        return paths.orbit(rng, draft.views, target, distance, span, (3.0, 35.0), 0.08)
    if way < 0.8:
        distance = rng.uniform(3.0, 7.0)
        reach = distance * log_uniform(rng, 0.12, 0.9)
        start, stop = np.array([-reach / 2, rng.uniform(-1, 1), eye]), np.array([reach / 2, rng.uniform(-1, 1), eye])
        if rng.random() < 0.5:
            start, stop = stop, start
        turn = math.radians(rng.uniform(-25, 25) if rng.random() < 0.5 else rng.choice([-1, 1]) * rng.uniform(50, 110))
        return paths.walk(rng, draft.views, start, stop, turn, distance)
    place = np.array([*rng.uniform(-2, 2, 2), eye])
    return paths.turning(rng, draft.views, place, (30.0, 140.0), rng.uniform(0.1, 1.0), rng.uniform(3.0, 6.0))


def _facade(draft: Draft) -> CameraPath:
    """A front, or a relief, with things before it, seen from places side by side."""
    rng, scene = draft.rng, draft.scene
    draft.ground(0.0, 40.0, log_uniform(rng, 0.6, 5.0), None if rng.random() < 0.6 else draft.library.walls)
    draft.outdoors()
    wide, tall = rng.uniform(4.0, 9.0), rng.uniform(1.4, 4.0)
    upright = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    look = draft.cover(draft.library.walls, rng.uniform(1.0, 5.0))
    if rng.random() < 0.3:
        look = Look(texture=int(rng.choice(draft.library.pictures)))
    if rng.random() < 0.35:
        scene.put_shape(rng, Shape.UNEVEN, (0, 0.8, tall), (wide, tall, rng.uniform(0.2, 0.8)), upright, look)
    else:
        scene.put_shape(rng, Shape.PLANE, (0, 0.5, tall), (wide, tall, 1.0), upright, look)
    for _ in range(rng.integers(2, 9)):
        size = rng.uniform(0.4, 1.4)
        turn = about_z(math.pi / 2 * rng.integers(0, 4))
        place = (rng.uniform(-0.8, 0.8) * wide * 0.6, 0.5 - 0.3 * size, rng.choice([0.0, rng.uniform(0, tall)]))
        scene.put(draft.mesh({"structures": 0.6, "props": 0.4}), place, size, turn, draft.own_look())
    for _ in range(rng.integers(5, 25)):
        size = log_uniform(rng, 0.12, 0.9)
        draft.stand(OUTDOORS, (rng.normal(0.0, 2.2), 0.3 - abs(rng.normal(0.0, 0.9)) - size, 0.0), size)
    distance = float(np.clip(1.4 / (math.tan(draft.fov / 2) * rng.uniform(0.5, 1.3)), 1.6, 9.0))
    spread = distance * log_uniform(rng, 0.1, 1.4)
    target = np.array([rng.uniform(-1, 1), 0.0, rng.uniform(0.4, 1.3)])
    azimuth = -math.pi / 2 + math.radians(35) * rng.uniform(-1, 1) * rng.random()
    path = paths.side_by_side(rng, draft.views, target, distance, spread, azimuth, math.radians(rng.uniform(-4, 20)))
    return _within(path, np.array([-99.0, -99.0, 0.2]), np.array([99.0, 99.0, 99.0]))


def _from_above(draft: Draft) -> CameraPath:
    """Ground with buildings and trees as a drone or a kite sees it."""
    rng = draft.rng
    half = rng.uniform(5.0, 11.0)
    if rng.random() < 0.4:
        look = draft.cover(draft.library.grounds, rng.uniform(2.0, 12.0))
        draft.scene.put_shape(
            rng,
            Shape.UNEVEN,
            (0, 0, -0.15),
            (2.5 * half, 2.5 * half, rng.uniform(0.2, 1.2)),
            about_z(rng.uniform(0, 6)),
            look,
        )
    else:
        textures = draft.library.pictures if rng.random() < 0.25 else draft.library.grounds
        draft.ground(0.0, 4.0 * half, log_uniform(rng, 1.0, half), textures)
    draft.outdoors()
    for _ in range(rng.integers(15, 60)):
        draft.stand(FROM_ABOVE, (*rng.uniform(-half, half, 2), -0.05), log_uniform(rng, 0.2, 1.3))
    height = rng.uniform(0.5, 1.3) * half
    if rng.random() < 0.4:
        target = np.array([*rng.uniform(-1, 1, 2), 0.2])
        span = (20.0, 120.0) if rng.random() < 0.5 else (120.0, 360.0)
        return paths.orbit(rng, draft.views, target, 1.3 * height, span, (28.0, 75.0), 0.08)
    tilt = math.radians(rng.uniform(0, 6) if rng.random() < 0.5 else rng.uniform(6, 50))
    return paths.above(rng, draft.views, height, height * log_uniform(rng, 0.25, 1.6), tilt)


KINDS: dict[str, Callable[[Draft], CameraPath]] = {
    "object": _objects,
    "room": _room,
    "yard": _yard,
    "facade": _facade,
    "above": _from_above,
}


def random_mesh_scene(rng: Generator, config: MeshSceneConfig, library: MeshLibrary, views: int) -> MeshScene:
    """A random scene with `views` cameras; nothing loose stands in their way. Exposure is one: see `tracing`."""
    kind = list(KINDS)[int(rng.choice(len(KINDS), p=np.array(config.kinds) / sum(config.kinds)))]
    fov = math.radians(log_uniform(rng, *config.fov))
    if kind in ("room", "yard"):
        fov = max(fov, math.radians(rng.uniform(28.0, 50.0)))
    environment = np.zeros(at.ENVIRONMENT)
    environment[at.EXPOSURE] = 1.0
    draft = Draft(rng, config, library, Arrangement(library), environment, views, fov)
    path = KINDS[kind](draft)
    draft.scene.clear_the_way(path.positions, path.targets)
    reach = float(np.median(np.linalg.norm(path.targets - path.positions, axis=-1)))
    c2w = path.cameras(rng, math.radians(config.roll))
    return MeshScene(draft.scene.parts(environment), c2w, fov, reach, kind)
