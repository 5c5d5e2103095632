"""How what the pixels show moves: a numba kernel for CPU beside those that trace pictures.

The same in plain numpy, from triangles and their corners at both times: tests/made/moving_reference.py.
"""

import numpy as np

from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.bvh_kernels import entry
from tokengs_nerfstudio.data.procedural.meshes.walk_kernels import MISS, START, walk

STACK = at.STACK


@entry
def trace_flow(first, stop, meshes, textures, scene, changes, moves, c2w, intrinsics, displacement, moving):
    """Views first..stop of a scene at one time -> displacement [view 3 h w] in the world, moving [view h w].

    `changes` [P 3 4] is what is added to a point of each instance, `moves` [P] which of them ever move. At the pixels'
    centres; zero and false for the surroundings.
    """
    height, width = moving.shape[1:]
    nodes, enters = np.empty(STACK, np.int32), np.empty(STACK)
    for k in range(first, stop):
        pose = c2w[k]
        fx, fy, cx, cy = intrinsics[k, 0, 0], intrinsics[k, 1, 1], intrinsics[k, 0, 2], intrinsics[k, 1, 2]
        ox, oy, oz = pose[0, 3], pose[1, 3], pose[2, 3]
        for y in range(height):
            for x in range(width):
                u, v = (x + 0.5 - cx) / fx, (y + 0.5 - cy) / fy
                dx = pose[0, 0] * u + pose[0, 1] * v + pose[0, 2]
                dy = pose[1, 0] * u + pose[1, 1] * v + pose[1, 2]
                dz = pose[2, 0] * u + pose[2, 1] * v + pose[2, 2]
                t, i, _, _, _ = walk(meshes, textures, scene, ox, oy, oz, dx, dy, dz, START, MISS, False, nodes, enters)
                moving[k, y, x] = i >= 0 and moves[i]
                for c in range(3):
                    displacement[k, c, y, x] = 0.0
                    if moving[k, y, x]:
                        m = changes[i, c]
                        along = m[0] * (ox + t * dx) + m[1] * (oy + t * dy) + m[2] * (oz + t * dz)
                        displacement[k, c, y, x] = along + m[3]
