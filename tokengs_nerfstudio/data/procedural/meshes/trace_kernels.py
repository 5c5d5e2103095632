"""Ray tracing of textured meshes: numba kernels for CPU, one ray at a time.

The same formulas in plain numpy, as the readable reference: tests/made/mesh_reference.py. Rays run with z-component
one through the camera frame, so the ray parameter of a primary ray is its z-depth.
"""

import math

import numpy as np

from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.bvh_kernels import entry, jit
from tokengs_nerfstudio.data.procedural.meshes.walk_kernels import MISS, START, lit, walk

TINT, TEXTURE, REPEAT, SHIFT, VOLUME = at.TINT, at.TEXTURE, at.REPEAT, at.SHIFT, at.VOLUME
SUN, SUN_COLOUR, LAMP, LAMP_COLOUR, FALLOFF = at.SUN, at.SUN_COLOUR, at.LAMP, at.LAMP_COLOUR, at.FALLOFF
AMBIENT_UP, AMBIENT_DOWN, EXPOSURE = at.AMBIENT_UP, at.AMBIENT_DOWN, at.EXPOSURE
SKY_TEXTURE, SKY_TURN, SKY_GAIN = at.SKY_TEXTURE, at.SKY_TURN, at.SKY_GAIN
HORIZON, ZENITH, NADIR = at.HORIZON, at.ZENITH, at.NADIR
LEVELS, STACK, CUT_OUT = at.LEVELS, at.STACK, at.CUT_OUT
SHADOW_START = 2e-3
GRAZING = 0.15
"""Least cosine that counts for what a pixel covers: beyond, textures would be all blur."""
EDGE_CONTRAST, TEXTURE_CONTRAST = 0.2, 0.4
"""Least difference of neighbours that takes more rays: between surfaces or light and shadow; within one, for mip levels
leave little to be done there."""
THROUGH = 0.5
"""Leaves let light through: what shines on the back of a cut-out counts that much."""


@jit
def colour(textures, k, u, v, pixels, out):
    """Linear colour where a screen pixel covers an area of that many texture pixels: bilinear in the nearest level."""
    level = min(int(max(0.5 * math.log2(max(pixels, 1e-6)) + 0.5, 0.0)), LEVELS - 1)
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
def sky(textures, env, dx, dy, dz, pixel, out):
    """Linear colour of the surroundings in a direction."""
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    k = int(env[SKY_TEXTURE])
    if k >= 0:
        u = env[SKY_TURN] - math.atan2(dy, dx) / (2.0 * math.pi)  # to the right in the picture is clockwise from above
        v = math.acos(min(max(dz / length, -1.0), 1.0)) / math.pi
        height = textures.levels[k, 0, 1]
        colour(textures, k, u, min(max(v, 0.5 / height), 1.0 - 0.5 / height), (pixel * height / math.pi) ** 2, out)
        for i in range(3):
            out[i] *= env[SKY_GAIN]
        return
    w = dz / length
    end = ZENITH if w > 0.0 else NADIR
    w = math.sqrt(abs(w))
    for i in range(3):
        out[i] = env[HORIZON + i] + w * (env[end + i] - env[HORIZON + i])


@jit
def surface(meshes, textures, m, n, u, v, away, pixel, px, py, pz, out):
    """Linear colour of a point of triangle n of instance m in front of a pixel that is `away` (squared distance).

    px, py, pz: the triangle's normal in its own frame, as long as its parallelogram is large; `pixel`: squared angle of
    a pixel, over the cosine at which it is seen.
    """
    own = int(m[TEXTURE])
    k = meshes.texture[n] if own < 0 else own
    s = (meshes.uvs[n, 0] + u * meshes.uvs[n, 2] + v * meshes.uvs[n, 4]) * m[REPEAT] + m[SHIFT]
    r = (meshes.uvs[n, 1] + u * meshes.uvs[n, 3] + v * meshes.uvs[n, 5]) * m[REPEAT + 1] + m[SHIFT + 1]
    texels = meshes.cover[n] * abs(m[REPEAT] * m[REPEAT + 1]) * textures.levels[k, 0, 1] * textures.levels[k, 0, 2]
    # Areas grow with the volume, and with the world's normal (px, py, pz) against the mesh's.
    area = max(m[VOLUME] * math.sqrt(px * px + py * py + pz * pz), 1e-30)
    colour(textures, k, s, r, pixel * away * texels / area, out)
    for c in range(3):
        out[c] *= m[TINT + c]
    return THROUGH if own < 0 and textures.alpha[k] == CUT_OUT else 0.0


@jit
def shade(meshes, textures, scene, i, n, u, v, t, x, y, z, dx, dy, dz, pixel, nodes, enters, out):
    """Linear colour of triangle n of instance i, hit at parameter t of a ray along d, in x, y, z.

    What it returns differs between the sides of any border: instance, triangle, which light comes there.
    """
    m, env = scene.instances[i], scene.environment
    ax, ay, az = meshes.corners[n, 3], meshes.corners[n, 4], meshes.corners[n, 5]
    bx, by, bz = meshes.corners[n, 6], meshes.corners[n, 7], meshes.corners[n, 8]
    px, py, pz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    nx = m[0] * px + m[3] * py + m[6] * pz
    ny = m[1] * px + m[4] * py + m[7] * pz
    nz = m[2] * px + m[5] * py + m[8] * pz
    square = dx * dx + dy * dy + dz * dz
    facing = nx * dx + ny * dy + nz * dz
    scale = math.copysign(1.0 / max(math.sqrt(nx * nx + ny * ny + nz * nz), 1e-20), -facing)
    slant = max(abs(facing * scale) / math.sqrt(square), GRAZING)
    through = surface(meshes, textures, m, n, u, v, t * t * square, pixel * pixel / slant, nx, ny, nz, out)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    up = 0.5 + 0.5 * nz
    for c in range(3):
        out[3 + c] = env[AMBIENT_DOWN + c] + up * (env[AMBIENT_UP + c] - env[AMBIENT_DOWN + c])
    off = SHADOW_START * min(t * math.sqrt(square), 1.0)
    sun = light(meshes, textures, scene, SUN_COLOUR, nx, ny, nz, through, x, y, z, off, nodes, enters, out)
    lamp = light(meshes, textures, scene, LAMP_COLOUR, nx, ny, nz, through, x, y, z, off, nodes, enters, out)
    for c in range(3):
        out[c] *= out[3 + c]
    return ((np.int64(i) << 32) + n) * 4 + 2 * sun + lamp


@jit
def light(meshes, textures, scene, source, nx, ny, nz, through, x, y, z, off, nodes, enters, out):
    """Add what the sun or the lamp gives to a point with that normal; 1, or 0 where something stands in between.

    Shadow rays start `off` the surface, on the side that the light comes from.
    """
    env = scene.environment
    brightest = max(env[source], max(env[source + 1], env[source + 2]))
    if brightest <= 0.0:
        return 0
    if source == SUN_COLOUR:
        lx, ly, lz, reach, strength = env[SUN], env[SUN + 1], env[SUN + 2], 1e9, 1.0
    else:
        lx, ly, lz, reach = env[LAMP] - x, env[LAMP + 1] - y, env[LAMP + 2] - z, 0.999
        square = lx * lx + ly * ly + lz * lz
        strength = 1.0 / (math.sqrt(square) * (1.0 + env[FALLOFF] * square))
    cosine = nx * lx + ny * ly + nz * lz
    strength *= max(cosine, -through * cosine)
    off = math.copysign(off, cosine)
    x, y, z = x + off * nx, y + off * ny, z + off * nz
    if strength <= 0.0 or not lit(meshes, textures, scene, x, y, z, lx, ly, lz, reach, nodes, enters):
        return 0
    for c in range(3):
        out[3 + c] += strength * env[source + c]
    return 1


@jit
def trace(meshes, textures, scene, c2w, u, v, pixel, nodes, enters, out):
    """Linear colour of the ray through image plane point (u, v); z-depth, 0 for the surroundings; surface."""
    dx = c2w[0, 0] * u + c2w[0, 1] * v + c2w[0, 2]
    dy = c2w[1, 0] * u + c2w[1, 1] * v + c2w[1, 2]
    dz = c2w[2, 0] * u + c2w[2, 1] * v + c2w[2, 2]
    ox, oy, oz = c2w[0, 3], c2w[1, 3], c2w[2, 3]
    t, i, n, a, b = walk(meshes, textures, scene, ox, oy, oz, dx, dy, dz, START, MISS, False, nodes, enters)
    if i < 0:
        sky(textures, scene.environment, dx, dy, dz, pixel, out)
        return 0.0, np.int64(-1)
    x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
    return t, shade(meshes, textures, scene, i, n, a, b, t, x, y, z, dx, dy, dz, pixel, nodes, enters, out)


@jit
def seen(value, exposure):
    """Linear light as a camera shows it, in [0, 1]: gamma two, highlights clipped."""
    return math.sqrt(min(max(value * exposure, 0.0), 1.0))


@jit
def differ(rgb, surfaces, y, x, j, i):
    """Whether there is a border between two pixels."""
    red, green, blue = rgb[0, y, x] - rgb[0, j, i], rgb[1, y, x] - rgb[1, j, i], rgb[2, y, x] - rgb[2, j, i]
    limit = TEXTURE_CONTRAST if surfaces[y, x] == surfaces[j, i] else EDGE_CONTRAST
    return max(abs(red), max(abs(green), abs(blue))) > limit


@jit
def mark_edges(rgb, surfaces, edges):
    height, width = edges.shape
    edges[:] = False
    for y in range(height):
        for x in range(width):
            if x + 1 < width and differ(rgb, surfaces, y, x, y, x + 1):
                edges[y, x] = edges[y, x + 1] = True
            if y + 1 < height and differ(rgb, surfaces, y, x, y + 1, x):
                edges[y, x] = edges[y + 1, x] = True


@jit
def trace_centres(meshes, textures, scene, c2w, intrinsics, rgb, depth, surfaces, nodes, enters, out):
    """What the middles of pixels show."""
    height, width = depth.shape
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    pixel, exposure = 1.0 / math.sqrt(fx * fy), scene.environment[EXPOSURE]
    for y in range(height):
        for x in range(width):
            u, v = (x + 0.5 - cx) / fx, (y + 0.5 - cy) / fy
            depth[y, x], surfaces[y, x] = trace(meshes, textures, scene, c2w, u, v, pixel, nodes, enters, out)
            for c in range(3):
                rgb[c, y, x] = seen(out[c], exposure)


@jit
def soften(meshes, textures, scene, c2w, intrinsics, rgb, edges, corners, known, nodes, enters, out):
    """Give pixels at borders an eighth of the light at each of their corners, which neighbours share."""
    height, width = edges.shape
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    pixel, exposure = 1.0 / math.sqrt(fx * fy), scene.environment[EXPOSURE]
    known[:] = False
    for y in range(height):
        for x in range(width):
            if not edges[y, x]:
                continue
            for c in range(3):
                out[6 + c] = 0.5 * rgb[c, y, x] ** 2
            for corner in range(4):
                j, i = y + corner // 2, x + corner % 2
                if not known[j, i]:
                    known[j, i] = True
                    trace(meshes, textures, scene, c2w, (i - cx) / fx, (j - cy) / fy, pixel, nodes, enters, out)
                    for c in range(3):
                        corners[c, j, i] = min(out[c] * exposure, 1.0)
                for c in range(3):
                    out[6 + c] += 0.125 * corners[c, j, i]
            for c in range(3):
                rgb[c, y, x] = math.sqrt(out[6 + c])


@entry
def trace_views(first, stop, meshes, textures, scene, c2w, intrinsics, antialias, rgb, depth):
    """Views first..stop of a scene: c2w [view 4 4], intrinsics [view 3 3] -> rgb [view 3 h w], depth [view h w].

    Depths are z-depths at the pixels' centres, 0 for the surroundings. With `antialias`, pixels that differ from a
    neighbour are half what their centre shows and half what their corners do, in light.
    """
    height, width = depth.shape[1:]
    edges, surfaces = np.empty((height, width), np.bool_), np.empty((height, width), np.int64)
    corners, known = np.empty((3, height + 1, width + 1)), np.empty((height + 1, width + 1), np.bool_)
    nodes, enters, out = np.empty(STACK, np.int32), np.empty(STACK), np.empty(9)
    for k in range(first, stop):
        view = meshes, textures, scene, c2w[k], intrinsics[k], rgb[k]
        trace_centres(*view, depth[k], surfaces, nodes, enters, out)
        if antialias:
            mark_edges(rgb[k], surfaces, edges)
            soften(*view, edges, corners, known, nodes, enters, out)
