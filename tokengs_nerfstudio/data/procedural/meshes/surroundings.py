"""Light and sky of scenes of meshes."""

import math

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural.materials import hsv_to_rgb
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary
from tokengs_nerfstudio.data.procedural.meshes.paths import sphere


def _tint(rng: Generator, strength: float) -> np.ndarray:
    """Warm or cold white [3], around one."""
    return 1.0 + strength * rng.uniform(-1, 1) * np.array([1.0, 0.1, -1.0])


def sunlight(rng: Generator, env: np.ndarray) -> None:
    """A sun of any height, or a covered sky; ambient light to it."""
    covered = rng.random() < 0.3
    ambient = rng.uniform(0.5, 0.9) if covered else rng.uniform(0.12, 0.4)
    env[at.SUN : at.SUN + 3] = sphere(rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(15, 85)))
    env[at.SUN_COLOUR : at.SUN_COLOUR + 3] = (rng.uniform(0, 0.25) if covered else 1.0) * _tint(rng, 0.15)
    _ambient(rng, env, ambient)


def lamplight(rng: Generator, env: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """A lamp within a box (low, high [3]), and light from everywhere."""
    env[at.SUN : at.SUN + 3] = (0.0, 0.0, 1.0)
    env[at.LAMP : at.LAMP + 3] = rng.uniform(low, high)
    size = float(np.max(high - low))
    env[at.FALLOFF] = rng.uniform(0.0, 2.0) / size**2
    env[at.LAMP_COLOUR : at.LAMP_COLOUR + 3] = rng.uniform(0.4, 1.2) * _tint(rng, 0.2)
    _ambient(rng, env, rng.uniform(0.2, 0.6))


def _ambient(rng: Generator, env: np.ndarray, strength: float) -> None:
    tint = _tint(rng, 0.12)
    env[at.AMBIENT_UP : at.AMBIENT_UP + 3] = strength * tint
    env[at.AMBIENT_DOWN : at.AMBIENT_DOWN + 3] = strength * rng.uniform(0.3, 0.8) * (2.0 - tint)


def sky(rng: Generator, env: np.ndarray, library: MeshLibrary) -> None:
    """A panorama where there are any, a sky from horizon to zenith, or an even backdrop, black and white ones too."""
    env[at.SKY_TEXTURE] = -1.0
    kind = rng.random()
    if kind < 0.35 and len(library.panoramas):
        env[at.SKY_TEXTURE], env[at.SKY_TURN] = rng.choice(library.panoramas), rng.random()
        env[at.SKY_GAIN] = rng.uniform(0.5, 1.8)
        return
    if kind < 0.8:
        blue = np.array([rng.uniform(0.52, 0.66), rng.uniform(0.0, 0.6), rng.uniform(0.5, 1.0)])
        pale = np.array([rng.uniform(0.0, 1.0), rng.uniform(0.0, 0.25), rng.uniform(0.6, 1.0)])
        ground = np.array([rng.uniform(0.05, 0.3), rng.uniform(0.0, 0.4), rng.uniform(0.15, 0.6)])
        colours = hsv_to_rgb(np.stack([pale, blue, ground])) ** 2
    else:
        value = rng.choice([0.0, 1.0, rng.random()], p=[0.35, 0.2, 0.45])
        base = np.array([rng.random(), 0.5 * rng.random() ** 2 * (0.0 < value < 1.0), value])
        colours = hsv_to_rgb(np.clip(base + rng.uniform(-0.05, 0.05, (3, 1)) * np.array([0.0, 0.0, 1.0]), 0, 1)) ** 2
    env[at.HORIZON : at.HORIZON + 9] = colours.reshape(9)


def backcloth(env: np.ndarray, color: np.ndarray) -> None:
    """One linear colour [3] all around."""
    env[at.SKY_TEXTURE] = -1.0
    env[at.HORIZON : at.HORIZON + 9] = np.tile(color, 3)


def plain_indoors(rng: Generator, env: np.ndarray) -> None:
    """What is seen where a room has no wall: nearly black."""
    env[at.SKY_TEXTURE] = -1.0
    env[at.HORIZON : at.HORIZON + 9] = 0.05 * rng.random()
