"""The numba kernels of the CPU renderer: gsplat 1.4's compositing, in float32, forwards and backwards.

Every entry point takes `(task, tasks, ...)` and does the share `task` of the work, without the GIL; `numba_backend`
spreads the tasks over threads. Work comes in units of fixed size (a run of Gaussians, a view, a tile) and no two units
write to the same place, so results are the same bit by bit for any number of threads.

Two loops decide the speed, `_blend` and `_unblend`. LLVM vectorises them because
 * the inner loop runs over exactly `_LANES` neighbouring pixels of one scratch array with unit stride and unsigned
   index, and the channels of that array lie a constant apart, so that no alias check is needed;
 * branches are written as selections, and every value is float32;
 * sums over pixels are carried from row to row inside the scratch array and folded once at the end.
tests/core/test_compiled.py fails if a new numba stops doing so.

`antialiased` is True or None, which are two types: numba compiles each kernel for either one, and the classic kernels
are as fast and round as if the other mode did not exist.
"""

import math

import numpy as np

from tokengs_nerfstudio.core.compiled import njit

F = np.float32
U = np.uint64

ZERO, HALF, ONE, TWO = F(0), F(0.5), F(1), F(2)
ALPHA_MAX = F(0.999)
ALPHA_MIN = F(1) / F(255)
TRANSMITTANCE_MIN = F(1e-4)
BLUR = F(0.3)  # added to the diagonal of every projected covariance, pixels squared
LARGEST_RADIUS = F(2147483520.0)  # the largest float32 that fits an int32

TILE = 16  # pixels; a splat reaches whole tiles, so the picture depends on this number
UNIT = 512  # Gaussians in one unit of work
RECORD = 10  # mean x, mean y, conic a, b, c, opacity, red, green, blue, depth
CAMERA = 20  # rows of [rotation | translation], fx, fy, cx, cy, limits left, right, top, bottom
POSE = 12

_LANES = 8
_PITCH = U(TILE)
_STRIDE = 288  # floats between channels of the scratch array: 18 rows, no multiple of 4096 bytes in between
_T, _LAST = U(0), U(_STRIDE)
_C0, _C1, _C2, _C3 = (U(_STRIDE * k) for k in range(2, 6))
_REST = U(_STRIDE * 6)
_SUM0, _SUM1, _SUM2, _SUM3, _SUM4, _SUM5, _SUM6 = (U(_STRIDE * k) for k in range(7, 14))
_CHANNELS = 14


# Fused multiply-add is the only liberty: full fastmath would fold the rounding trick of `_exp2` away.
_compiled = njit(fastmath={"contract"})
_inlined = njit(fastmath={"contract"}, forceinline=True)
# Of a loop over several arrays LLVM makes a vector and a scalar one and chooses by the addresses at hand, too carefully
# where an index might be negative. The two fuse other operations: only without any do they give the same bits. False
# has to be said, a kernel takes its caller's liberties otherwise.
_unfused = njit(fastmath=False, forceinline=True)

# ------------------------------------------ two to the power of x <= 0 ------------------------------------------
# x = integer + r with |r| <= 1/2; 2^r = 1 + r q(r) to 1e-7. The loops below wait for q, hence the pairwise sums.

_LOG2E = F(1.4426950408889634)
_Q0, _Q1, _Q2 = F(0.6931472028552427), F(0.24022647913600903), F(0.05550332470698644)
_Q3, _Q4, _Q5 = (F(0.009618437359557043), F(0.0013398874593252745), F(0.00015353361803801185))
_ROUNDER = F(12582912.0)  # 1.5 * 2**23: adding it rounds to an integer, kept in the low bits
_BIAS = np.int32(127 - 0x4B400000)
_LOWEST = F(-115.0)


@_inlined
def _exp2(x):
    """Two factors of 2^x: the power of two of the integer part, and 2^r."""
    x = x if x > _LOWEST else _LOWEST
    shifted = x + _ROUNDER
    r = x - (shifted - _ROUNDER)
    squared = r * r
    high = (_Q5 * r + _Q4) * squared + (_Q3 * r + _Q2)
    q = high * squared + (_Q1 * r + _Q0)
    return np.int32((np.float32(shifted).view(np.int32) + _BIAS) << np.int32(23)).view(np.float32), q * r + ONE


@_inlined
def _times(a, b):
    """The product of 3 x 3 matrices, which are row-major tuples of nine."""
    return (
        a[0] * b[0] + a[1] * b[3] + a[2] * b[6],
        a[0] * b[1] + a[1] * b[4] + a[2] * b[7],
        a[0] * b[2] + a[1] * b[5] + a[2] * b[8],
        a[3] * b[0] + a[4] * b[3] + a[5] * b[6],
        a[3] * b[1] + a[4] * b[4] + a[5] * b[7],
        a[3] * b[2] + a[4] * b[5] + a[5] * b[8],
        a[6] * b[0] + a[7] * b[3] + a[8] * b[6],
        a[6] * b[1] + a[7] * b[4] + a[8] * b[7],
        a[6] * b[2] + a[7] * b[5] + a[8] * b[8],
    )


@_inlined
def _transposed(a):
    return (a[0], a[3], a[6], a[1], a[4], a[7], a[2], a[5], a[8])


@_inlined
def _plus(a, b):
    return (
        a[0] + b[0], a[1] + b[1], a[2] + b[2],
        a[3] + b[3], a[4] + b[4], a[5] + b[5],
        a[6] + b[6], a[7] + b[7], a[8] + b[8],
    )  # fmt: skip


@_inlined
def _unit_quaternion(quats, b, n):
    """The quaternion as w, x, y, z of length one, and one over its length."""
    w, x, y, z = quats[b, n, 0], quats[b, n, 1], quats[b, n, 2], quats[b, n, 3]
    inverse = ONE / math.sqrt(w * w + x * x + y * y + z * z)
    return w * inverse, x * inverse, y * inverse, z * inverse, inverse


@_inlined
def _rotation(w, x, y, z):
    return (
        ONE - TWO * (y * y + z * z), TWO * (x * y - w * z), TWO * (x * z + w * y),
        TWO * (x * y + w * z), ONE - TWO * (x * x + z * z), TWO * (y * z - w * x),
        TWO * (x * z - w * y), TWO * (y * z + w * x), ONE - TWO * (x * x + y * y),
    )  # fmt: skip


@_inlined
def _scaled_columns(a, x, y, z):
    return (a[0] * x, a[1] * y, a[2] * z, a[3] * x, a[4] * y, a[5] * z, a[6] * x, a[7] * y, a[8] * z)


@_inlined
def _camera_rotation(cameras, b, v):
    return (
        cameras[b, v, 0], cameras[b, v, 1], cameras[b, v, 2],
        cameras[b, v, 4], cameras[b, v, 5], cameras[b, v, 6],
        cameras[b, v, 8], cameras[b, v, 9], cameras[b, v, 10],
    )  # fmt: skip


@_inlined
def _in_camera(cameras, b, v, px, py, pz):
    return (
        cameras[b, v, 0] * px + cameras[b, v, 1] * py + cameras[b, v, 2] * pz + cameras[b, v, 3],
        cameras[b, v, 4] * px + cameras[b, v, 5] * py + cameras[b, v, 6] * pz + cameras[b, v, 7],
        cameras[b, v, 8] * px + cameras[b, v, 9] * py + cameras[b, v, 10] * pz + cameras[b, v, 11],
    )


@_inlined
def _clamp(value, low, high):
    value = value if value > low else low
    return value if value < high else high


@_inlined
def _jacobian(cameras, b, v, x, y, z):
    """d(pixel)/d(camera point) = [[j0, 0, j1], [0, j2, j3]], and the point's x, y clamped to just outside the image."""
    fx, fy = cameras[b, v, 12], cameras[b, v, 13]
    inverse = ONE / z
    tx = z * _clamp(x * inverse, cameras[b, v, 16], cameras[b, v, 17])
    ty = z * _clamp(y * inverse, cameras[b, v, 18], cameras[b, v, 19])
    squared = inverse * inverse
    return fx * inverse, -fx * tx * squared, fy * inverse, -fy * ty * squared, tx, ty


@_inlined
def _flattened(rotation, spread, j0, j1, j2, j3):
    """J R M for M = spread, two rows of three: its product with its own transpose is the projected covariance.

    Better conditioned than projecting M M^T.
    """
    r = rotation
    a = (
        j0 * r[0] + j1 * r[6], j0 * r[1] + j1 * r[7], j0 * r[2] + j1 * r[8],
        j2 * r[3] + j3 * r[6], j2 * r[4] + j3 * r[7], j2 * r[5] + j3 * r[8],
        ZERO, ZERO, ZERO,
    )  # fmt: skip
    return _times(a, spread)


@_inlined
def _covariance(rotation, spread, j0, j1, j2, j3):
    """Entries 00, 01 and 11 of the projected covariance, in square pixels, before the blur."""
    p = _flattened(rotation, spread, j0, j1, j2, j3)
    return (
        p[0] * p[0] + p[1] * p[1] + p[2] * p[2],
        p[0] * p[3] + p[1] * p[4] + p[2] * p[5],
        p[3] * p[3] + p[4] * p[4] + p[5] * p[5],
    )


@_inlined
def _determinant(p):
    """Of the projected covariance, as the squared length of the cross product of two rows: less cancels in it."""
    x, y, z = p[1] * p[5] - p[2] * p[4], p[2] * p[3] - p[0] * p[5], p[0] * p[4] - p[1] * p[3]
    return x * x + y * y + z * z


@_inlined
def _compensation(flattened, c00, c11):
    """What an antialiased splat's opacity is multiplied by: sqrt(det before the blur / det after it)."""
    return ONE / math.sqrt(ONE + BLUR * (c00 + c11 + BLUR) / _determinant(flattened))


@_inlined
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


@_inlined
def _tiles_of(boxes, b, v, n):
    """First and past-the-last tile along x and y."""
    x0, x1, y0, y1 = boxes[b, v, n, 0], boxes[b, v, n, 1], boxes[b, v, n, 2], boxes[b, v, n, 3]
    return x0 // TILE, (x1 - 1) // TILE + 1, y0 // TILE, (y1 - 1) // TILE + 1


@_inlined
def _project_one(
    b, v, n, mean, spread, threshold, opacities, colors, cameras, size, planes, antialiased, records, boxes, radii
):  # fmt: skip
    """One Gaussian into one view; the number of tiles it reaches."""
    width, height = size
    radii[b, v, n] = 0
    boxes[b, v, n, 1] = 0
    x, y, z = _in_camera(cameras, b, v, mean[0], mean[1], mean[2])
    if z < planes[0] or z > planes[1]:  # a point on a plane is kept
        return 0
    j0, j1, j2, j3, _, _ = _jacobian(cameras, b, v, x, y, z)
    c00, c01, c11 = _covariance(_camera_rotation(cameras, b, v), spread, j0, j1, j2, j3)
    opacity = opacities[b, n]
    if antialiased is not None:
        flattened = _flattened(_camera_rotation(cameras, b, v), spread, j0, j1, j2, j3)
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
    tx0, tx1, ty0, ty1 = _tiles_of(boxes, b, v, n)
    return (tx1 - tx0) * (ty1 - ty0)


@_compiled
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
            w, x, y, z, _ = _unit_quaternion(quats, b, n)
            spread = _scaled_columns(_rotation(w, x, y, z), scales[b, n, 0], scales[b, n, 1], scales[b, n, 2])
            threshold = math.log(F(255) * opacities[b, n])
            for v in range(cameras.shape[1]):
                tiles = _project_one(
                    b, v, n, mean, spread, threshold, opacities, colors, cameras, size, planes, antialiased,
                    records, boxes, radii,
                )  # fmt: skip
                counts[unit, v, 0] += 1 if tiles > 0 else 0
                counts[unit, v, 1] += tiles


@_inlined
def _conic_gradient_to_covariance(a, b, c, v_a, v_b, v_c):
    """d(inverse): -Q G Q with G symmetric."""
    half = HALF * v_b
    e00, e01 = a * v_a + b * half, a * half + b * v_c
    e10, e11 = b * v_a + c * half, b * half + c * v_c
    return -(e00 * a + e01 * b), -(e00 * b + e01 * c), -(e10 * b + e11 * c)


@_inlined
def _compensation_gradient_to_covariance(rotation, spread, j0, j1, j2, j3, a, b, c, v_opacity):
    """d(log compensation) = (inverse before the blur - inverse after it) / 2, by d(log det Q) = Q^-1.

    `v_opacity` is the gradient of the opacity times the opacity, which is that of either one's logarithm.
    """
    c00, c01, c11 = _covariance(rotation, spread, j0, j1, j2, j3)
    inverse = ONE / _determinant(_flattened(rotation, spread, j0, j1, j2, j3))
    half = HALF * v_opacity
    return half * (c11 * inverse - a), -half * (c01 * inverse + b), half * (c00 * inverse - c)


@_inlined
def _add_rows(pairs, first, count, sums):
    """The gradient rows of one splat in one view, summed over its tiles."""
    sums[:] = ZERO
    for row in range(first, first + count):
        for k in range(RECORD):
            sums[k] += pairs[row, k]


@_inlined
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


@_inlined
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


@_inlined
def _add_pose_gradient(v_pose, unit, v, v_rotation, point, mean):
    for row in range(3):
        v_pose[unit, v, 4 * row + 3] += point[row]
        for column in range(3):
            v_pose[unit, v, 4 * row + column] += v_rotation[3 * row + column] + point[row] * mean[column]


@_inlined
def _project_one_backward(unit, b, v, n, mean, spread, cameras, antialiased, records, sums, v_means2d, v_pose):
    """One splat of one view: gradients of mean and spread (world frame); the pose's are added where asked for."""
    a, c, d = records[b, v, n, 2], records[b, v, n, 3], records[b, v, n, 4]
    vx, vy = -(a * sums[1] + c * sums[2]), -(c * sums[1] + d * sums[2])
    if v_means2d.shape[0] > 0:
        v_means2d[b, v, n, 0], v_means2d[b, v, n, 1] = vx, vy
    rotation = _camera_rotation(cameras, b, v)
    x, y, z = _in_camera(cameras, b, v, mean[0], mean[1], mean[2])
    j0, j1, j2, j3, tx, ty = _jacobian(cameras, b, v, x, y, z)
    v_covariance = _conic_gradient_to_covariance(a, c, d, -HALF * sums[3], -sums[4], -HALF * sums[5])
    turned = _times(rotation, spread)
    if antialiased is not None:
        more = _compensation_gradient_to_covariance(rotation, spread, j0, j1, j2, j3, a, c, d, sums[0])
        v_covariance = v_covariance[0] + more[0], v_covariance[1] + more[1], v_covariance[2] + more[2]
    v_j, v_turned = _spread_gradient((j0, j1, j2, j3), turned, v_covariance)
    px, py, pz = _point_gradient(cameras, b, v, x, y, z, tx, ty, vx, vy, sums[9], v_j)
    back = _transposed(rotation)
    if v_pose.shape[0] > 0:
        _add_pose_gradient(v_pose, unit, v, _times(v_turned, _transposed(spread)), (px, py, pz), mean)
    v_mean = (
        back[0] * px + back[1] * py + back[2] * pz,
        back[3] * px + back[4] * py + back[5] * pz,
        back[6] * px + back[7] * py + back[8] * pz,
    )
    return v_mean, _times(back, v_turned)


@_inlined
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


@_compiled
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
            w, x, y, z, inverse = _unit_quaternion(quats, b, n)
            rotation = _rotation(w, x, y, z)
            spread = _scaled_columns(rotation, scales[b, n, 0], scales[b, n, 1], scales[b, n, 2])
            v_spread = (ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)
            v_opacities[b, n], v_quats[b, n, 3] = ZERO, ZERO
            for k in range(3):
                v_means[b, n, k], v_scales[b, n, k], v_quats[b, n, k], v_colors[b, n, k] = ZERO, ZERO, ZERO, ZERO
            seen = False
            for v in range(cameras.shape[1]):
                if boxes[b, v, n, 1] == 0:
                    continue
                seen = True
                tx0, tx1, ty0, ty1 = _tiles_of(boxes, b, v, n)
                _add_rows(pairs, first_pair[b, v, n], (tx1 - tx0) * (ty1 - ty0), sums)
                v_mean, v_more = _project_one_backward(
                    unit, b, v, n, mean, spread, cameras, antialiased, records, sums, v_means2d, v_pose
                )
                v_spread = _plus(v_spread, v_more)
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
            v_rotation = _scaled_columns(v_spread, scales[b, n, 0], scales[b, n, 1], scales[b, n, 2])
            _write_quaternion_gradient(v_quats, b, n, w, x, y, z, inverse, v_rotation)


# ------------------------------------------------- tile lists -------------------------------------------------


@_compiled
def _sort_by_depth(keys, items):
    """Stable radix sort of positive float32 depths, given as their bits: three rounds of eleven bits."""
    count = keys.shape[0]
    other_keys = np.empty(count, np.uint32)
    other_items = np.empty(count, np.int32)
    place = np.empty(2048, np.int64)
    for shift in (np.uint32(0), np.uint32(11), np.uint32(22)):
        place[:] = 0
        for m in range(count):
            place[(keys[m] >> shift) & np.uint32(2047)] += 1
        total = 0
        for digit in range(2048):
            total, place[digit] = total + place[digit], total
        for m in range(count):
            digit = (keys[m] >> shift) & np.uint32(2047)
            to = place[digit]
            place[digit] = to + 1
            other_keys[to] = keys[m]
            other_items[to] = items[m]
        keys, other_keys = other_keys, keys
        items, other_items = other_items, items
    return items


@_compiled
def _front_to_back(b, v, records, boxes, count):
    """The Gaussians of one view that reach a pixel, nearest first, equal depths in the order of their index."""
    keys = np.empty(count, np.uint32)
    items = np.empty(count, np.int32)
    found = 0
    for n in range(boxes.shape[2]):
        if boxes[b, v, n, 1] > 0:
            keys[found] = np.float32(records[b, v, n, 9]).view(np.uint32)
            items[found] = n
            found += 1
    return _sort_by_depth(keys, items)


@_compiled
def list_tiles(task, tasks, records, boxes, splats, first_row, across, first_pair, tile_start, tile_items):
    """Every tile's splats from front to back, and every splat's place among the gradient rows.

    splats and first_row [view of all scenes]: counts and offsets. tile_start [view of all scenes, tile + 1] points
    into tile_items [pair]; first_pair [scene view gaussian] points into the gradient rows.
    """
    scenes, views, gaussians, _ = boxes.shape
    tiles = tile_start.shape[1] - 1
    place = np.empty(tiles, np.int64)
    for view in range(task, scenes * views, tasks):
        b, v = view // views, view % views
        order = _front_to_back(b, v, records, boxes, splats[view])
        row = first_row[view]
        place[:] = 0
        for n in range(gaussians):
            if boxes[b, v, n, 1] == 0:
                continue
            first_pair[b, v, n] = row
            tx0, tx1, ty0, ty1 = _tiles_of(boxes, b, v, n)
            row += (tx1 - tx0) * (ty1 - ty0)
            for ty in range(ty0, ty1):
                for tx in range(tx0, tx1):
                    place[ty * across + tx] += 1
        total = first_row[view]
        for tile in range(tiles):
            tile_start[view, tile] = total
            total, place[tile] = total + place[tile], total
        tile_start[view, tiles] = total
        for n in order:
            tx0, tx1, ty0, ty1 = _tiles_of(boxes, b, v, n)
            for ty in range(ty0, ty1):
                for tx in range(tx0, tx1):
                    tile_items[place[ty * across + tx]] = n
                    place[ty * across + tx] += 1


# ------------------------------------------------- compositing -------------------------------------------------
# Pixel (x, y) of a tile is at (y + 1) * TILE + x of each channel: the row above the first is where carried sums start.


@_inlined
def _splat(records, b, v, n, left, top):
    """A record with its mean counted from the corner of a tile."""
    return (
        records[b, v, n, 0] - F(left), records[b, v, n, 1] - F(top),
        records[b, v, n, 2], records[b, v, n, 3], records[b, v, n, 4], records[b, v, n, 5], records[b, v, n, 6],
        records[b, v, n, 7], records[b, v, n, 8], records[b, v, n, 9],
    )  # fmt: skip


@_inlined
def _strips(x0, x1):
    """First lane and end of the strips of `_LANES` columns that cover columns x0 <= x < x1 of a tile."""
    if x1 - x0 > _LANES:
        return 0, TILE
    first = min(x0, TILE - _LANES)
    return first, first + 1


@_inlined
def _quadratic(splat):
    """-log2(e) * (A / 2, B, C / 2): alpha / opacity is two to the power of this form of the offset."""
    return -_LOG2E * HALF * splat[2], -_LOG2E * splat[3], -_LOG2E * HALF * splat[4]


@_inlined
def _blend(pixels, x0, y0, y1, splat, index):
    """One splat onto a strip of pixels. A finished pixel's transmittance is negative."""
    mx = splat[0] - F(x0) - HALF
    a, b, c = _quadratic(splat)
    opacity, red, green, blue, depth = splat[5], splat[6], splat[7], splat[8], splat[9]
    centre = F(y0) + HALF
    for y in range(y0, y1):
        dy = splat[1] - centre
        centre += ONE
        constant, slope = c * dy * dy, b * dy
        row = U((y + 1) * TILE + x0)
        for lane in range(U(_LANES)):
            i = row + lane
            dx = mx - F(lane)
            power = (a * dx + slope) * dx + constant
            scale, fraction = _exp2(power)
            raw = opacity * scale * fraction
            alpha = raw if raw < ALPHA_MAX else ALPHA_MAX  # NaN becomes 0.999
            before = pixels[i]
            weight = alpha * before
            after = before - weight
            counts = (power <= ZERO) & (alpha >= ALPHA_MIN)
            drawn = counts & (after > TRANSMITTANCE_MIN)
            finished = counts & (after <= TRANSMITTANCE_MIN)
            weight = weight if drawn else ZERO
            pixels[i] = after if drawn else (-abs(before) if finished else before)
            pixels[i + _LAST] = index if drawn else pixels[i + _LAST]
            pixels[i + _C0] += weight * red
            pixels[i + _C1] += weight * green
            pixels[i + _C2] += weight * blue
            pixels[i + _C3] += weight * depth


@njit(fastmath={"contract", "reassoc"}, forceinline=True)
def _any_open(pixels):
    still_open = ZERO
    for i in range(U(TILE), U(TILE + TILE * TILE)):
        still_open += ONE if pixels[i] > ZERO else ZERO
    return still_open > ZERO


@_inlined
def _start_tile(pixels, columns, rows):
    pixels[: U(_STRIDE * 6)] = ZERO
    for y in range(rows):
        for x in range(columns):
            pixels[U((y + 1) * TILE + x)] = ONE


@_inlined
def _finish_tile(pixels, b, v, left, top, columns, rows, background, rgb, alpha, depth, transmittance, last):
    red, green, blue = background[b, v, 0], background[b, v, 1], background[b, v, 2]
    for y in range(rows):
        for x in range(columns):
            i = U((y + 1) * TILE + x)
            through = abs(pixels[i])
            rgb[b, v, 0, top + y, left + x] = pixels[i + _C0] + through * red
            rgb[b, v, 1, top + y, left + x] = pixels[i + _C1] + through * green
            rgb[b, v, 2, top + y, left + x] = pixels[i + _C2] + through * blue
            alpha[b, v, 0, top + y, left + x] = ONE - through
            transmittance[b, v, top + y, left + x] = through
            last[b, v, top + y, left + x] = np.int32(pixels[i + _LAST])
            if depth.shape[0] > 0:
                depth[b, v, 0, top + y, left + x] = pixels[i + _C3] / max(ONE - through, F(1e-10))


@_compiled
def composite(
    task, tasks, records, boxes, tile_start, tile_items, background, size, rgb, alpha, depth, transmittance, last
):  # fmt: skip
    """Tile lists into pictures [scene view channel height width].

    depth has no scene where it is not wanted. transmittance and last (one plus the place in the tile's list of the last
    splat drawn) [scene view height width] are for `composite_backward`.
    """
    scenes, views = background.shape[:2]
    width, height = size
    across, down = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
    pixels = np.empty(_STRIDE * 6, F)
    for unit in range(task, scenes * views * across * down, tasks):
        view, tile = unit // (across * down), unit % (across * down)
        b, v = view // views, view % views
        left, top = tile % across * TILE, tile // across * TILE
        columns, rows = min(width - left, TILE), min(height - top, TILE)
        _start_tile(pixels, columns, rows)
        start = tile_start[view, tile]
        for k in range(start, tile_start[view, tile + 1]):
            n = tile_items[k]
            y0, y1 = max(boxes[b, v, n, 2] - top, 0), min(boxes[b, v, n, 3] - top, rows)
            first, end = _strips(max(boxes[b, v, n, 0] - left, 0), min(boxes[b, v, n, 1] - left, TILE))
            splat = _splat(records, b, v, n, left, top)
            for x in range(first, end, _LANES):
                _blend(pixels, x, y0, y1, splat, F(k - start + 1))
            if (k - start) % 16 == 15 and not _any_open(pixels):
                break
        _finish_tile(pixels, b, v, left, top, columns, rows, background, rgb, alpha, depth, transmittance, last)


@_inlined
def _unblend(pixels, x0, y0, y1, splat, index):
    """One splat off a strip of pixels, from back to front; its gradient sums end up in the last row.

    `_REST` holds what lies behind: sum of weight * (colour . gradient), less the gradient of alpha.
    """
    mx = splat[0] - F(x0) - HALF
    a, b, c = _quadratic(splat)
    opacity, red, green, blue, depth = splat[5], splat[6], splat[7], splat[8], splat[9]
    row = U(y0 * TILE + x0)
    for channel in range(U(7)):
        for lane in range(U(_LANES)):
            pixels[row + _SUM0 + channel * U(_STRIDE) + lane] = ZERO
    centre = F(y0) + HALF
    for y in range(y0, y1):
        dy = splat[1] - centre
        centre += ONE
        constant, slope, squared = c * dy * dy, b * dy, dy * dy
        row = U((y + 1) * TILE + x0)
        for lane in range(U(_LANES)):
            i = row + lane
            above = i - _PITCH
            dx = mx - F(lane)
            power = (a * dx + slope) * dx + constant
            scale, fraction = _exp2(power)
            raw = opacity * scale * fraction
            alpha = raw if raw < ALPHA_MAX else ALPHA_MAX
            drawn = (power <= ZERO) & (alpha >= ALPHA_MIN) & (index <= pixels[i + _LAST])
            after, rest = pixels[i], pixels[i + _REST]
            v0, v1, v2, v3 = (pixels[i + _C0], pixels[i + _C1], pixels[i + _C2], pixels[i + _C3])
            inverse = ONE / (ONE - alpha)
            inner = red * v0 + green * v1 + blue * v2 + depth * v3
            before = after * inverse
            weight = alpha * before if drawn else ZERO
            v_power = raw * ((after * inner - rest) * inverse) if drawn & (raw <= ALPHA_MAX) else ZERO
            pixels[i] = before if drawn else after
            pixels[i + _REST] = rest + weight * inner
            pixels[i + _SUM0] = pixels[above + _SUM0] + v_power
            pixels[i + _SUM1] = pixels[above + _SUM1] + v_power * dy
            pixels[i + _SUM2] = pixels[above + _SUM2] + v_power * squared
            pixels[i + _SUM3] = pixels[above + _SUM3] + weight * v0
            pixels[i + _SUM4] = pixels[above + _SUM4] + weight * v1
            pixels[i + _SUM5] = pixels[above + _SUM5] + weight * v2
            pixels[i + _SUM6] = pixels[above + _SUM6] + weight * v3


@njit(fastmath={"contract", "reassoc"}, forceinline=True)
def _fold(pixels, x0, y1, mean_x, pairs, row):
    """The carried sums of a strip into a gradient row: v_power * (1, dx, dy, dx^2, dx dy, dy^2), weight * v_channel."""
    s0, s1, s2, s3, s4, s5 = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    c0, c1, c2, c3 = ZERO, ZERO, ZERO, ZERO
    mx = mean_x - F(x0) - HALF
    start = U(y1 * TILE + x0)
    for lane in range(U(_LANES)):
        i = start + lane
        dx = mx - F(lane)
        along, down = pixels[i + _SUM0], pixels[i + _SUM1]
        s0 += along
        s1 += along * dx
        s2 += down
        s3 += along * dx * dx
        s4 += down * dx
        s5 += pixels[i + _SUM2]
        c0 += pixels[i + _SUM3]
        c1 += pixels[i + _SUM4]
        c2 += pixels[i + _SUM5]
        c3 += pixels[i + _SUM6]
    sums = (s0, s1, s2, s3, s4, s5, c0, c1, c2, c3)
    for k in range(RECORD):
        pairs[row, k] += sums[k]


@_unfused
def _start_tile_backward(
    pixels, b, v, left, top, columns, rows, background, depth, transmittance, last, v_rgb, v_alpha, v_depth
):  # fmt: skip
    """The finished pixels and their gradients into the scratch array; the largest `last` of the tile."""
    pixels[:] = ZERO
    pixels[U(TILE) : U(TILE + TILE * TILE)] = ONE
    most = 0
    for y in range(rows):
        for x in range(columns):
            i = U((y + 1) * TILE + x)
            yy, xx = top + y, U(left + x)
            through = transmittance[b, v, yy, xx]
            red, green, blue = (v_rgb[b, v, 0, yy, xx], v_rgb[b, v, 1, yy, xx], v_rgb[b, v, 2, yy, xx])
            v_a = v_alpha[b, v, 0, yy, xx]
            behind = background[b, v, 0] * red + background[b, v, 1] * green + background[b, v, 2] * blue
            if v_depth.shape[0] > 0:
                covered = max(ONE - through, F(1e-10))
                share = v_depth[b, v, 0, yy, xx] / covered
                pixels[i + _C3] = share
                v_a -= share * depth[b, v, 0, yy, xx] if covered > F(1e-10) else ZERO
            pixels[i] = through
            pixels[i + _LAST] = F(last[b, v, yy, xx])
            pixels[i + _C0] = red
            pixels[i + _C1] = green
            pixels[i + _C2] = blue
            pixels[i + _REST] = through * (behind - v_a)
            most = max(most, last[b, v, yy, xx])
    return most


@_compiled
def composite_backward(
    task, tasks, records, boxes, tile_start, tile_items, first_pair, background, size, depth, transmittance, last,
    v_rgb, v_alpha, v_depth, pairs,
):  # fmt: skip
    """Gradients of the pictures into one row of `pairs` [pair RECORD] per (splat, tile) pair, owned by its tile."""
    scenes, views = background.shape[:2]
    width, height = size
    across, down = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
    pixels = np.empty(_STRIDE * _CHANNELS, F)
    for unit in range(task, scenes * views * across * down, tasks):
        view, tile = unit // (across * down), unit % (across * down)
        b, v = view // views, view % views
        left, top = tile % across * TILE, tile // across * TILE
        columns, rows = min(width - left, TILE), min(height - top, TILE)
        most = _start_tile_backward(
            pixels, b, v, left, top, columns, rows, background, depth, transmittance, last, v_rgb, v_alpha, v_depth
        )  # fmt: skip
        start = tile_start[view, tile]
        for k in range(tile_start[view, tile + 1] - 1, start - 1, -1):
            n = tile_items[k]
            tx0, tx1, ty0, _ = _tiles_of(boxes, b, v, n)
            pair = first_pair[b, v, n] + (tile // across - ty0) * (tx1 - tx0) + tile % across - tx0
            for j in range(RECORD):
                pairs[pair, j] = ZERO
            if k - start >= most:
                continue
            y0, y1 = max(boxes[b, v, n, 2] - top, 0), min(boxes[b, v, n, 3] - top, rows)
            first, end = _strips(max(boxes[b, v, n, 0] - left, 0), min(boxes[b, v, n, 1] - left, TILE))
            splat = _splat(records, b, v, n, left, top)
            for x in range(first, end, _LANES):
                _unblend(pixels, x, y0, y1, splat, F(k - start + 1))
                _fold(pixels, x, y1, splat[0], pairs, pair)
