"""Rays on their way through scenes of textured meshes: numba kernels, in float64 over float32 meshes.

A ray is an origin and a direction of any length; its parameter holds in every frame.
"""

import math

import numpy as np

from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.bvh_kernels import LEAF, enter, inverse, jit

OFFSET, TEXTURE, ROOT, CUT_OUT = at.OFFSET, at.TEXTURE, at.ROOT, at.CUT_OUT
MISS = np.inf
START = 1e-4


@jit
def solid(textures, k, u, v):
    """Whether a cut-out texture holds light back there."""
    height, width = textures.levels[k, 0, 1], textures.levels[k, 0, 2]
    row = min(int((v - math.floor(v)) * height), height - 1)
    column = min(int((u - math.floor(u)) * width), width - 1)
    return textures.texels[textures.levels[k, 0, 0] + row * width + column, 3] >= 128


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
    ax, ay, az = ox * ix, oy * iy, oz * iz
    found, hit_u, hit_v = -1, 0.0, 0.0
    depth = base
    while True:
        if ref >= 0:
            near = enter(meshes.boxes, ref, 0, ax, ay, az, ix, iy, iz, stop)
            far = enter(meshes.boxes, ref, 1, ax, ay, az, ix, iy, iz, stop)
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
def walk_instance(meshes, textures, m, ox, oy, oz, dx, dy, dz, start, stop, first, base, nodes, enters):
    """As `walk_mesh`, for an instance m and a ray of the world."""
    return walk_mesh(
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
        base,
        nodes,
        enters,
    )


@jit
def walk(meshes, textures, scene, ox, oy, oz, dx, dy, dz, start, stop, first, nodes, enters):
    """Nearest hit (or any, with `first`) of the scene: (parameter, instance, triangle, u, v); instance -1 for none."""
    ix, iy, iz = inverse(dx), inverse(dy), inverse(dz)
    ax, ay, az = ox * ix, oy * iy, oz * iz
    instance, triangle, hit_u, hit_v = -1, 0, 0.0, 0.0
    ref, depth = scene.root, 0
    while True:
        if ref >= 0:
            near = enter(scene.boxes, ref, 0, ax, ay, az, ix, iy, iz, stop)
            far = enter(scene.boxes, ref, 1, ax, ay, az, ix, iy, iz, stop)
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
            t, n, u, v = walk_instance(
                meshes, textures, scene.instances[i], ox, oy, oz, dx, dy, dz, start, stop, first, depth, nodes, enters
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
def lit(meshes, textures, scene, x, y, z, lx, ly, lz, reach, nodes, enters):
    """Whether light comes from there: the offset to the light is lx, ly, lz, or its direction with a large reach."""
    _, i, _, _, _ = walk(meshes, textures, scene, x, y, z, lx, ly, lz, START, reach, True, nodes, enters)
    return i < 0
