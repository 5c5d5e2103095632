"""Ray tracing of procedural scenes: numba kernels for CPU, in float64, one pixel at a time.

The same formulas in plain torch, for GPU and as the readable reference: `torch_tracing`. The columns of the arrays
are named in `layout`. Rays run through the camera frame with z-component one, so the ray parameter of a
primary ray is the z-depth.
"""

import math

import numpy as np

from tokengs_nerfstudio.core.compiled import njit
from tokengs_nerfstudio.data.procedural import layout as at

# Plain module constants, for numba freezes globals but does not look through an imported module's attributes as fast.
ELLIPSOID, BOX, FRUSTUM = at.ELLIPSOID, at.BOX, at.FRUSTUM
TORUS, ROUND_BOX, BLOB, ARC, RELIEF = at.TORUS, at.ROUND_BOX, at.BLOB, at.ARC, at.RELIEF
SOLID, CHECKER, STRIPES, WAVES, NOISE = at.SOLID, at.CHECKER, at.STRIPES, at.WAVES, at.NOISE
SPOTS, CELLS, BRICKS, GRADIENT = at.SPOTS, at.CELLS, at.BRICKS, at.GRADIENT
KIND, CENTRE, ROTATION, HALF, SHAPE, RADIUS = at.KIND, at.CENTRE, at.ROTATION, at.HALF, at.SHAPE, at.RADIUS
FAMILY, COLOURS, MATRIX, OFFSET, FREQUENCY, WARP = at.FAMILY, at.COLOURS, at.MATRIX, at.OFFSET, at.FREQUENCY, at.WARP
CONTRAST, GRAIN, GRAIN_FREQUENCY, BUMP = at.CONTRAST, at.GRAIN, at.GRAIN_FREQUENCY, at.BUMP
ROOM, GROUND, LOW, HIGH, BACKDROP = at.ROOM, at.GROUND, at.LOW, at.HIGH, at.BACKDROP
BACKDROP_NOISE, BACKDROP_FREQUENCY = at.BACKDROP_NOISE, at.BACKDROP_FREQUENCY
LIGHT_POINT, LIGHT, LIGHT_COLOUR, AMBIENT = at.LIGHT_POINT, at.LIGHT, at.LIGHT_COLOUR, at.AMBIENT
WRAP, SHADOW, FALLOFF, EXPOSURE = at.WRAP, at.SHADOW, at.FALLOFF, at.EXPOSURE
ENVIRONMENT_MATERIALS = at.ENVIRONMENT_MATERIALS
MARCH_STEPS, MARCH_PRECISION, MARCH_ACCEPT = at.MARCH_STEPS, at.MARCH_PRECISION, at.MARCH_ACCEPT
MARCH_SECANTS = at.MARCH_SECANTS
NORMAL_STEP, RAY_START, SHADOW_OFFSET = at.NORMAL_STEP, at.RAY_START, at.SHADOW_OFFSET
CAP_EDGE = at.CAP_EDGE
EDGE_CONTRAST = at.EDGE_CONTRAST
MASK = at.NOISE_CELLS - 1
CELLS_SIDE = at.NOISE_CELLS
TILE = 8
MISS = at.MISS


# No reference counting: its atomic additions cost more than the geometry, and these kernels allocate nothing.
jit = njit(fastmath=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
entry = njit()


@jit
def wave(x):
    """A sine in all but name, of two parabolas: period and amplitude one, smooth to the first derivative."""
    x = x - math.floor(x)
    return 16.0 * x * (0.5 - x) if x < 0.5 else 16.0 * (x - 0.5) * (x - 1.0)


@jit
def distance(prims, p, x, y, z):
    """Signed distance (a lower bound of it for the displaced kinds) to a marched primitive, in its own frame."""
    kind = int(prims[p, KIND])
    a, b, c = prims[p, HALF], prims[p, HALF + 1], prims[p, HALF + 2]
    e0, e1, e2 = prims[p, SHAPE], prims[p, SHAPE + 1], prims[p, SHAPE + 2]
    if kind == TORUS:
        ring = math.sqrt(x * x + y * y) - e1
        return math.sqrt(ring * ring + z * z) - e0
    if kind == ARC:
        x = abs(x)
        s, k = math.sin(e2), math.cos(e2)
        along = x * s + y * k if k * x > s * y else math.sqrt(x * x + y * y)
        return math.sqrt(max(x * x + y * y + z * z + e1 * e1 - 2.0 * e1 * along, 0.0)) - e0
    if kind == BLOB:
        x1, y1, z1 = x / a, y / b, z / c
        u = math.sqrt(x1 * x1 + y1 * y1 + z1 * z1)
        x1, y1, z1 = x1 / a, y1 / b, z1 / c
        v = math.sqrt(x1 * x1 + y1 * y1 + z1 * z1)
        waves = wave(e1 * x + e2) * wave(e1 * y + 1.7 * e2) * wave(e1 * z + 2.3 * e2)
        return at.BLOB_STEP * (u * (u - 1.0) / max(v, 1e-9) + e0 * waves)
    scale = 1.0
    if kind == RELIEF:
        z = z - e0 * wave(e1 * x + e2) * wave(e1 * y + 1.7 * e2)
        c, e0, scale = c - e0, 0.0, at.RELIEF_STEP
    qx, qy, qz = abs(x) - a + e0, abs(y) - b + e0, abs(z) - c + e0
    outside = math.sqrt(max(qx, 0.0) ** 2 + max(qy, 0.0) ** 2 + max(qz, 0.0) ** 2)
    return scale * (outside + min(max(qx, max(qy, qz)), 0.0) - e0)


@jit
def march(prims, p, ox, oy, oz, dx, dy, dz, length, start, stop):
    """First hit of a marched primitive between `start` and `stop`, or MISS; secant steps at the end make it exact."""
    size = prims[p, RADIUS]
    near = MARCH_PRECISION * size
    t = start
    last, d = start, distance(prims, p, ox + t * dx, oy + t * dy, oz + t * dz)
    before = d
    for _ in range(MARCH_STEPS):
        if d < near:
            break
        last, before = t, d
        t += d / length
        if t > stop:
            return MISS
        d = distance(prims, p, ox + t * dx, oy + t * dy, oz + t * dz)
    if d > MARCH_ACCEPT * size:
        return MISS
    for _ in range(MARCH_SECANTS):
        change = before - d
        if abs(change) < 1e-12 * size:
            return t
        step = d * (t - last) / change
        last, before = t, d
        t += clamp(step, -4.0 * near / length, 4.0 * near / length)
        d = distance(prims, p, ox + t * dx, oy + t * dy, oz + t * dz)
    return t


@jit
def hit_ellipsoid(prims, p, ox, oy, oz, dx, dy, dz, start):
    a, b, c = prims[p, HALF], prims[p, HALF + 1], prims[p, HALF + 2]
    ox, oy, oz, dx, dy, dz = ox / a, oy / b, oz / c, dx / a, dy / b, dz / c
    qa = dx * dx + dy * dy + dz * dz
    qb = ox * dx + oy * dy + oz * dz
    qc = ox * ox + oy * oy + oz * oz - 1.0
    root = qb * qb - qa * qc
    if root < 0.0:
        return MISS
    t = (-qb - math.sqrt(root)) / qa
    return t if t > start else MISS


@jit
def slab(o, d, half):
    """Where a ray enters and leaves |x| < half; a ray along the slab gets the whole line or nothing."""
    d = d if abs(d) > 1e-12 else 1e-12
    t0, t1 = (-half - o) / d, (half - o) / d
    return min(t0, t1), max(t0, t1)


@jit
def hit_box(prims, p, ox, oy, oz, dx, dy, dz, start):
    x0, x1 = slab(ox, dx, prims[p, HALF])
    y0, y1 = slab(oy, dy, prims[p, HALF + 1])
    z0, z1 = slab(oz, dz, prims[p, HALF + 2])
    enter, leave = max(x0, max(y0, z0)), min(x1, min(y1, z1))
    return enter if enter < leave and enter > start else MISS


@jit
def hit_frustum(prims, p, ox, oy, oz, dx, dy, dz, start):
    """Cylinders and cones: the radius, in half sizes, runs from one at the bottom to SHAPE[0] at the top."""
    c, top = prims[p, HALF + 2], prims[p, SHAPE]
    ox, dx, oy, dy = ox / prims[p, HALF], dx / prims[p, HALF], oy / prims[p, HALF + 1], dy / prims[p, HALF + 1]
    slope = (top - 1.0) / (2.0 * c)
    r0, r1 = 0.5 * (1.0 + top) + slope * oz, slope * dz
    best = MISS
    enter, leave = slab(oz, dz, c)
    if enter > start:
        x, y, r = ox + enter * dx, oy + enter * dy, r0 + enter * r1
        if x * x + y * y < r * r:
            return enter
    qa = dx * dx + dy * dy - r1 * r1
    qb = ox * dx + oy * dy - r0 * r1
    qc = ox * ox + oy * oy - r0 * r0
    root = qb * qb - qa * qc
    if root < 0.0 or abs(qa) < 1e-12:
        return best
    root = math.sqrt(root)
    for sign in (-1.0, 1.0):
        t = (-qb + sign * root) / qa
        if start < t < best and enter < t < leave:
            best = t
    return best


@jit
def hit(prims, p, ox, oy, oz, dx, dy, dz, dd, best):
    """Nearest hit of one primitive before `best`, for a ray in the primitive's frame; MISS where there is none."""
    radius = prims[p, RADIUS]
    b = ox * dx + oy * dy + oz * dz
    root = b * b - dd * (ox * ox + oy * oy + oz * oz - radius * radius)
    if root <= 0.0:
        return MISS
    root = math.sqrt(root)
    start, stop = max((-b - root) / dd, RAY_START), (-b + root) / dd
    if stop < RAY_START or start > best:
        return MISS
    kind = int(prims[p, KIND])
    if kind == ELLIPSOID:
        return hit_ellipsoid(prims, p, ox, oy, oz, dx, dy, dz, RAY_START)
    if kind == BOX:
        return hit_box(prims, p, ox, oy, oz, dx, dy, dz, RAY_START)
    if kind == FRUSTUM:
        return hit_frustum(prims, p, ox, oy, oz, dx, dy, dz, RAY_START)
    margin = at.BLOB_MARGIN * prims[p, SHAPE] if kind == BLOB else 0.0
    x0, x1 = slab(ox, dx, prims[p, HALF] + margin)
    y0, y1 = slab(oy, dy, prims[p, HALF + 1] + margin)
    z0, z1 = slab(oz, dz, prims[p, HALF + 2] + margin)
    start, stop = max(max(start, x0), max(y0, z0)), min(min(stop, best), min(x1, min(y1, z1)))
    if start >= stop:
        return MISS
    return march(prims, p, ox, oy, oz, dx, dy, dz, math.sqrt(dd), start, stop)


@jit
def normal(prims, p, x, y, z):
    """Outward normal (not unit) in the primitive's frame, and whether the point wears the second material."""
    kind = int(prims[p, KIND])
    a, b, c = prims[p, HALF], prims[p, HALF + 1], prims[p, HALF + 2]
    if kind == ELLIPSOID:
        return x / (a * a), y / (b * b), z / (c * c), z > prims[p, SHAPE] * c
    if kind == BOX:
        u, v, w = abs(x) / a, abs(y) / b, abs(z) / c
        if w >= u and w >= v:
            return 0.0, 0.0, math.copysign(1.0, z), True
        if u >= v:
            return math.copysign(1.0, x), 0.0, 0.0, False
        return 0.0, math.copysign(1.0, y), 0.0, False
    if kind == FRUSTUM:
        if abs(z) > c * (1.0 - CAP_EDGE):
            return 0.0, 0.0, math.copysign(1.0, z), True
        slope = (prims[p, SHAPE] - 1.0) / (2.0 * c)
        return x / (a * a), y / (b * b), -slope * (0.5 * (1.0 + prims[p, SHAPE]) + slope * z), False
    h = NORMAL_STEP * prims[p, RADIUS]
    nx = distance(prims, p, x + h, y, z) - distance(prims, p, x - h, y, z)
    ny = distance(prims, p, x, y + h, z) - distance(prims, p, x, y - h, z)
    nz = distance(prims, p, x, y, z + h) - distance(prims, p, x, y, z - h)
    return nx, ny, nz, z > prims[p, SHAPE + 3] * c


@jit
def noise(table, x, y, z):
    """Four channels of smooth value noise in [0, 1] with lattice spacing one."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    i0, j0, k0 = int(fx) & MASK, int(fy) & MASK, int(fz) & MASK
    i1, j1, k1 = (i0 + 1) & MASK, (j0 + 1) & MASK, (k0 + 1) & MASK
    x, y, z = x - fx, y - fy, z - fz
    x, y, z = x * x * (3.0 - 2.0 * x), y * y * (3.0 - 2.0 * y), z * z * (3.0 - 2.0 * z)
    row00, row01 = (i0 * CELLS_SIDE + j0) * CELLS_SIDE, (i0 * CELLS_SIDE + j1) * CELLS_SIDE
    row10, row11 = (i1 * CELLS_SIDE + j0) * CELLS_SIDE, (i1 * CELLS_SIDE + j1) * CELLS_SIDE
    w00, w01, w10, w11 = (1.0 - x) * (1.0 - y), (1.0 - x) * y, x * (1.0 - y), x * y
    low, high = 1.0 - z, z
    a0, b0, c0, d0 = low * w00, low * w01, low * w10, low * w11
    a1, b1, c1, d1 = high * w00, high * w01, high * w10, high * w11
    p0, q0, r0, s0 = row00 + k0, row01 + k0, row10 + k0, row11 + k0
    p1, q1, r1, s1 = row00 + k1, row01 + k1, row10 + k1, row11 + k1
    return (
        a0 * table[p0, 0]
        + b0 * table[q0, 0]
        + c0 * table[r0, 0]
        + d0 * table[s0, 0]
        + (a1 * table[p1, 0] + b1 * table[q1, 0] + c1 * table[r1, 0] + d1 * table[s1, 0]),
        a0 * table[p0, 1]
        + b0 * table[q0, 1]
        + c0 * table[r0, 1]
        + d0 * table[s0, 1]
        + (a1 * table[p1, 1] + b1 * table[q1, 1] + c1 * table[r1, 1] + d1 * table[s1, 1]),
        a0 * table[p0, 2]
        + b0 * table[q0, 2]
        + c0 * table[r0, 2]
        + d0 * table[s0, 2]
        + (a1 * table[p1, 2] + b1 * table[q1, 2] + c1 * table[r1, 2] + d1 * table[s1, 2]),
        a0 * table[p0, 3]
        + b0 * table[q0, 3]
        + c0 * table[r0, 3]
        + d0 * table[s0, 3]
        + (a1 * table[p1, 3] + b1 * table[q1, 3] + c1 * table[r1, 3] + d1 * table[s1, 3]),
    )


@jit
def clamp(x, low, high):
    return min(max(x, low), high)


@jit
def fade(cells):
    """How much of a pattern survives when a pixel covers this many of its cells."""
    return clamp((0.9 - cells) * 2.0, 0.0, 1.0)


@jit
def square_wave(x, cells, bias):
    """A square wave in [-1, 1] of period one, its edges as wide as a pixel, its mean when a pixel covers a period."""
    triangle = abs(x - math.floor(x) - 0.5) * 4.0 - 1.0 + bias
    return clamp(triangle / max(4.0 * cells, 0.04), -1.0, 1.0) * fade(0.9 * cells)


@jit
def cell_index(fx, fy, fz):
    return ((int(fx) & MASK) * CELLS_SIDE + (int(fy) & MASK)) * CELLS_SIDE + (int(fz) & MASK)


@jit
def ramp(mats, i, w):
    """First to second to third colour as w runs from 0 to 1."""
    k = COLOURS if w < 0.5 else COLOURS + 3
    u = 2.0 * w if w < 0.5 else 2.0 * w - 1.0
    return (
        mats[i, k] + u * (mats[i, k + 3] - mats[i, k]),
        mats[i, k + 1] + u * (mats[i, k + 4] - mats[i, k + 1]),
        mats[i, k + 2] + u * (mats[i, k + 5] - mats[i, k + 2]),
    )


@jit
def layered(mats, i, u, w):
    """Between the second and third colour by u, then that over the first by w."""
    c = COLOURS
    r = mats[i, c + 3] + u * (mats[i, c + 6] - mats[i, c + 3])
    g = mats[i, c + 4] + u * (mats[i, c + 7] - mats[i, c + 4])
    b = mats[i, c + 5] + u * (mats[i, c + 8] - mats[i, c + 5])
    return (
        mats[i, c] + w * (r - mats[i, c]),
        mats[i, c + 1] + w * (g - mats[i, c + 1]),
        mats[i, c + 2] + w * (b - mats[i, c + 2]),
    )


@jit
def fractal(mats, i, table, x, y, z, cells):
    total, gain = 0.0, 0.5
    for _ in range(3):
        strength = fade(cells)
        if strength <= 0.0:
            break
        total += gain * strength * (noise(table, x, y, z)[3] - 0.5)
        x, y, z, cells, gain = 2.03 * x, 2.03 * y, 2.03 * z, 2.03 * cells, 0.55 * gain
    return clamp(0.5 + mats[i, CONTRAST] * total, 0.0, 1.0)


@jit
def spots(mats, i, table, x, y, z, cells):
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    j = cell_index(fx, fy, fz)
    dx, dy, dz = x - fx - 0.3 - 0.4 * table[j, 0], y - fy - 0.3 - 0.4 * table[j, 1], z - fz - 0.3 - 0.4 * table[j, 2]
    radius = mats[i, CONTRAST] * (0.1 + 0.2 * table[j, 3])
    inside = clamp((radius - math.sqrt(dx * dx + dy * dy + dz * dz)) / max(cells, 0.03) + 0.5, 0.0, 1.0)
    return layered(mats, i, table[j, 0], inside * fade(0.6 * cells))


@jit
def cell_pattern(mats, i, table, x, y, z, cells):
    """Voronoi cells over the eight nearest lattice points, with dark joints."""
    bx, by, bz = math.floor(x - 0.5), math.floor(y - 0.5), math.floor(z - 0.5)
    first, second, shade = 9.0, 9.0, 0.0
    for corner in range(8):
        cx, cy, cz = bx + (corner & 1), by + ((corner >> 1) & 1), bz + (corner >> 2)
        j = cell_index(cx, cy, cz)
        dx, dy, dz = (
            x - cx - 0.2 - 0.6 * table[j, 0],
            y - cy - 0.2 - 0.6 * table[j, 1],
            z - cz - 0.2 - 0.6 * table[j, 2],
        )
        d = math.sqrt(dx * dx + dy * dy + dz * dz)
        if d < first:
            first, second, shade = d, first, table[j, 3]
        elif d < second:
            second = d
    strength = fade(0.8 * cells)
    joint = clamp((second - first - mats[i, CONTRAST]) / max(cells, 0.05) + 0.5, 0.0, 1.0)
    return layered(mats, i, 0.5 + strength * (shade - 0.5), 1.0 - strength * (1.0 - joint))


@jit
def bricks(mats, i, table, x, y, z, cells):
    row = math.floor(y)
    x = 0.5 * x + 0.5 * (int(row) & 1)
    shade = table[cell_index(math.floor(x), row, 0.0), 3]
    edge = min(min(x - math.floor(x), math.ceil(x) - x) * 2.0, min(y - row, 1.0 - y + row))
    strength = fade(0.8 * cells)
    brick = clamp((edge - mats[i, CONTRAST]) / max(cells, 0.04) + 0.5, 0.0, 1.0)
    return layered(mats, i, 0.5 + strength * (shade - 0.5), 1.0 - strength * (1.0 - brick))


@jit
def texture(mats, i, table, px, py, pz, footprint):
    """Colour of a material at a point of its primitive's frame; `footprint` is the size of a pixel there."""
    m = MATRIX
    x = mats[i, m] * px + mats[i, m + 1] * py + mats[i, m + 2] * pz + mats[i, OFFSET]
    y = mats[i, m + 3] * px + mats[i, m + 4] * py + mats[i, m + 5] * pz + mats[i, OFFSET + 1]
    z = mats[i, m + 6] * px + mats[i, m + 7] * py + mats[i, m + 8] * pz + mats[i, OFFSET + 2]
    cells, family = footprint * mats[i, FREQUENCY], int(mats[i, FAMILY])
    warp = mats[i, WARP]
    if warp > 0.0:
        n = noise(table, 0.7 * x, 0.7 * y, 0.7 * z)
        x, y, z = x + warp * (n[0] - 0.5), y + warp * (n[1] - 0.5), z + warp * (n[2] - 0.5)
    if family == SOLID:
        return mats[i, COLOURS], mats[i, COLOURS + 1], mats[i, COLOURS + 2]
    if family == CHECKER:
        product = square_wave(x, cells, 0.0) * square_wave(y, cells, 0.0) * square_wave(z, cells, 0.0)
        return layered(mats, i, 0.0, 0.5 + 0.5 * product)
    if family == STRIPES:
        return layered(mats, i, 0.0, 0.5 + 0.5 * square_wave(x, cells, mats[i, CONTRAST]))
    if family == WAVES:
        return ramp(mats, i, 0.5 + 0.5 * fade(cells) * math.sin(2.0 * math.pi * x))
    if family == NOISE:
        return ramp(mats, i, fractal(mats, i, table, x, y, z, cells))
    if family == SPOTS:
        return spots(mats, i, table, x, y, z, cells)
    if family == CELLS:
        return cell_pattern(mats, i, table, x, y, z, cells)
    if family == BRICKS:
        return bricks(mats, i, table, x, y, z, cells)
    return ramp(mats, i, clamp(0.5 + 0.5 * z, 0.0, 1.0))


@jit
def backdrop(env, table, dx, dy, dz):
    """What a ray sees that hits nothing: a vertical gradient with soft blotches."""
    inverse = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
    dx, dy, dz = dx * inverse, dy * inverse, dz * inverse
    f = env[BACKDROP_FREQUENCY]
    n = noise(table, f * dx + 7.3, f * dy + 1.9, f * dz + 4.1)
    lift = 1.0 + env[BACKDROP_NOISE] * (n[3] - 0.5)
    k, u = (BACKDROP + 3, math.sqrt(dz)) if dz > 0.0 else (BACKDROP + 6, math.sqrt(-dz))
    b = BACKDROP
    return (
        clamp(lift * (env[b] + u * (env[k] - env[b])), 0.0, 1.0),
        clamp(lift * (env[b + 1] + u * (env[k + 1] - env[b + 1])), 0.0, 1.0),
        clamp(lift * (env[b + 2] + u * (env[k + 2] - env[b + 2])), 0.0, 1.0),
    )


@jit
def hit_room(env, ox, oy, oz, dx, dy, dz):
    """Nearest wall (0-3), floor (4) or ceiling (5) of the room that holds the camera, or the ground alone."""
    best, face = MISS, -1
    if env[ROOM] > 0.5:
        for axis in range(3):
            o = ox if axis == 0 else (oy if axis == 1 else oz)
            d = dx if axis == 0 else (dy if axis == 1 else dz)
            if abs(d) > 1e-12:
                t = ((env[HIGH + axis] if d > 0.0 else env[LOW + axis]) - o) / d
                if RAY_START < t < best:
                    best, face = t, 2 * axis + (1 if d > 0.0 else 0)
    elif env[GROUND] > 0.5 and dz < -1e-12:
        t = (env[LOW + 2] - oz) / dz
        if t > RAY_START and t < env[HIGH]:
            best, face = t, 4
    return best, face


@jit
def shadowed(prims, count, x, y, z, lx, ly, lz, limit):
    """Whether a primitive stands between the point and the light."""
    dd = lx * lx + ly * ly + lz * lz
    for p in range(count):
        vx, vy, vz = x - prims[p, CENTRE], y - prims[p, CENTRE + 1], z - prims[p, CENTRE + 2]
        b = vx * lx + vy * ly + vz * lz
        c = vx * vx + vy * vy + vz * vz - prims[p, RADIUS] * prims[p, RADIUS]
        if b * b <= dd * c or (b > 0.0 and c > 0.0):
            continue
        r = ROTATION
        t = hit(
            prims,
            p,
            prims[p, r] * vx + prims[p, r + 1] * vy + prims[p, r + 2] * vz,
            prims[p, r + 3] * vx + prims[p, r + 4] * vy + prims[p, r + 5] * vz,
            prims[p, r + 6] * vx + prims[p, r + 7] * vy + prims[p, r + 8] * vz,
            prims[p, r] * lx + prims[p, r + 1] * ly + prims[p, r + 2] * lz,
            prims[p, r + 3] * lx + prims[p, r + 4] * ly + prims[p, r + 5] * lz,
            prims[p, r + 6] * lx + prims[p, r + 7] * ly + prims[p, r + 8] * lz,
            dd,
            limit,
        )
        if t < limit:
            return True
    return False


@jit
def shade(env, mats, i, table, prims, count, x, y, z, nx, ny, nz, px, py, pz, footprint, out):
    """Colour of a surface point into `out`; whether it lies in shadow is returned.

    (x, y, z) is the point in the world, (px, py, pz) in its primitive's frame; the normal is unit, in the world, and
    looks at the camera.
    """
    r, g, b = texture(mats, i, table, px, py, pz, footprint)
    f = mats[i, GRAIN_FREQUENCY]
    strength = fade(footprint * f)
    sx, sy, sz = nx, ny, nz
    if strength > 0.0:
        n = noise(table, f * px + 3.1, f * py + 5.7, f * pz + 9.2)
        grain = 1.0 + mats[i, GRAIN] * strength * (n[3] - 0.5)
        r, g, b = r * grain, g * grain, b * grain
        bump = mats[i, BUMP] * strength
        sx, sy, sz = nx + bump * (n[0] - 0.5), ny + bump * (n[1] - 0.5), nz + bump * (n[2] - 0.5)
        inverse = 1.0 / math.sqrt(sx * sx + sy * sy + sz * sz)
        sx, sy, sz = sx * inverse, sy * inverse, sz * inverse
    lx, ly, lz, power, limit = env[LIGHT], env[LIGHT + 1], env[LIGHT + 2], 1.0, MISS
    if env[LIGHT_POINT] > 0.5:
        lx, ly, lz, limit = lx - x, ly - y, lz - z, 1.0
        length = math.sqrt(lx * lx + ly * ly + lz * lz)
        power = 1.0 / (1.0 + (length * env[FALLOFF]) ** 2)
    else:
        length = math.sqrt(lx * lx + ly * ly + lz * lz)
    facing = (sx * lx + sy * ly + sz * lz) / max(length, 1e-9)
    lit = max(facing + env[WRAP], 0.0) / (1.0 + env[WRAP]) * power
    dark = False
    if env[SHADOW] > 0.0 and lit > 0.0:
        e = SHADOW_OFFSET
        dark = shadowed(prims, count, x + e * nx, y + e * ny, z + e * nz, lx, ly, lz, limit)
        if dark:
            lit *= 1.0 - env[SHADOW]
    up = 0.5 + 0.5 * sz
    for channel in range(3):
        low, high = env[AMBIENT + 3 + channel], env[AMBIENT + channel]
        light = env[EXPOSURE] * (low + up * (high - low) + lit * env[LIGHT_COLOUR + channel])
        albedo = r if channel == 0 else (g if channel == 1 else b)
        out[channel] = clamp(albedo * math.sqrt(light), 0.0, 1.0)
    return dark


@jit
def trace(prims, orders, row, column, count, everything, mats, env, table, local, cam, u, v, pixel, out):
    """One ray through the camera-frame point (u, v, 1): colour into `out`; depth (0: backdrop) and a surface code.

    `order[:count]` are the primitives this ray may hit, `everything` how many there are.
    """
    dx = cam[0] * u + cam[1] * v + cam[2]
    dy = cam[3] * u + cam[4] * v + cam[5]
    dz = cam[6] * u + cam[7] * v + cam[8]
    ox, oy, oz = cam[9], cam[10], cam[11]
    dd = u * u + v * v + 1.0
    best, face = hit_room(env, ox, oy, oz, dx, dy, dz)
    found = -1
    for k in range(count):
        p = orders[row, column, k]
        t = hit(
            prims,
            p,
            local[p, 9],
            local[p, 10],
            local[p, 11],
            local[p, 0] * u + local[p, 1] * v + local[p, 2],
            local[p, 3] * u + local[p, 4] * v + local[p, 5],
            local[p, 6] * u + local[p, 7] * v + local[p, 8],
            dd,
            best,
        )
        if t < best:
            best, found = t, p
    if found < 0 and face < 0:
        out[0], out[1], out[2] = backdrop(env, table, dx, dy, dz)
        return 0.0, -1
    x, y, z = ox + best * dx, oy + best * dy, oz + best * dz
    px, py, pz = x, y, z
    nx, ny, nz = 0.0, 0.0, 0.0
    if found < 0:
        material = face
        sign = 1.0 if face % 2 == 0 else -1.0
        if face < 2:
            nx = sign
        elif face < 4:
            ny = sign
        else:
            nz = sign
    else:
        p = found
        px = local[p, 9] + best * (local[p, 0] * u + local[p, 1] * v + local[p, 2])
        py = local[p, 10] + best * (local[p, 3] * u + local[p, 4] * v + local[p, 5])
        pz = local[p, 11] + best * (local[p, 6] * u + local[p, 7] * v + local[p, 8])
        ax, ay, az, second = normal(prims, p, px, py, pz)
        r = ROTATION
        nx = prims[p, r] * ax + prims[p, r + 3] * ay + prims[p, r + 6] * az
        ny = prims[p, r + 1] * ax + prims[p, r + 4] * ay + prims[p, r + 7] * az
        nz = prims[p, r + 2] * ax + prims[p, r + 5] * ay + prims[p, r + 8] * az
        inverse = 1.0 / max(math.sqrt(nx * nx + ny * ny + nz * nz), 1e-12)
        nx, ny, nz = nx * inverse, ny * inverse, nz * inverse
        material = ENVIRONMENT_MATERIALS + 2 * found + (1 if second else 0)
    slant = abs(nx * dx + ny * dy + nz * dz) / math.sqrt(dd)
    footprint = pixel * best * math.sqrt(dd) / math.sqrt(max(slant, 0.05))
    dark = shade(env, mats, material, table, prims, everything, x, y, z, nx, ny, nz, px, py, pz, footprint, out)
    return best, 2 * material + (1 if dark else 0)


@jit
def prepare(prims, count, c2w, local, cam):
    """The camera as twelve numbers, and for every primitive the camera's rays in the primitive's frame."""
    for i in range(3):
        cam[9 + i] = c2w[i, 3]
        for j in range(3):
            cam[3 * i + j] = c2w[i, j]
    for p in range(count):
        for i in range(3):
            origin = 0.0
            for j in range(3):
                origin += prims[p, ROTATION + 3 * i + j] * (c2w[j, 3] - prims[p, CENTRE + j])
                total = 0.0
                for k in range(3):
                    total += prims[p, ROTATION + 3 * i + k] * c2w[k, j]
                local[p, 3 * i + j] = total
            local[p, 9 + i] = origin


@jit
def reachable(prims, count, local, cam, u0, u1, v0, v1, orders, row, column):
    """Primitives whose bounding sphere meets the cone around a tile; their number, the indices in `order`."""
    u, v = 0.5 * (u0 + u1), 0.5 * (v0 + v1)
    length = math.sqrt(u * u + v * v + 1.0)
    cosine = 1.0
    for corner in range(4):
        a, b = (u0 if corner & 1 else u1), (v0 if corner & 2 else v1)
        cosine = min(cosine, (a * u + b * v + 1.0) / (length * math.sqrt(a * a + b * b + 1.0)))
    sine = math.sqrt(max(1.0 - cosine * cosine, 0.0))
    ax = (cam[0] * u + cam[1] * v + cam[2]) / length
    ay = (cam[3] * u + cam[4] * v + cam[5]) / length
    az = (cam[6] * u + cam[7] * v + cam[8]) / length
    found = 0
    for p in range(count):
        x, y, z = prims[p, CENTRE] - cam[9], prims[p, CENTRE + 1] - cam[10], prims[p, CENTRE + 2] - cam[11]
        along = x * ax + y * ay + z * az
        aside = math.sqrt(max(x * x + y * y + z * z - along * along, 0.0))
        if aside * cosine - along * sine <= prims[p, RADIUS]:
            orders[row, column, found] = p
            found += 1
    return found


@jit
def differ(code, rgb, x, y, i, j):
    """Whether two pixels show different surfaces (or one in shadow) in colours that can be told apart."""
    if code[y, x] == code[j, i]:
        return False
    red, green, blue = rgb[0, y, x] - rgb[0, j, i], rgb[1, y, x] - rgb[1, j, i], rgb[2, y, x] - rgb[2, j, i]
    return max(abs(red), max(abs(green), abs(blue))) > EDGE_CONTRAST


@jit
def mark_edges(code, rgb, edges):
    height, width = code.shape
    edges[:] = False
    for y in range(height):
        for x in range(width):
            if x + 1 < width and differ(code, rgb, x, y, x + 1, y):
                edges[y, x] = edges[y, x + 1] = True
            if y + 1 < height and differ(code, rgb, x, y, x, y + 1):
                edges[y, x] = edges[y + 1, x] = True


@jit
def trace_view(
    prims, count, mats, env, table, c2w, intrinsics, antialias, rgb, depth, local, cam, out, code, edges, orders, found
):
    """One view: rgb [3 height width], depth [height width] (z-depth at the pixel's centre, 0 for the backdrop).

    With `antialias`, pixels at the border of a surface, a face or a shadow are the mean of four rays.
    """
    height, width = depth.shape
    prepare(prims, count, c2w, local, cam)
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    pixel = 1.0 / math.sqrt(fx * fy)
    rows, columns = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    for row in range(rows):
        for column in range(columns):
            x0, y0 = column * TILE, row * TILE
            x1, y1 = min(x0 + TILE, width), min(y0 + TILE, height)
            u0, u1, v0, v1 = (x0 - cx) / fx, (x1 - cx) / fx, (y0 - cy) / fy, (y1 - cy) / fy
            n = reachable(prims, count, local, cam, u0, u1, v0, v1, orders, row, column)
            found[row, column] = n
            for y in range(y0, y1):
                for x in range(x0, x1):
                    u, v = (x + 0.5 - cx) / fx, (y + 0.5 - cy) / fy
                    t, surface = trace(
                        prims, orders, row, column, n, count, mats, env, table, local, cam, u, v, pixel, out
                    )
                    depth[y, x], code[y, x] = t, surface
                    for channel in range(3):
                        rgb[channel, y, x] = out[channel]
    if not antialias:
        return
    mark_edges(code, rgb, edges)
    for y in range(height):
        for x in range(width):
            if not edges[y, x]:
                continue
            row, column = y // TILE, x // TILE
            r, g, b = rgb[0, y, x], rgb[1, y, x], rgb[2, y, x]
            for sample in range(3):
                u = (x + 0.5 + at.SAMPLES[sample][0] - cx) / fx
                v = (y + 0.5 + at.SAMPLES[sample][1] - cy) / fy
                n = found[row, column]
                trace(prims, orders, row, column, n, count, mats, env, table, local, cam, u, v, pixel, out)
                r, g, b = r + out[0], g + out[1], b + out[2]
            rgb[0, y, x], rgb[1, y, x], rgb[2, y, x] = 0.25 * r, 0.25 * g, 0.25 * b


@entry
def trace_views(start, stop, prims, counts, mats, envs, table, c2w, intrinsics, antialias, rgb, depth):
    """Views start..stop of a batch, counted over scenes and views: arrays [scene, view, ...]."""
    views = c2w.shape[1]
    height, width = depth.shape[2:]
    most, rows, columns = prims.shape[1], (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    local, cam, out = np.empty((most, 12)), np.empty(12), np.empty(3)
    code, edges = np.empty((height, width), np.int32), np.empty((height, width), np.bool_)
    orders, found = np.empty((rows, columns, most), np.int64), np.empty((rows, columns), np.int64)
    for index in range(start, stop):
        s, v = index // views, index % views
        trace_view(
            prims[s],
            counts[s],
            mats[s],
            envs[s],
            table,
            c2w[s, v],
            intrinsics[s, v],
            antialias,
            rgb[s, v],
            depth[s, v],
            local,
            cam,
            out,
            code,
            edges,
            orders,
            found,
        )
