"""Ray tracing of textured meshes on CUDA: a thread for each pixel or corner, around what traces on the CPU.

Both calculate in float64; what differs is which sums are fused.
"""

import math

import numpy as np

from tokengs_nerfstudio.core.compiled import cuda_kernel, cuda_target
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.trace_kernels import differ, seen, trace

cuda = cuda_target()
EXPOSURE, STACK = at.EXPOSURE, at.STACK


@cuda_kernel
def trace_centres(meshes, textures, scene, c2w, intrinsics, rgb, depth, surfaces):
    """What the middles of pixels show, and which surfaces: [view 3 h w], [view h w], [view h w]. All views share their
    intrinsics [3 3]."""
    x, y, k = cuda.grid(3)
    if k >= depth.shape[0] or y >= depth.shape[1] or x >= depth.shape[2]:
        return
    nodes, enters = cuda.local.array(STACK, np.int32), cuda.local.array(STACK, np.float64)
    out = cuda.local.array(6, np.float64)
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    u, v, pixel = (x + 0.5 - cx) / fx, (y + 0.5 - cy) / fy, 1.0 / math.sqrt(fx * fy)
    t, surface = trace(meshes, textures, scene, c2w[k], u, v, pixel, nodes, enters, out)
    depth[k, y, x], surfaces[k, y, x] = t, surface
    for c in range(3):
        rgb[k, c, y, x] = seen(out[c], scene.environment[EXPOSURE])


@cuda_kernel
def mark_edges(rgb, surfaces, edges):
    """The pixels between which and a neighbour there is a border: [view h w]."""
    x, y, k = cuda.grid(3)
    views, height, width = surfaces.shape
    if k >= views or y >= height or x >= width:
        return
    found = x > 0 and differ(rgb[k], surfaces[k], y, x, y, x - 1)
    found = found or (x + 1 < width and differ(rgb[k], surfaces[k], y, x, y, x + 1))
    found = found or (y > 0 and differ(rgb[k], surfaces[k], y, x, y - 1, x))
    edges[k, y, x] = found or (y + 1 < height and differ(rgb[k], surfaces[k], y, x, y + 1, x))


@cuda_kernel
def trace_corners(meshes, textures, scene, c2w, intrinsics, edges, corners):
    """The light at the corners of pixels at borders: [view 3 h+1 w+1]."""
    i, j, k = cuda.grid(3)
    views, height, width = edges.shape
    if k >= views or j > height or i > width:
        return
    wanted = False
    for y in range(max(j - 1, 0), min(j + 1, height)):
        for x in range(max(i - 1, 0), min(i + 1, width)):
            wanted = wanted or edges[k, y, x]
    if not wanted:
        return
    nodes, enters = cuda.local.array(STACK, np.int32), cuda.local.array(STACK, np.float64)
    out = cuda.local.array(6, np.float64)
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    pixel = 1.0 / math.sqrt(fx * fy)
    trace(meshes, textures, scene, c2w[k], (i - cx) / fx, (j - cy) / fy, pixel, nodes, enters, out)
    for c in range(3):
        corners[k, c, j, i] = min(out[c] * scene.environment[EXPOSURE], 1.0)


@cuda_kernel
def soften(edges, corners, rgb):
    """Give pixels at borders an eighth of the light at each of their corners."""
    x, y, k = cuda.grid(3)
    if k >= edges.shape[0] or y >= edges.shape[1] or x >= edges.shape[2] or not edges[k, y, x]:
        return
    for c in range(3):
        light = 0.5 * rgb[k, c, y, x] ** 2
        for corner in range(4):
            light += 0.125 * corners[k, c, y + corner // 2, x + corner % 2]
        rgb[k, c, y, x] = math.sqrt(light)
