"""3 x 3 matrices, as row-major tuples of nine, and quaternions, for the numba kernels that project."""

import math

from tokengs_nerfstudio.core.rendering.raster_kernels import ONE, TWO, inlined


@inlined
def times(a, b):
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


@inlined
def transposed(a):
    return (a[0], a[3], a[6], a[1], a[4], a[7], a[2], a[5], a[8])


@inlined
def plus(a, b):
    return (
        a[0] + b[0], a[1] + b[1], a[2] + b[2],
        a[3] + b[3], a[4] + b[4], a[5] + b[5],
        a[6] + b[6], a[7] + b[7], a[8] + b[8],
    )  # fmt: skip


@inlined
def unit_quaternion(quats, b, n):
    """The quaternion as w, x, y, z of length one, and one over its length."""
    w, x, y, z = quats[b, n, 0], quats[b, n, 1], quats[b, n, 2], quats[b, n, 3]
    inverse = ONE / math.sqrt(w * w + x * x + y * y + z * z)
    return w * inverse, x * inverse, y * inverse, z * inverse, inverse


@inlined
def rotation_matrix(w, x, y, z):
    return (
        ONE - TWO * (y * y + z * z), TWO * (x * y - w * z), TWO * (x * z + w * y),
        TWO * (x * y + w * z), ONE - TWO * (x * x + z * z), TWO * (y * z - w * x),
        TWO * (x * z - w * y), TWO * (y * z + w * x), ONE - TWO * (x * x + y * y),
    )  # fmt: skip


@inlined
def scaled_columns(a, x, y, z):
    return (a[0] * x, a[1] * y, a[2] * z, a[3] * x, a[4] * y, a[5] * z, a[6] * x, a[7] * y, a[8] * z)
