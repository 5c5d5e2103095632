"""How a procedural scene lies in memory: the columns of its arrays and the numbers both tracers share.

A scene is three float64 arrays: primitives [P, PRIMITIVE], materials [6 + 2 P, MATERIAL] (walls 0-3, floor, ceiling,
then two for each primitive) and the environment [ENVIRONMENT]. World frame: z up, right handed.
"""

from functools import lru_cache

import numpy as np

# Kinds of primitives. The first three are solved in closed form, the others by marching their signed distance.
ELLIPSOID, BOX, FRUSTUM, TORUS, ROUND_BOX, BLOB, ARC, RELIEF = range(8)
# Families of textures.
SOLID, CHECKER, STRIPES, WAVES, NOISE, SPOTS, CELLS, BRICKS, GRADIENT = range(9)

# Primitive: kind, centre, world-to-own rotation by rows, half sizes of its box, four numbers of its shape (frustum: top
# radius; torus, arc: tube radius, ring radius, half angle; rounded box: rounding; blob, relief: amplitude, frequency,
# phase; last one, ellipsoid: first one: where along z the second material starts), radius of its bounding sphere.
KIND, CENTRE, ROTATION, HALF, SHAPE, RADIUS, PRIMITIVE = 0, 1, 4, 13, 16, 20, 21
# Material: family, three colours, texture matrix by rows and offset, cells per unit length, warp, contrast (noise:
# gain, spots: size, cells and bricks: width of the joint, stripes: bias), grain and its frequency, bump.
FAMILY, COLOURS, MATRIX, OFFSET, FREQUENCY, WARP = 0, 1, 10, 19, 22, 23
CONTRAST, GRAIN, GRAIN_FREQUENCY, BUMP, MATERIAL = 24, 25, 26, 27, 28
# Environment: is there a room, a ground; corners of the room (ground: height and how far it is seen); backdrop colours
# (horizon, above, below), blotches; light (point: position, else direction towards it), colour, ambient from above and
# below, wrap of the Lambert term, strength of shadows, falloff, exposure.
ROOM, GROUND, LOW, HIGH, BACKDROP, BACKDROP_NOISE, BACKDROP_FREQUENCY = 0, 1, 2, 5, 8, 17, 18
LIGHT_POINT, LIGHT, LIGHT_COLOUR, AMBIENT = 19, 20, 23, 26
WRAP, SHADOW, FALLOFF, EXPOSURE, ENVIRONMENT = 32, 33, 34, 35, 36
ENVIRONMENT_MATERIALS = 6

MARCH_STEPS, MARCH_SECANTS, MARCH_PRECISION, MARCH_ACCEPT = 40, 3, 1e-3, 4e-3
BLOB_STEP, RELIEF_STEP, BLOB_MARGIN = 0.7, 0.7, 1.5
MISS = 1e30
NORMAL_STEP, RAY_START, SHADOW_OFFSET = 2e-3, 1e-3, 2e-3
# Of a frustum's height: what is so near an end belongs to the cap. Hits in float32 are a few 1e-7 off.
CAP_EDGE = 1e-5
NOISE_CELLS = 16
# Antialiasing: how far colours differ at a border worth it, and where in the pixel the rays beside the centre's go.
EDGE_CONTRAST = 0.08
SAMPLES = ((0.338, 0.091), (-0.247, 0.247), (-0.091, -0.338))


@lru_cache(maxsize=1)
def noise_table() -> np.ndarray:
    """The lattice of random numbers behind every texture: [16**3, 4] in [0, 1], the same for all scenes.

    Small enough to stay in the fastest cache."""
    return np.random.default_rng(20240611).random((NOISE_CELLS**3, 4), np.float32)
