"""Things made to move: what rolls, what drives, what reaches out. Parts that hang together move relative to another."""

import math

import numpy as np

from tokengs_nerfstudio.data.procedural.meshes.arrangement import Hold, Item, Look, Vector, about_z
from tokengs_nerfstudio.data.procedural.meshes.draft import CLUTTER, SUBJECT, Draft, Shares, drawn, one_of
from tokengs_nerfstudio.data.procedural.meshes.library import numbers_of
from tokengs_nerfstudio.data.procedural.meshes.motion import Course, Glide, Hung, Motion, Turn
from tokengs_nerfstudio.data.procedural.meshes.paths import UP, sphere
from tokengs_nerfstudio.data.procedural.meshes.shapes import Shape


def _way(draft: Draft) -> tuple[np.ndarray, np.ndarray]:
    """A level direction [3] and the axis [3] about which a wheel that goes there turns."""
    ahead = sphere(draft.rng.uniform(0, 2 * math.pi), 0.0)
    return ahead, np.cross(UP, ahead)


def _part(
    draft: Draft, shape: Shape, centre: Vector, half: Vector, rotation: np.ndarray, motion: Motion, look: Look
) -> Item:
    mesh = one_of(draft.rng, draft.library.shapes[shape])
    return Item(mesh, centre, half, rotation, look, Hold.LOOSE, stands=False, motion=motion)


def _look(draft: Draft) -> Look:
    return draft.plain() if draft.chance(0.25) else draft.cover(draft.library.walls, draft.rng.uniform(0.5, 2.0))


def _mesh(draft: Draft, shares: Shares, foot: Vector, size: float, rotation: np.ndarray, motion: Motion) -> Item:
    number = one_of(draft.rng, numbers_of(draft.library, [drawn(draft.rng, shares)]))
    sizes = (size, size, size)
    return Item(number, foot, sizes, rotation, draft.own_look(), Hold.LOOSE, stands=True, motion=motion)


def _lying(ahead: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Rotation [3 3] that lays what stands along z on its side."""
    return np.stack([ahead, -UP, axis], 1)


def roller(draft: Draft, foot: np.ndarray, radius: float, course: Course) -> list[Item]:
    """A ball or a lying cylinder of that radius, which rolls without slipping from above `foot` [3]."""
    rng, (ahead, axis) = draft.rng, _way(draft)
    far = radius * math.pi * rng.uniform(*draft.config.movement.far)
    centre = foot + radius * UP
    gone = Glide(far * ahead, np.zeros(3), course)
    motion = Hung(gone, Turn(centre, axis, course.scaled(far / radius)))
    if draft.chance(0.6):
        rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        shape, half, rotation = Shape.BALL, (radius,) * 3, rotation * np.linalg.det(rotation)
    else:
        shape, half, rotation = Shape.CYLINDER, (radius, radius, radius * rng.uniform(0.2, 1.5)), _lying(ahead, axis)
    return [_part(draft, shape, centre, half, rotation, motion, _look(draft))]


def cart(draft: Draft, foot: np.ndarray, size: float, course: Course) -> list[Item]:
    """A body of half length `size` on four wheels that roll without slipping; on some, a load that turns."""
    rng, (ahead, axis) = draft.rng, _way(draft)
    wheel, wide, thick = size * rng.uniform(0.25, 0.45), size * rng.uniform(0.4, 0.7), size * rng.uniform(0.08, 0.35)
    far = size * rng.uniform(*draft.config.movement.far)
    drive, turn = Glide(far * ahead, np.zeros(3), course), course.scaled(far / wheel)
    upright = np.stack([ahead, axis, UP], 1)
    floor = foot + wheel * UP
    parts = [_part(draft, Shape.BOX, floor + thick * UP, (size, wide, thick), upright, drive, _look(draft))]
    look = _look(draft)
    for along, aside in ((-0.7, -1), (-0.7, 1), (0.7, -1), (0.7, 1)):
        hub = floor + along * size * ahead + aside * 1.1 * wide * axis
        own = Hung(drive, Turn(hub, axis, turn))
        parts.append(_part(draft, Shape.CYLINDER, hub, (wheel, wheel, 0.08 * size), _lying(ahead, axis), own, look))
    if draft.chance(0.7):
        top = floor + 2 * thick * UP
        load: Motion = drive
        if draft.chance(0.5):
            load = Hung(drive, Turn(top, UP, Course(rng.uniform(-3.0, 3.0))))
        parts.append(_mesh(draft, SUBJECT, top, size * rng.uniform(0.5, 0.9), upright, load))
    return parts


def arm(draft: Draft, foot: np.ndarray, size: float, courses: list[Course]) -> list[Item]:
    """A column that turns, two links on it, each turning about its joint, and something held: four `courses`."""
    rng, (ahead, axis) = draft.rng, _way(draft)
    thin = size * rng.uniform(0.08, 0.2)
    carrier: Motion = Turn(foot, UP, courses[0])
    shape = Shape.CYLINDER if draft.chance(0.5) else Shape.BOX
    half = (1.5 * thin, 1.5 * thin, 0.6 * size)
    parts = [_part(draft, shape, foot + 0.6 * size * UP, half, about_z(rng.random()), carrier, _look(draft))]
    joint, look = foot + 1.2 * size * UP, _look(draft)
    for number, lift in ((1, rng.uniform(0.2, 1.2)), (2, rng.uniform(-0.8, 0.4))):
        reach = size * rng.uniform(0.5, 0.9)
        along = math.cos(lift) * ahead + math.sin(lift) * UP
        # Positive angles about the axis lead downwards.
        carrier = Hung(carrier, Turn(joint, axis, courses[number].scaled(0.4)))
        rotation = np.stack([along, axis, np.cross(along, axis)], 1)
        middle = joint + 0.5 * reach * along
        parts.append(_part(draft, Shape.BOX, middle, (0.5 * reach, thin, thin), rotation, carrier, look))
        joint = joint + reach * along
    held = size * rng.uniform(0.2, 0.45)
    own = Hung(carrier, Turn(joint, UP, courses[3]))
    return [*parts, _mesh(draft, CLUTTER, joint - held * UP, held, about_z(rng.uniform(0, 6.0)), own)]
