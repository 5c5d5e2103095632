"""Gaussians into cameras: the numba kernels of the CPU renderer's first step.

`antialiased` is True or None, which are two types: numba compiles each kernel for either one, and the classic kernels
are as fast and round as if the other mode did not exist.
"""

import math

import numpy as np

from tokengs_nerfstudio.core.rendering.algebra_kernels import rotation_matrix, scaled_columns, times, unit_quaternion
from tokengs_nerfstudio.core.rendering.raster_kernels import (
    ALPHA_MIN,
    HALF,
    ONE,
    TILE,
    TWO,
    UNIT,
    ZERO,
    F,
    compiled,
    inlined,
    tiles_of,
)

BLUR = F(0.3)  # added to the diagonal of every projected covariance, pixels squared
LARGEST_RADIUS = F(2147483520.0)  # the largest float32 that fits an int32


@inlined
def camera_rotation(cameras, b, v):
    return (
        cameras[b, v, 0], cameras[b, v, 1], cameras[b, v, 2],
        cameras[b, v, 4], cameras[b, v, 5], cameras[b, v, 6],
        cameras[b, v, 8], cameras[b, v, 9], cameras[b, v, 10],
    )  # fmt: skip


@inlined
def in_camera(cameras, b, v, px, py, pz):
    return (
        cameras[b, v, 0] * px + cameras[b, v, 1] * py + cameras[b, v, 2] * pz + cameras[b, v, 3],
        cameras[b, v, 4] * px + cameras[b, v, 5] * py + cameras[b, v, 6] * pz + cameras[b, v, 7],
        cameras[b, v, 8] * px + cameras[b, v, 9] * py + cameras[b, v, 10] * pz + cameras[b, v, 11],
    )


@inlined
def _clamp(value, low, high):
    value = value if value > low else low
    return value if value < high else high


@inlined
def projection_jacobian(cameras, b, v, x, y, z):
    """d(pixel)/d(camera point) = [[j0, 0, j1], [0, j2, j3]], and the point's x, y clamped to just outside the image."""
    fx, fy = cameras[b, v, 12], cameras[b, v, 13]
    inverse = ONE / z
    tx = z * _clamp(x * inverse, cameras[b, v, 16], cameras[b, v, 17])
    ty = z * _clamp(y * inverse, cameras[b, v, 18], cameras[b, v, 19])
    squared = inverse * inverse
    return fx * inverse, -fx * tx * squared, fy * inverse, -fy * ty * squared, tx, ty


@inlined
def flattened_spread(rotation, spread, j0, j1, j2, j3):
    """J R M for M = spread, two rows of three: its product with its own transpose is the projected covariance.

    Better conditioned than projecting M M^T.
    """
    r = rotation
    a = (
        j0 * r[0] + j1 * r[6], j0 * r[1] + j1 * r[7], j0 * r[2] + j1 * r[8],
        j2 * r[3] + j3 * r[6], j2 * r[4] + j3 * r[7], j2 * r[5] + j3 * r[8],
        ZERO, ZERO, ZERO,
    )  # fmt: skip
    return times(a, spread)


@inlined
def projected_covariance(rotation, spread, j0, j1, j2, j3):
    """Entries 00, 01 and 11 of the projected covariance, in square pixels, before the blur."""
    p = flattened_spread(rotation, spread, j0, j1, j2, j3)
    return (
        p[0] * p[0] + p[1] * p[1] + p[2] * p[2],
        p[0] * p[3] + p[1] * p[4] + p[2] * p[5],
        p[3] * p[3] + p[4] * p[4] + p[5] * p[5],
    )


@inlined
def determinant(p):
    """Of the projected covariance, as the squared length of the cross product of two rows: less cancels in it."""
    x, y, z = p[1] * p[5] - p[2] * p[4], p[2] * p[3] - p[0] * p[5], p[0] * p[4] - p[1] * p[3]
    return x * x + y * y + z * z


@inlined
def _compensation(flattened, c00, c11):
    """What an antialiased splat's opacity is multiplied by: sqrt(det before the blur / det after it)."""
    return ONE / math.sqrt(ONE + BLUR * (c00 + c11 + BLUR) / determinant(flattened))


@inlined
def _box(mx, my, radius, c00, c11, det, threshold, width, height):
    """Pixels x0 <= x < x1, y0 <= y < y1 that the splat may reach; x1 = 0 where there are none.

    gsplat's whole tiles around the square of `radius`, narrowed to the bounding box of {alpha >= 1/255}, which is
    sigma <= threshold. The narrowing is generous, so that the test of alpha alone decides.
    """
    reach = radius / F(TILE)
    across, down = F((width + TILE - 1) // TILE), F((height + TILE - 1) // TILE)
    x0 = np.int64(_clamp(np.floor(mx / F(TILE) - reach), ZERO, across)) * TILE
    x1 = min(np.int64(_clamp(np.ceil(mx / F(TILE) + reach), ZERO, across)) * TILE, width)
    y0 = np.int64(_clamp(np.floor(my / F(TILE) - reach), ZERO, down)) * TILE
    y1 = min(np.int64(_clamp(np.ceil(my / F(TILE) + reach), ZERO, down)) * TILE, height)
    cancellation = c00 * c11 / det  # what rounding in det and in sigma is multiplied by
    if cancellation < F(1e5) and threshold < F(80):
        generous = threshold + F(1e-3) + F(4e-6) * cancellation * (threshold + ONE)
        hx = math.sqrt(TWO * generous * c00) + F(0.01)
        hy = math.sqrt(TWO * generous * c11) + F(0.01)
        w, h = F(width), F(height)
        x0 = max(x0, np.int64(np.ceil(_clamp(mx - hx - HALF, ZERO, w))))
        x1 = min(x1, np.int64(np.floor(_clamp(mx + hx - HALF, -ONE, w))) + 1)
        y0 = max(y0, np.int64(np.ceil(_clamp(my - hy - HALF, ZERO, h))))
        y1 = min(y1, np.int64(np.floor(_clamp(my + hy - HALF, -ONE, h))) + 1)
    if x1 <= x0 or y1 <= y0:
        return 0, 0, 0, 0
    return x0, x1, y0, y1


@inlined
def _project_one(
    b, v, n, mean, spread, threshold, opacities, colors, cameras, size, planes, antialiased, records, boxes, radii
):  # fmt: skip
    """One Gaussian into one view; the number of tiles it reaches."""
    width, height = size
    radii[b, v, n] = 0
    boxes[b, v, n, 1] = 0
    x, y, z = in_camera(cameras, b, v, mean[0], mean[1], mean[2])
    if z < planes[0] or z > planes[1]:  # a point on a plane is kept
        return 0
    j0, j1, j2, j3, _, _ = projection_jacobian(cameras, b, v, x, y, z)
    c00, c01, c11 = projected_covariance(camera_rotation(cameras, b, v), spread, j0, j1, j2, j3)
    opacity = opacities[b, n]
    if antialiased is not None:
        flattened = flattened_spread(camera_rotation(cameras, b, v), spread, j0, j1, j2, j3)
        opacity *= _compensation(flattened, c00, c11)
        threshold = math.log(F(255) * opacity)
    c00 += BLUR
    c11 += BLUR
    det = c00 * c11 - c01 * c01
    if not (det > ZERO):  # NaN ends here
        return 0
    middle = HALF * (c00 + c11)
    radius = np.ceil(F(3) * math.sqrt(middle + math.sqrt(max(middle * middle - det, F(0.01)))))
    inverse_z = ONE / z
    mx = cameras[b, v, 12] * x * inverse_z + cameras[b, v, 14]
    my = cameras[b, v, 13] * y * inverse_z + cameras[b, v, 15]
    if not (mx + radius > ZERO and mx - radius < F(width) and my + radius > ZERO and my - radius < F(height)):
        return 0
    radii[b, v, n] = np.int32(min(radius, LARGEST_RADIUS))
    inverse = ONE / det
    records[b, v, n, 0], records[b, v, n, 1] = mx, my
    records[b, v, n, 2], records[b, v, n, 3], records[b, v, n, 4] = c11 * inverse, -c01 * inverse, c00 * inverse
    records[b, v, n, 5] = opacity
    records[b, v, n, 6], records[b, v, n, 7], records[b, v, n, 8] = colors[b, n, 0], colors[b, n, 1], colors[b, n, 2]
    records[b, v, n, 9] = z
    if opacity < ALPHA_MIN:  # a NaN opacity goes on and is drawn as 0.999, as on CUDA
        return 0
    x0, x1, y0, y1 = _box(mx, my, radius, c00, c11, det, threshold, width, height)
    if x1 == 0:
        return 0
    boxes[b, v, n, 0], boxes[b, v, n, 1], boxes[b, v, n, 2], boxes[b, v, n, 3] = x0, x1, y0, y1
    tx0, tx1, ty0, ty1 = tiles_of(boxes, b, v, n)
    return (tx1 - tx0) * (ty1 - ty0)


@compiled
def project(
    task, tasks, means, quats, scales, opacities, colors, cameras, size, planes, antialiased,
    records, boxes, radii, counts,
):  # fmt: skip
    """Gaussians [scene gaussian ...] into cameras [scene view CAMERA], with their opacity as it is or `antialiased`.

    Fills records [scene view gaussian RECORD], boxes [scene view gaussian 4], radii [scene view gaussian] and
    counts [unit view 2]: splats that reach a pixel, and (splat, tile) pairs.
    """
    scenes, gaussians = opacities.shape
    units = (gaussians + UNIT - 1) // UNIT
    for unit in range(task, scenes * units, tasks):
        b = unit // units
        first = unit % units * UNIT
        for n in range(first, min(first + UNIT, gaussians)):
            mean = (means[b, n, 0], means[b, n, 1], means[b, n, 2])
            w, x, y, z, _ = unit_quaternion(quats, b, n)
            spread = scaled_columns(rotation_matrix(w, x, y, z), scales[b, n, 0], scales[b, n, 1], scales[b, n, 2])
            threshold = math.log(F(255) * opacities[b, n])
            for v in range(cameras.shape[1]):
                tiles = _project_one(
                    b, v, n, mean, spread, threshold, opacities, colors, cameras, size, planes, antialiased,
                    records, boxes, radii,
                )  # fmt: skip
                counts[unit, v, 0] += 1 if tiles > 0 else 0
                counts[unit, v, 1] += tiles
