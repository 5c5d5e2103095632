"""Random scenes: primitives, surroundings and light around a subject of radius one at the origin."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural import layout as at
from tokengs_nerfstudio.data.procedural.cameras import length, random_cameras, random_fov
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig
from tokengs_nerfstudio.data.procedural.materials import hsv_to_rgb, random_materials, random_rotations

SUBJECT_RADIUS = 1.25
PLACEMENTS = 6
"""Tries to stand a primitive where it is in no camera's way, each a little smaller."""
# Share, kind, and the ranges of the half sizes relative to the size of the primitive.
SORTS = (
    (0.16, at.ELLIPSOID, (0.45, 1.0), (0.45, 1.0)),
    (0.13, at.BOX, (0.4, 1.0), (0.4, 1.0)),
    (0.06, at.BOX, (0.5, 1.0), (0.04, 0.15)),
    (0.10, at.FRUSTUM, (0.35, 0.9), (0.3, 1.0)),
    (0.08, at.FRUSTUM, (0.4, 0.9), (0.5, 1.0)),
    (0.08, at.FRUSTUM, (0.05, 0.14), (1.0, 1.0)),
    (0.07, at.TORUS, (1.0, 1.0), (1.0, 1.0)),
    (0.10, at.ROUND_BOX, (0.4, 1.0), (0.4, 1.0)),
    (0.13, at.BLOB, (0.5, 0.95), (0.5, 0.95)),
    (0.06, at.ARC, (1.0, 1.0), (1.0, 1.0)),
    (0.03, at.RELIEF, (0.6, 1.0), (0.2, 0.5)),
)
CYLINDER, CONE, ROD = 3, 4, 5


@dataclass(frozen=True)
class SceneArrays:
    """One scene with its cameras, as the tracers take it: float64 arrays, columns named in `layout`."""

    primitives: np.ndarray
    materials: np.ndarray
    environment: np.ndarray
    c2w: np.ndarray
    fov: float
    """Field of view along the shorter side of the image, radians."""
    brightness: float
    """Mean brightness that the exposure is to reach."""


def _shapes(rng: Generator, size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Kind [P], half sizes [P 3], shape numbers [P 4], bounding radius [P] of random primitives of given sizes."""
    count = len(size)
    shares = np.cumsum([sort[0] for sort in SORTS])
    sort = np.minimum(np.searchsorted(shares / shares[-1], rng.random(count)), len(SORTS) - 1)
    kind = np.array([s[1] for s in SORTS])[sort]
    wide, tall = np.array([s[2] for s in SORTS])[sort], np.array([s[3] for s in SORTS])[sort]
    draw = rng.random((count, 8))
    half = np.empty((count, 3))
    half[:, :2] = wide[:, :1] + (wide[:, 1:] - wide[:, :1]) * draw[:, :2]
    half[:, 2] = tall[:, 0] + (tall[:, 1] - tall[:, 0]) * draw[:, 2]
    round_base = (kind == at.FRUSTUM) & (draw[:, 3] < 0.7)
    half[round_base, 1] = half[round_base, 0]
    half *= size[:, None]
    shape = np.zeros((count, 4))
    shape[:, 3] = np.where(draw[:, 7] < 0.35, draw[:, 6] * 1.4 - 0.7, 2.0)
    shape[kind == at.ELLIPSOID, 0] = shape[kind == at.ELLIPSOID, 3]
    frustum = kind == at.FRUSTUM
    shape[frustum, 0] = np.where(sort == CONE, 0.75 * draw[:, 4], np.where(sort == ROD, 0.6 + 0.4 * draw[:, 4], 1.0))[
        frustum
    ]
    _ring(kind, size, draw, half, shape)
    _displaced(kind, draw, half, shape)
    radius = length(half)
    radius[kind == at.ELLIPSOID] = half[kind == at.ELLIPSOID].max(-1)
    return kind, half, shape, radius * 1.001


def _ring(kind: np.ndarray, size: np.ndarray, draw: np.ndarray, half: np.ndarray, shape: np.ndarray) -> None:
    """Tori and arcs: tube and ring radius from the size."""
    ring = (kind == at.TORUS) | (kind == at.ARC)
    tube = size * (0.12 + 0.2 * draw[:, 4])
    shape[ring, 0], shape[ring, 1] = tube[ring], (size - tube)[ring]
    shape[ring, 2] = (0.5 + 1.6 * draw[:, 5])[ring]
    half[ring] = np.stack([size, size, tube], -1)[ring]


def _displaced(kind: np.ndarray, draw: np.ndarray, half: np.ndarray, shape: np.ndarray) -> None:
    """Rounding of boxes, waves on blobs and reliefs, shallow enough to be marched."""
    least = half.min(-1)
    rounded, blob, relief = kind == at.ROUND_BOX, kind == at.BLOB, kind == at.RELIEF
    shape[rounded, 0] = (least * (0.15 + 0.8 * draw[:, 4]))[rounded]
    shape[blob, 0] = (least * (0.05 + 0.2 * draw[:, 4]))[blob]
    shape[relief, 0] = (least * (0.1 + 0.35 * draw[:, 4]))[relief]
    waves = blob | relief
    shape[waves, 1] = np.minimum(0.12 / np.maximum(shape[:, 0], 1e-6), (0.3 + 0.5 * draw[:, 5]) / least)[waves]
    shape[waves, 2] = draw[:, 6][waves]


def bounds(kind: np.ndarray, half: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Half sizes of the boxes around primitives [P 3], in their own frames."""
    return half + np.where(kind == at.BLOB, at.BLOB_MARGIN * shape[:, 0], 0.0)[:, None]


def box_distance(points: np.ndarray, centre: np.ndarray, rotation: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Distances [P V] of points [V 3] from oriented boxes [P]; zero inside."""
    own = np.einsum("pij,pvj->pvi", rotation, points[None] - centre[:, None])
    return length(np.maximum(np.abs(own) - half[:, None], 0.0))


def _in_the_way(positions: np.ndarray, centre: np.ndarray, distance: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Which primitives [P] touch a camera or hide the subject from one."""
    reach = length(positions)
    along = -np.einsum("pvi,vi->pv", centre[:, None] - positions[None], positions / reach[:, None])
    apart = length(centre[:, None] - positions[None])
    aside = np.sqrt(np.maximum(apart**2 - along**2, 0.0))
    hides = (along > 0.0) & (along < reach) & (aside < 0.7 * radius[:, None])
    return ((distance < 0.12 * reach) | hides).any(-1)


def _subject_places(rng: Generator, tall: np.ndarray, radius: np.ndarray, ground: float | None) -> np.ndarray:
    """Centres of the primitives that make up the subject: on the ground or stacked, within the subject's sphere."""
    count = len(radius)
    centre = 0.75 * rng.uniform(-1, 1, (count, 3)) * (1.0 - 0.6 * radius[:, None])
    if ground is not None:
        centre[:, 2] = ground + tall + np.where(rng.random(count) < 0.65, 0.0, 0.9 * rng.random(count))
    limit = np.maximum(SUBJECT_RADIUS - radius, 0.0)
    return centre * np.minimum(limit / np.maximum(length(centre), 1e-9), 1.0)[:, None]


def _outer_places(
    rng: Generator, count: int, positions: np.ndarray, tall: np.ndarray, floor: float | None, room: np.ndarray | None
) -> np.ndarray:
    """Centres of the primitives around the subject: on the floor, in the air, or at a wall of the room [2 3]."""
    reach = float(np.median(length(positions)))
    angle, away = rng.uniform(0, 2 * math.pi, count), rng.uniform(1.2, 1.2 + 1.1 * reach, count)
    height = rng.uniform(-1.0, 1.0, count) * reach * 0.5
    centre = np.stack([away * np.cos(angle), away * np.sin(angle), height], -1)
    if floor is not None:
        standing = rng.random(count) < 0.75
        centre[:, 2] = np.where(standing, floor + tall, np.maximum(centre[:, 2], floor + tall))
    if room is not None:
        at_wall = rng.random(count) < 0.35
        axis, side = rng.integers(0, 2, count), rng.integers(0, 2, count)
        walls = room[side, axis]
        rows = np.arange(count)[at_wall]
        centre[rows, axis[at_wall]] = walls[at_wall]
        centre = np.clip(centre, room[0], room[1])
    return centre


def _primitives(
    rng: Generator,
    count: int,
    positions: np.ndarray,
    ground: float | None,
    floor: float | None,
    room: np.ndarray | None,
) -> np.ndarray:
    """`count` primitives: some form the subject at the origin, the others stand around it, out of the cameras' way."""
    subject = int(rng.integers(1, min(count, 7) + 1))
    inner = np.arange(count) < subject
    largest = min(0.95, 1.6 / math.sqrt(subject))
    size = np.where(
        inner,
        largest * np.exp(rng.uniform(math.log(0.3), 0.0, count)),
        np.exp(rng.uniform(math.log(0.12), math.log(1.4), count)),
    )
    kind, half, shape, radius = _shapes(rng, size)
    box = bounds(kind, half, shape)
    radius = np.where(kind == at.BLOB, box.max(-1) * 1.001, radius)
    shrink = np.where(inner, np.minimum(1.15 / radius, 1.0), 1.0)
    rotation = random_rotations(rng, count, rng.random(count) < 0.5)
    tall = np.einsum("pj,pj->p", np.abs(rotation[:, :, 2]), box)
    centre = np.empty((count, 3))
    centre[inner] = _subject_places(rng, (tall * shrink)[inner], (radius * shrink)[inner], ground)
    outer = np.flatnonzero(~inner)
    for _ in range(PLACEMENTS):
        if len(outer) == 0:
            break
        s = shrink[outer]
        centre[outer] = _outer_places(rng, len(outer), positions, tall[outer] * s, floor, room)
        near = box_distance(positions, centre[outer], rotation[outer], box[outer] * s[:, None])
        outer = outer[_in_the_way(positions, centre[outer], near, radius[outer] * s)]
        shrink[outer] *= 0.8
    # What found no place joins the subject, where no camera comes.
    shrink[outer] = np.minimum(0.3 / radius[outer], 1.0)
    centre[outer] = _subject_places(rng, (tall * shrink)[outer], (radius * shrink)[outer], ground)
    return _pack(kind, centre, rotation, half, shape, radius, shrink)


def _pack(
    kind: np.ndarray,
    centre: np.ndarray,
    rotation: np.ndarray,
    half: np.ndarray,
    shape: np.ndarray,
    radius: np.ndarray,
    scale: np.ndarray,
) -> np.ndarray:
    """Primitives [P PRIMITIVE], scaled; lengths among the shape numbers scale too, frequencies inversely."""
    out = np.empty((len(kind), at.PRIMITIVE))
    shape = shape.copy()
    lengths = kind >= at.TORUS
    ring = (kind == at.TORUS) | (kind == at.ARC)
    waves = (kind == at.BLOB) | (kind == at.RELIEF)
    shape[lengths, 0] *= scale[lengths]
    shape[ring, 1] *= scale[ring]
    shape[waves, 1] /= scale[waves]
    out[:, at.KIND], out[:, at.RADIUS] = kind, radius * scale
    out[:, at.CENTRE : at.CENTRE + 3], out[:, at.ROTATION : at.ROTATION + 9] = centre, rotation.reshape(-1, 9)
    out[:, at.HALF : at.HALF + 3], out[:, at.SHAPE : at.SHAPE + 4] = half * scale[:, None], shape
    return out


def _table(rng: Generator, ground: float) -> np.ndarray:
    """A box or a disc whose top is the ground of the subject."""
    half = np.array([rng.uniform(1.1, 2.2), rng.uniform(1.1, 2.2), rng.uniform(0.03, 0.3)])
    round_top = rng.random() < 0.4
    if round_top:
        half[1] = half[0]
    out = np.zeros(at.PRIMITIVE)
    out[at.KIND] = at.FRUSTUM if round_top else at.BOX
    out[at.CENTRE : at.CENTRE + 3] = (0.0, 0.0, ground - half[2])
    out[at.ROTATION : at.ROTATION + 9] = random_rotations(rng, 1, np.array([True]))[0].reshape(9)
    out[at.HALF : at.HALF + 3], out[at.SHAPE] = half, 1.0
    out[at.RADIUS] = math.hypot(*half) * 1.001
    return out


def _light(rng: Generator, config: ProceduralConfig, env: np.ndarray, room: np.ndarray | None) -> None:
    azimuth, elevation = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(25, 88))
    light = np.array(
        [math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation)]
    )
    ambient = rng.uniform(*config.ambient)
    direct = 1.25 * (1.0 - ambient)
    if rng.random() < config.point_light_probability:
        light = light * rng.uniform(2.0, 7.0)
        if room is not None:
            light = np.clip(light, 0.95 * room[0], 0.95 * room[1])
        falloff = rng.uniform(0.0, 0.5)
        direct *= 1.0 + (math.hypot(*light) * falloff) ** 2
        env[at.LIGHT_POINT], env[at.FALLOFF] = 1.0, falloff
    tint = 1.0 + 0.25 * rng.uniform(-1, 1) * np.array([1.0, 0.0, -1.0])
    env[at.LIGHT : at.LIGHT + 3], env[at.LIGHT_COLOUR : at.LIGHT_COLOUR + 3] = light, direct * tint
    env[at.AMBIENT : at.AMBIENT + 3] = ambient * (2.0 - tint)
    env[at.AMBIENT + 3 : at.AMBIENT + 6] = ambient * rng.uniform(0.4, 1.0) * tint
    env[at.WRAP] = rng.choice([0.0, 0.0, rng.uniform(0.0, 0.6)])
    env[at.SHADOW] = rng.uniform(0.5, 1.0) if rng.random() < config.shadow_probability else 0.0
    env[at.EXPOSURE] = 1.0


def _backdrop(rng: Generator, config: ProceduralConfig, env: np.ndarray) -> None:
    dark = rng.random() < config.dark_backdrop_probability
    value = rng.uniform(0.0, 0.15) if dark else rng.uniform(0.25, 1.0)
    base = np.array([rng.random(), 0.6 * rng.random() ** 1.5, value])
    colours = base + rng.uniform(-1, 1, (3, 3)) * np.array([0.06, 0.12, 0.04 if dark else 0.2])
    colours[:, 0] %= 1.0
    rgb = hsv_to_rgb(np.clip(colours, 0.0, 1.0))
    env[at.BACKDROP : at.BACKDROP + 9] = rgb.reshape(9)
    env[at.BACKDROP_NOISE], env[at.BACKDROP_FREQUENCY] = 1.2 * rng.random(), rng.uniform(1.0, 6.0)


def _room(rng: Generator, positions: np.ndarray, floor: float) -> np.ndarray:
    """Corners [2 3] of a room around the cameras and the subject."""
    low = np.minimum(positions.min(0), -1.4) - rng.uniform(0.2, 2.5, 3)
    high = np.maximum(positions.max(0), 1.4) + rng.uniform(0.2, 2.5, 3)
    low[2] = floor
    return np.stack([low, high])


def random_scene(rng: Generator, config: ProceduralConfig, num_views: int) -> SceneArrays:
    """A random scene with `num_views` cameras, none of them inside a primitive or beyond a wall."""
    place = rng.random()
    in_room = place < config.room_probability
    supported = place < config.room_probability + config.ground_probability
    on_wall = supported and rng.random() < config.wall_probability
    ground = -rng.uniform(0.35, 0.95) if supported else None
    fov = random_fov(rng, config)
    c2w = random_cameras(rng, config, num_views, fov, ground, on_wall)
    positions = c2w[:, :3, 3]
    floor = ground
    tables = np.zeros((0, at.PRIMITIVE))
    if ground is not None and not on_wall and rng.random() < config.table_probability:
        tables = _table(rng, ground)[None]
        floor = ground - 2.0 * tables[0, at.HALF + 2] - rng.uniform(0.2, 2.0)
    room = _room(rng, positions, floor) if in_room and floor is not None else None
    count = int(rng.integers(config.primitives[0], config.primitives[1] + 1)) - len(tables)
    primitives = np.concatenate([tables, _primitives(rng, max(count, 1), positions, ground, floor, room)])
    env = np.zeros(at.ENVIRONMENT)
    env[at.ROOM], env[at.GROUND] = float(in_room), float(supported and not in_room)
    env[at.LOW : at.LOW + 3], env[at.HIGH : at.HIGH + 3] = (0.0, 0.0, floor or 0.0), 80.0
    if room is not None:
        env[at.LOW : at.LOW + 3], env[at.HIGH : at.HIGH + 3] = room
    _light(rng, config, env, room)
    _backdrop(rng, config, env)
    size = np.concatenate([np.full(6, 1.5), np.repeat(primitives[:, at.RADIUS], 2)])
    materials = random_materials(rng, config, size)
    return SceneArrays(primitives, materials, env, c2w, fov, brightness=rng.uniform(*config.brightness))
