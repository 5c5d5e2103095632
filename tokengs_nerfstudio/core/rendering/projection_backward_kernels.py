"""From the gradients of splats in pictures to those of Gaussians and poses: numba kernels for CPU."""

import numpy as np

from tokengs_nerfstudio.core.rendering.algebra_kernels import (
    plus,
    rotation_matrix,
    scaled_columns,
    times,
    transposed,
    unit_quaternion,
)
from tokengs_nerfstudio.core.rendering.projection_kernels import (
    camera_rotation,
    determinant,
    flattened_spread,
    in_camera,
    projected_covariance,
    projection_jacobian,
)
from tokengs_nerfstudio.core.rendering.raster_kernels import (
    HALF,
    ONE,
    RECORD,
    TWO,
    UNIT,
    ZERO,
    F,
    compiled,
    inlined,
    tiles_of,
)


@inlined
def _conic_gradient_to_covariance(a, b, c, v_a, v_b, v_c):
    """d(inverse): -Q G Q with G symmetric."""
    half = HALF * v_b
    e00, e01 = a * v_a + b * half, a * half + b * v_c
    e10, e11 = b * v_a + c * half, b * half + c * v_c
    return -(e00 * a + e01 * b), -(e00 * b + e01 * c), -(e10 * b + e11 * c)


@inlined
def _compensation_gradient_to_covariance(rotation, spread, j0, j1, j2, j3, a, b, c, v_opacity):
    """d(log compensation) = (inverse before the blur - inverse after it) / 2, by d(log det Q) = Q^-1.

    `v_opacity` is the gradient of the opacity times the opacity, which is that of either one's logarithm.
    """
    c00, c01, c11 = projected_covariance(rotation, spread, j0, j1, j2, j3)
    inverse = ONE / determinant(flattened_spread(rotation, spread, j0, j1, j2, j3))
    half = HALF * v_opacity
    return half * (c11 * inverse - a), -half * (c01 * inverse + b), half * (c00 * inverse - c)


@inlined
def _add_rows(pairs, first, count, sums):
    """The gradient rows of one splat in one view, summed over its tiles."""
    sums[:] = ZERO
    for row in range(first, first + count):
        for k in range(RECORD):
            sums[k] += pairs[row, k]


@inlined
def _point_gradient(cameras, b, v, x, y, z, tx, ty, vx, vy, v_depth, v_j):
    """From pixel position, depth and Jacobian to the point in the camera's frame."""
    fx, fy = cameras[b, v, 12], cameras[b, v, 13]
    inverse = ONE / z
    squared = inverse * inverse
    cubed = squared * inverse
    px = fx * inverse * vx
    py = fy * inverse * vy
    pz = v_depth - (fx * x * vx + fy * y * vy) * squared
    pz += TWO * (fx * tx * v_j[1] + fy * ty * v_j[3]) * cubed - (fx * v_j[0] + fy * v_j[2]) * squared
    u, w = x * inverse, y * inverse
    if u >= cameras[b, v, 16] and u <= cameras[b, v, 17]:
        px -= fx * squared * v_j[1]
    else:
        pz -= fx * cubed * tx * v_j[1]
    if w >= cameras[b, v, 18] and w <= cameras[b, v, 19]:
        py -= fy * squared * v_j[3]
    else:
        pz -= fy * cubed * ty * v_j[3]
    return px, py, pz


@inlined
def _spread_gradient(jacobian, turned, covariance_gradient):
    """From the projected covariance to the Jacobian's four entries and to B = rotation @ spread (`turned`)."""
    j0, j1, j2, j3 = jacobian
    m = turned
    v00, v01, v11 = covariance_gradient
    p0, p1, p2 = j0 * m[0] + j1 * m[6], j0 * m[1] + j1 * m[7], j0 * m[2] + j1 * m[8]
    p3, p4, p5 = j2 * m[3] + j3 * m[6], j2 * m[4] + j3 * m[7], j2 * m[5] + j3 * m[8]
    w0, w1, w2 = (TWO * (v00 * p0 + v01 * p3), TWO * (v00 * p1 + v01 * p4), TWO * (v00 * p2 + v01 * p5))
    w3, w4, w5 = (TWO * (v01 * p0 + v11 * p3), TWO * (v01 * p1 + v11 * p4), TWO * (v01 * p2 + v11 * p5))
    v_j = (
        w0 * m[0] + w1 * m[1] + w2 * m[2],
        w0 * m[6] + w1 * m[7] + w2 * m[8],
        w3 * m[3] + w4 * m[4] + w5 * m[5],
        w3 * m[6] + w4 * m[7] + w5 * m[8],
    )
    v_turned = (
        j0 * w0, j0 * w1, j0 * w2,
        j2 * w3, j2 * w4, j2 * w5,
        j1 * w0 + j3 * w3, j1 * w1 + j3 * w4, j1 * w2 + j3 * w5,
    )  # fmt: skip
    return v_j, v_turned


@inlined
def _add_pose_gradient(v_pose, unit, v, v_rotation, point, mean):
    for row in range(3):
        v_pose[unit, v, 4 * row + 3] += point[row]
        for column in range(3):
            v_pose[unit, v, 4 * row + column] += v_rotation[3 * row + column] + point[row] * mean[column]


@inlined
def _project_one_backward(unit, b, v, n, mean, spread, cameras, antialiased, records, sums, v_means2d, v_pose):
    """One splat of one view: gradients of mean and spread (world frame); the pose's are added where asked for."""
    a, c, d = records[b, v, n, 2], records[b, v, n, 3], records[b, v, n, 4]
    vx, vy = -(a * sums[1] + c * sums[2]), -(c * sums[1] + d * sums[2])
    if v_means2d.shape[0] > 0:
        v_means2d[b, v, n, 0], v_means2d[b, v, n, 1] = vx, vy
    rotation = camera_rotation(cameras, b, v)
    x, y, z = in_camera(cameras, b, v, mean[0], mean[1], mean[2])
    j0, j1, j2, j3, tx, ty = projection_jacobian(cameras, b, v, x, y, z)
    v_covariance = _conic_gradient_to_covariance(a, c, d, -HALF * sums[3], -sums[4], -HALF * sums[5])
    turned = times(rotation, spread)
    if antialiased is not None:
        more = _compensation_gradient_to_covariance(rotation, spread, j0, j1, j2, j3, a, c, d, sums[0])
        v_covariance = v_covariance[0] + more[0], v_covariance[1] + more[1], v_covariance[2] + more[2]
    v_j, v_turned = _spread_gradient((j0, j1, j2, j3), turned, v_covariance)
    px, py, pz = _point_gradient(cameras, b, v, x, y, z, tx, ty, vx, vy, sums[9], v_j)
    back = transposed(rotation)
    if v_pose.shape[0] > 0:
        _add_pose_gradient(v_pose, unit, v, times(v_turned, transposed(spread)), (px, py, pz), mean)
    v_mean = (
        back[0] * px + back[1] * py + back[2] * pz,
        back[3] * px + back[4] * py + back[5] * pz,
        back[6] * px + back[7] * py + back[8] * pz,
    )
    return v_mean, times(back, v_turned)


@inlined
def _write_quaternion_gradient(v_quats, b, n, w, x, y, z, inverse, g):
    """From the rotation matrix to the quaternion as given, before it was made unit."""
    vw = TWO * (x * (g[7] - g[5]) + y * (g[2] - g[6]) + z * (g[3] - g[1]))
    vx = TWO * (-TWO * x * (g[4] + g[8]) + y * (g[3] + g[1]) + z * (g[6] + g[2]) + w * (g[7] - g[5]))
    vy = TWO * (x * (g[3] + g[1]) - TWO * y * (g[0] + g[8]) + z * (g[7] + g[5]) + w * (g[2] - g[6]))
    vz = TWO * (x * (g[6] + g[2]) + y * (g[7] + g[5]) - TWO * z * (g[0] + g[4]) + w * (g[3] - g[1]))
    along = vw * w + vx * x + vy * y + vz * z
    v_quats[b, n, 0] = (vw - along * w) * inverse
    v_quats[b, n, 1] = (vx - along * x) * inverse
    v_quats[b, n, 2] = (vy - along * y) * inverse
    v_quats[b, n, 3] = (vz - along * z) * inverse


@compiled
def project_backward(
    task, tasks, means, quats, scales, opacities, cameras, antialiased, records, boxes, first_pair, pairs,
    v_means, v_quats, v_scales, v_opacities, v_colors, v_means2d, v_pose,
):  # fmt: skip
    """Gradient rows of the (splat, tile) pairs into gradients of the Gaussians, and of the poses where asked for.

    v_means2d [scene view gaussian 2] and v_pose [unit view POSE] come zeroed, or with no scene for "not wanted"; the
    other gradients may come uninitialised.
    """
    scenes, gaussians = opacities.shape
    units = (gaussians + UNIT - 1) // UNIT
    sums = np.empty(RECORD, F)
    for unit in range(task, scenes * units, tasks):
        b = unit // units
        first = unit % units * UNIT
        for n in range(first, min(first + UNIT, gaussians)):
            mean = (means[b, n, 0], means[b, n, 1], means[b, n, 2])
            w, x, y, z, inverse = unit_quaternion(quats, b, n)
            rotation = rotation_matrix(w, x, y, z)
            spread = scaled_columns(rotation, scales[b, n, 0], scales[b, n, 1], scales[b, n, 2])
            v_spread = (ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)
            v_opacities[b, n], v_quats[b, n, 3] = ZERO, ZERO
            for k in range(3):
                v_means[b, n, k], v_scales[b, n, k], v_quats[b, n, k], v_colors[b, n, k] = ZERO, ZERO, ZERO, ZERO
            seen = False
            for v in range(cameras.shape[1]):
                if boxes[b, v, n, 1] == 0:
                    continue
                seen = True
                tx0, tx1, ty0, ty1 = tiles_of(boxes, b, v, n)
                _add_rows(pairs, first_pair[b, v, n], (tx1 - tx0) * (ty1 - ty0), sums)
                v_mean, v_more = _project_one_backward(
                    unit, b, v, n, mean, spread, cameras, antialiased, records, sums, v_means2d, v_pose
                )
                v_spread = plus(v_spread, v_more)
                v_opacities[b, n] += sums[0]
                for k in range(3):
                    v_means[b, n, k] += v_mean[k]
                    v_colors[b, n, k] += sums[6 + k]
            if not seen:  # the Gaussian may hold NaN, and what was not drawn has no gradient
                continue
            if v_opacities[b, n] != ZERO:  # it stays zero where the opacity is NaN
                v_opacities[b, n] /= opacities[b, n]
            for k in range(3):
                v_scales[b, n, k] = v_spread[k] * rotation[k]
                v_scales[b, n, k] += v_spread[3 + k] * rotation[3 + k] + v_spread[6 + k] * rotation[6 + k]
            v_rotation = scaled_columns(v_spread, scales[b, n, 0], scales[b, n, 1], scales[b, n, 2])
            _write_quaternion_gradient(v_quats, b, n, w, x, y, z, inverse, v_rotation)
