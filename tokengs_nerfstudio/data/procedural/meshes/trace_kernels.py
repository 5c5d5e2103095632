"""Ray tracing of textured meshes: numba kernels for CPU, one ray at a time, in float64 over float32 meshes.

The same formulas in plain numpy, as the readable reference: tests/data/procedural/meshes. Rays run with z-component
one through the camera frame, so the ray parameter of a primary ray is its z-depth; parameters hold in every frame.
"""

import math

import numpy as np

from tokengs_nerfstudio.core.compiled import njit
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.bvh_kernels import FAST, LEAF, enter, inverse

MATRIX, OFFSET, SIZE, TINT, TEXTURE = at.MATRIX, at.OFFSET, at.SIZE, at.TINT, at.TEXTURE
REPEAT, SHIFT, ROOT = at.REPEAT, at.SHIFT, at.ROOT
SUN, SUN_COLOUR, LAMP, LAMP_COLOUR, FALLOFF = at.SUN, at.SUN_COLOUR, at.LAMP, at.LAMP_COLOUR, at.FALLOFF
AMBIENT_UP, AMBIENT_DOWN, EXPOSURE = at.AMBIENT_UP, at.AMBIENT_DOWN, at.EXPOSURE
SKY_TEXTURE, SKY_TURN, SKY_GAIN = at.SKY_TEXTURE, at.SKY_TURN, at.SKY_GAIN
HORIZON, ZENITH, NADIR = at.HORIZON, at.ZENITH, at.NADIR
LEVELS, STACK, CUT_OUT = at.LEVELS, at.STACK, at.CUT_OUT
MISS = np.inf
START, SHADOW_START = 1e-4, 2e-3
EDGE_CONTRAST = 0.15
SAMPLES = ((0.338, 0.091), (-0.247, 0.247), (-0.091, -0.338))

jit = njit(fastmath=FAST, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
entry = njit()


@jit
def solid(textures, k, u, v):
    """Whether a cut-out texture holds light back there."""
    height, width = textures.levels[k, 0, 1], textures.levels[k, 0, 2]
    row = min(int((v - math.floor(v)) * height), height - 1)
    column = min(int((u - math.floor(u)) * width), width - 1)
    return textures.texels[textures.levels[k, 0, 0] + row * width + column, 3] >= 128


@jit
def colour(textures, k, u, v, pixels, out):
    """Linear colour where a screen pixel covers that many texture pixels: bilinear in the nearest level."""
    level = min(int(max(math.log2(max(pixels, 1e-6)) + 0.5, 0.0)), LEVELS - 1)
    height, width = textures.levels[k, level, 1], textures.levels[k, level, 2]
    y, x = (v - math.floor(v)) * height + 0.5, (u - math.floor(u)) * width + 0.5
    row, column = min(int(y), height), min(int(x), width)
    y, x = y - row, x - column
    # Between texels row - 1 and row, column - 1 and column; the first and the last are neighbours.
    above, below = (row - 1 if row else height - 1) * width, (row if row < height else 0) * width
    left, right = column - 1 if column else width - 1, column if column < width else 0
    above, below = above + textures.levels[k, level, 0], below + textures.levels[k, level, 0]
    a, b, c, d = above + left, above + right, below + left, below + right
    t = textures.texels
    for i in range(3):
        top = t[a, i] + x * (float(t[b, i]) - float(t[a, i]))
        value = (top + y * (t[c, i] + x * (float(t[d, i]) - float(t[c, i])) - top)) / 255.0
        out[i] = value * value


@jit
def hit_triangle(corners, n, ox, oy, oz, dx, dy, dz):
    """(parameter, u, v) of a ray and a triangle seen from either side (Moeller and Trumbore 1997); MISS beside it."""
    ax, ay, az = corners[n, 3], corners[n, 4], corners[n, 5]
    bx, by, bz = corners[n, 6], corners[n, 7], corners[n, 8]
    px, py, pz = dy * bz - dz * by, dz * bx - dx * bz, dx * by - dy * bx
    det = ax * px + ay * py + az * pz
    if abs(det) < 1e-14:
        return MISS, 0.0, 0.0
    scale = 1.0 / det
    sx, sy, sz = ox - corners[n, 0], oy - corners[n, 1], oz - corners[n, 2]
    u = (sx * px + sy * py + sz * pz) * scale
    if u < 0.0 or u > 1.0:
        return MISS, 0.0, 0.0
    qx, qy, qz = sy * az - sz * ay, sz * ax - sx * az, sx * ay - sy * ax
    v = (dx * qx + dy * qy + dz * qz) * scale
    if v < 0.0 or u + v > 1.0:
        return MISS, 0.0, 0.0
    return (bx * qx + by * qy + bz * qz) * scale, u, v


@jit
def walk_mesh(meshes, textures, own, ref, ox, oy, oz, dx, dy, dz, start, stop, first, base, nodes, enters):
    """Nearest hit (or, with `first`, any) of one mesh in its own frame: (parameter, triangle, u, v).

    `own` says that its own textures count, holes included.
    """
    ix, iy, iz = inverse(dx), inverse(dy), inverse(dz)
    found, hit_u, hit_v = -1, 0.0, 0.0
    depth = base
    while True:
        if ref >= 0:
            near = enter(meshes.boxes, ref, 0, ox, oy, oz, ix, iy, iz, stop)
            far = enter(meshes.boxes, ref, 1, ox, oy, oz, ix, iy, iz, stop)
            a, b = meshes.refs[ref, 0], meshes.refs[ref, 1]
            if far < near:
                near, far, a, b = far, near, b, a
            if near < MISS:
                if far < MISS:
                    nodes[depth], enters[depth] = b, far
                    depth += 1
                ref = a
                continue
        else:
            leaf = ~ref
            begin = leaf // LEAF
            for n in range(begin, begin + leaf % LEAF):
                t, u, v = hit_triangle(meshes.corners, n, ox, oy, oz, dx, dy, dz)
                if t <= start or t >= stop:
                    continue
                k = meshes.texture[n]
                if own and textures.alpha[k] == CUT_OUT:
                    s = meshes.uvs[n, 0] + u * meshes.uvs[n, 2] + v * meshes.uvs[n, 4]
                    r = meshes.uvs[n, 1] + u * meshes.uvs[n, 3] + v * meshes.uvs[n, 5]
                    if not solid(textures, k, s, r):
                        continue
                stop, found, hit_u, hit_v = t, n, u, v
                if first:
                    return stop, found, hit_u, hit_v
        while True:
            if depth == base:
                return stop, found, hit_u, hit_v
            depth -= 1
            if enters[depth] < stop:
                ref = nodes[depth]
                break


@jit
def walk(meshes, textures, scene, ox, oy, oz, dx, dy, dz, start, stop, first, nodes, enters):
    """Nearest hit (or any, with `first`) of the scene: (parameter, instance, triangle, u, v); instance -1 for none."""
    ix, iy, iz = inverse(dx), inverse(dy), inverse(dz)
    instance, triangle, hit_u, hit_v = -1, 0, 0.0, 0.0
    ref, depth = scene.root, 0
    while True:
        if ref >= 0:
            near = enter(scene.boxes, ref, 0, ox, oy, oz, ix, iy, iz, stop)
            far = enter(scene.boxes, ref, 1, ox, oy, oz, ix, iy, iz, stop)
            a, b = scene.refs[ref, 0], scene.refs[ref, 1]
            if far < near:
                near, far, a, b = far, near, b, a
            if near < MISS:
                if far < MISS:
                    nodes[depth], enters[depth] = b, far
                    depth += 1
                ref = a
                continue
        else:
            i = scene.order[~ref // LEAF]
            m = scene.instances[i]
            t, n, u, v = walk_mesh(
                meshes,
                textures,
                m[TEXTURE] < 0.0,
                int(m[ROOT]),
                m[0] * ox + m[1] * oy + m[2] * oz + m[OFFSET],
                m[3] * ox + m[4] * oy + m[5] * oz + m[OFFSET + 1],
                m[6] * ox + m[7] * oy + m[8] * oz + m[OFFSET + 2],
                m[0] * dx + m[1] * dy + m[2] * dz,
                m[3] * dx + m[4] * dy + m[5] * dz,
                m[6] * dx + m[7] * dy + m[8] * dz,
                start,
                stop,
                first,
                depth,
                nodes,
                enters,
            )
            if n >= 0:
                stop, instance, triangle, hit_u, hit_v = t, i, n, u, v
                if first:
                    return stop, instance, triangle, hit_u, hit_v
        while True:
            if depth == 0:
                return stop, instance, triangle, hit_u, hit_v
            depth -= 1
            if enters[depth] < stop:
                ref = nodes[depth]
                break


@jit
def sky(textures, env, dx, dy, dz, pixel, out):
    """Linear colour of the surroundings in a direction."""
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    k = int(env[SKY_TEXTURE])
    if k >= 0:
        u = math.atan2(dy, dx) / (2.0 * math.pi) + env[SKY_TURN]
        v = math.acos(min(max(dz / length, -1.0), 1.0)) / math.pi
        height = textures.levels[k, 0, 1]
        colour(textures, k, u, min(max(v, 0.5 / height), 1.0 - 0.5 / height), pixel * height / math.pi, out)
        for i in range(3):
            out[i] *= env[SKY_GAIN]
        return
    w = dz / length
    end = ZENITH if w > 0.0 else NADIR
    w = math.sqrt(abs(w))
    for i in range(3):
        out[i] = env[HORIZON + i] + w * (env[end + i] - env[HORIZON + i])


@jit
def lit(meshes, textures, scene, x, y, z, lx, ly, lz, reach, nodes, enters):
    """Whether light comes from there: the offset to the light is lx, ly, lz, or its direction with infinite reach."""
    _, found, _, _, _ = walk(meshes, textures, scene, x, y, z, lx, ly, lz, START, reach, True, nodes, enters)
    return found < 0


@jit
def shade(meshes, textures, scene, i, n, u, v, t, x, y, z, dx, dy, dz, pixel, nodes, enters, out):
    """Linear colour of triangle n of instance i, hit at parameter t of the ray through x, y, z along d."""
    m, env = scene.instances[i], scene.environment
    ax, ay, az = meshes.corners[n, 3], meshes.corners[n, 4], meshes.corners[n, 5]
    bx, by, bz = meshes.corners[n, 6], meshes.corners[n, 7], meshes.corners[n, 8]
    px, py, pz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    nx = m[0] * px + m[3] * py + m[6] * pz
    ny = m[1] * px + m[4] * py + m[7] * pz
    nz = m[2] * px + m[5] * py + m[8] * pz
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    facing = nx * dx + ny * dy + nz * dz
    scale = math.copysign(1.0 / max(math.sqrt(nx * nx + ny * ny + nz * nz), 1e-20), -facing)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    slant = max(abs(facing * scale) / length, 0.15)
    own = int(m[TEXTURE])
    k = meshes.texture[n] if own < 0 else own
    s = (meshes.uvs[n, 0] + u * meshes.uvs[n, 2] + v * meshes.uvs[n, 4]) * m[REPEAT] + m[SHIFT]
    r = (meshes.uvs[n, 1] + u * meshes.uvs[n, 3] + v * meshes.uvs[n, 5]) * m[REPEAT + 1] + m[SHIFT + 1]
    density = meshes.density[n] * math.sqrt(abs(m[REPEAT] * m[REPEAT + 1]))
    density *= math.sqrt(float(textures.levels[k, 0, 1] * textures.levels[k, 0, 2])) / m[SIZE]
    colour(textures, k, s, r, pixel * t * length * density / math.sqrt(slant), out)
    up = 0.5 + 0.5 * nz
    for c in range(3):
        out[c] *= m[TINT + c]
        out[3 + c] = env[AMBIENT_DOWN + c] + up * (env[AMBIENT_UP + c] - env[AMBIENT_DOWN + c])
    off = SHADOW_START * min(t * length, 1.0)
    x, y, z = x + off * nx, y + off * ny, z + off * nz
    # Leaves let light through: what shines on the back of a cut-out counts half.
    back = -0.5 if own < 0 and textures.alpha[k] == CUT_OUT else 0.0
    cosine = nx * env[SUN] + ny * env[SUN + 1] + nz * env[SUN + 2]
    cosine = max(cosine, back * cosine)
    brightest = max(env[SUN_COLOUR], max(env[SUN_COLOUR + 1], env[SUN_COLOUR + 2]))
    if cosine * brightest > 0.0 and lit(
        meshes, textures, scene, x, y, z, env[SUN], env[SUN + 1], env[SUN + 2], 1e9, nodes, enters
    ):
        for c in range(3):
            out[3 + c] += cosine * env[SUN_COLOUR + c]
    lx, ly, lz = env[LAMP] - x, env[LAMP + 1] - y, env[LAMP + 2] - z
    square = lx * lx + ly * ly + lz * lz
    cosine = (nx * lx + ny * ly + nz * lz) / math.sqrt(square)
    cosine = max(cosine, back * cosine)
    brightest = max(env[LAMP_COLOUR], max(env[LAMP_COLOUR + 1], env[LAMP_COLOUR + 2]))
    if cosine * brightest > 0.0 and lit(meshes, textures, scene, x, y, z, lx, ly, lz, 1.0, nodes, enters):
        for c in range(3):
            out[3 + c] += cosine * env[LAMP_COLOUR + c] / (1.0 + env[FALLOFF] * square)
    for c in range(3):
        out[c] *= out[3 + c]


@jit
def trace(meshes, textures, scene, c2w, u, v, pixel, nodes, enters, out):
    """Linear colour of the ray through image plane point (u, v); its z-depth, 0 for the surroundings."""
    dx = c2w[0, 0] * u + c2w[0, 1] * v + c2w[0, 2]
    dy = c2w[1, 0] * u + c2w[1, 1] * v + c2w[1, 2]
    dz = c2w[2, 0] * u + c2w[2, 1] * v + c2w[2, 2]
    ox, oy, oz = c2w[0, 3], c2w[1, 3], c2w[2, 3]
    t, i, n, a, b = walk(meshes, textures, scene, ox, oy, oz, dx, dy, dz, START, MISS, False, nodes, enters)
    if i < 0:
        sky(textures, scene.environment, dx, dy, dz, pixel, out)
        return 0.0
    x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
    shade(meshes, textures, scene, i, n, a, b, t, x, y, z, dx, dy, dz, pixel, nodes, enters, out)
    return t


@jit
def seen(value, exposure):
    """Linear light as a camera shows it, in [0, 1]: gamma two, highlights clipped."""
    return math.sqrt(min(max(value * exposure, 0.0), 1.0))


@jit
def contrast(rgb, y, x, j, i):
    red, green, blue = rgb[0, y, x] - rgb[0, j, i], rgb[1, y, x] - rgb[1, j, i], rgb[2, y, x] - rgb[2, j, i]
    return max(abs(red), max(abs(green), abs(blue))) > EDGE_CONTRAST


@jit
def mark_edges(rgb, edges):
    height, width = edges.shape
    edges[:] = False
    for y in range(height):
        for x in range(width):
            if x + 1 < width and contrast(rgb, y, x, y, x + 1):
                edges[y, x] = edges[y, x + 1] = True
            if y + 1 < height and contrast(rgb, y, x, y + 1, x):
                edges[y, x] = edges[y + 1, x] = True


@jit
def trace_view(meshes, textures, scene, c2w, intrinsics, antialias, rgb, depth, edges, nodes, enters, out):
    """One view: rgb [3 height width], depth [height width] (z-depth at the pixel's centre, 0 for the surroundings).

    With `antialias`, pixels that differ from a neighbour are the mean of the light of four rays.
    """
    height, width = depth.shape
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    pixel = 1.0 / math.sqrt(fx * fy)
    exposure = scene.environment[EXPOSURE]
    for y in range(height):
        for x in range(width):
            u, v = (x + 0.5 - cx) / fx, (y + 0.5 - cy) / fy
            depth[y, x] = trace(meshes, textures, scene, c2w, u, v, pixel, nodes, enters, out)
            for channel in range(3):
                rgb[channel, y, x] = seen(out[channel], exposure)
    if not antialias:
        return
    mark_edges(rgb, edges)
    for y in range(height):
        for x in range(width):
            if not edges[y, x]:
                continue
            for channel in range(3):
                out[6 + channel] = rgb[channel, y, x] ** 2
            for sample in range(3):
                u = (x + 0.5 + SAMPLES[sample][0] - cx) / fx
                v = (y + 0.5 + SAMPLES[sample][1] - cy) / fy
                trace(meshes, textures, scene, c2w, u, v, pixel, nodes, enters, out)
                for channel in range(3):
                    out[6 + channel] += min(out[channel] * exposure, 1.0)
            for channel in range(3):
                rgb[channel, y, x] = math.sqrt(0.25 * out[6 + channel])


@entry
def trace_views(first, stop, meshes, textures, scene, c2w, intrinsics, antialias, rgb, depth):
    """Views first..stop of a scene: c2w [view 4 4], intrinsics [view 3 3] -> rgb [view 3 h w], depth [view h w]."""
    edges = np.empty(depth.shape[1:], np.bool_)
    nodes, enters, out = np.empty(STACK, np.int32), np.empty(STACK), np.empty(9)
    for k in range(first, stop):
        trace_view(
            meshes, textures, scene, c2w[k], intrinsics[k], antialias, rgb[k], depth[k], edges, nodes, enters, out
        )
