"""What the numba kernels of the CPU renderer share: gsplat 1.4's numbers in float32, shapes, options.

Every entry point takes `(task, tasks, ...)` and does the share `task` of the work, without the GIL; `numba_backend`
spreads the tasks over threads. Work comes in units of fixed size (a run of Gaussians, a view, a tile) and no two units
write to the same place, so results are the same bit by bit for any number of threads.
"""

import numpy as np

from tokengs_nerfstudio.core.compiled import njit

F = np.float32
U = np.uint64

ZERO, HALF, ONE, TWO = F(0), F(0.5), F(1), F(2)
ALPHA_MAX = F(0.999)
ALPHA_MIN = F(1) / F(255)

TILE = 16  # pixels; a splat reaches whole tiles, so the picture depends on this number
UNIT = 512  # Gaussians in one unit of work
RECORD = 10  # mean x, mean y, conic a, b, c, opacity, red, green, blue, depth
CAMERA = 20  # rows of [rotation | translation], fx, fy, cx, cy, limits left, right, top, bottom
POSE = 12

# Fused multiply-add is the only liberty: full fastmath would fold the rounding trick of `exp2` away.
compiled = njit(fastmath={"contract"})
inlined = njit(fastmath={"contract"}, forceinline=True)


@inlined
def tiles_of(boxes, b, v, n):
    """First and past-the-last tile along x and y."""
    x0, x1, y0, y1 = boxes[b, v, n, 0], boxes[b, v, n, 1], boxes[b, v, n, 2], boxes[b, v, n, 3]
    return x0 // TILE, (x1 - 1) // TILE + 1, y0 // TILE, (y1 - 1) // TILE + 1
