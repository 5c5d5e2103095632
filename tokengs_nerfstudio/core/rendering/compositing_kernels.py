"""Lists of splats into pictures, tile by tile: numba kernels for CPU.

Two loops decide the speed, `_blend` here and `_unblend` in `compositing_backward_kernels`. LLVM vectorises them because
 * the inner loop runs over exactly `LANES` neighbouring pixels of one scratch array with unit stride and unsigned
   index, and the channels of that array lie a constant apart, so that no alias check is needed;
 * branches are written as selections, and every value is float32;
 * sums over pixels are carried from row to row inside the scratch array and folded once at the end.
tests/core/test_compiled.py fails if a new numba stops doing so.
"""

import numpy as np

from tokengs_nerfstudio.core.compiled import njit
from tokengs_nerfstudio.core.rendering.raster_kernels import (
    ALPHA_MAX,
    ALPHA_MIN,
    HALF,
    ONE,
    TILE,
    ZERO,
    F,
    U,
    compiled,
    inlined,
)

TRANSMITTANCE_MIN = F(1e-4)

# Pixel (x, y) of a tile is at (y + 1) * TILE + x of each channel: the row above the first is where carried sums start.
LANES = 8
STRIDE = 288  # floats between channels of the scratch array: 18 rows, no multiple of 4096 bytes in between
# Transmittance is in the first channel, the last splat drawn in the second, colours and depth follow.
LAST = U(STRIDE)
C0, C1, C2, C3 = (U(STRIDE * k) for k in range(2, 6))
_CHANNELS = 6

# x = integer + r with |r| <= 1/2; 2^r = 1 + r q(r) to 1e-7. The loops wait for q, hence the pairwise sums.
_LOG2E = F(1.4426950408889634)
_Q0, _Q1, _Q2 = F(0.6931472028552427), F(0.24022647913600903), F(0.05550332470698644)
_Q3, _Q4, _Q5 = (F(0.009618437359557043), F(0.0013398874593252745), F(0.00015353361803801185))
_ROUNDER = F(12582912.0)  # 1.5 * 2**23: adding it rounds to an integer, kept in the low bits
_BIAS = np.int32(127 - 0x4B400000)
_LOWEST = F(-115.0)


@inlined
def exp2(x):
    """Two factors of 2^x: the power of two of the integer part, and 2^r."""
    x = x if x > _LOWEST else _LOWEST
    shifted = x + _ROUNDER
    r = x - (shifted - _ROUNDER)
    squared = r * r
    high = (_Q5 * r + _Q4) * squared + (_Q3 * r + _Q2)
    q = high * squared + (_Q1 * r + _Q0)
    return np.int32((np.float32(shifted).view(np.int32) + _BIAS) << np.int32(23)).view(np.float32), q * r + ONE


@inlined
def splat_in_tile(records, b, v, n, left, top):
    """A record with its mean counted from the corner of a tile."""
    return (
        records[b, v, n, 0] - F(left), records[b, v, n, 1] - F(top),
        records[b, v, n, 2], records[b, v, n, 3], records[b, v, n, 4], records[b, v, n, 5], records[b, v, n, 6],
        records[b, v, n, 7], records[b, v, n, 8], records[b, v, n, 9],
    )  # fmt: skip


@inlined
def strips(x0, x1):
    """First lane and end of the strips of `LANES` columns that cover columns x0 <= x < x1 of a tile."""
    if x1 - x0 > LANES:
        return 0, TILE
    first = min(x0, TILE - LANES)
    return first, first + 1


@inlined
def quadratic(splat):
    """-log2(e) * (A / 2, B, C / 2): alpha / opacity is two to the power of this form of the offset."""
    return -_LOG2E * HALF * splat[2], -_LOG2E * splat[3], -_LOG2E * HALF * splat[4]


@inlined
def _blend(pixels, x0, y0, y1, splat, index):
    """One splat onto a strip of pixels. A finished pixel's transmittance is negative."""
    mx = splat[0] - F(x0) - HALF
    a, b, c = quadratic(splat)
    opacity, red, green, blue, depth = splat[5], splat[6], splat[7], splat[8], splat[9]
    centre = F(y0) + HALF
    for y in range(y0, y1):
        dy = splat[1] - centre
        centre += ONE
        constant, slope = c * dy * dy, b * dy
        row = U((y + 1) * TILE + x0)
        for lane in range(U(LANES)):
            i = row + lane
            dx = mx - F(lane)
            power = (a * dx + slope) * dx + constant
            scale, fraction = exp2(power)
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
            pixels[i + LAST] = index if drawn else pixels[i + LAST]
            pixels[i + C0] += weight * red
            pixels[i + C1] += weight * green
            pixels[i + C2] += weight * blue
            pixels[i + C3] += weight * depth


@njit(fastmath={"contract", "reassoc"}, forceinline=True)
def _any_open(pixels):
    still_open = ZERO
    for i in range(U(TILE), U(TILE + TILE * TILE)):
        still_open += ONE if pixels[i] > ZERO else ZERO
    return still_open > ZERO


@inlined
def _start_tile(pixels, columns, rows):
    pixels[: U(STRIDE * _CHANNELS)] = ZERO
    for y in range(rows):
        for x in range(columns):
            pixels[U((y + 1) * TILE + x)] = ONE


@inlined
def _finish_tile(pixels, b, v, left, top, columns, rows, background, rgb, alpha, depth, transmittance, last):
    red, green, blue = background[b, v, 0], background[b, v, 1], background[b, v, 2]
    for y in range(rows):
        for x in range(columns):
            i = U((y + 1) * TILE + x)
            through = abs(pixels[i])
            rgb[b, v, 0, top + y, left + x] = pixels[i + C0] + through * red
            rgb[b, v, 1, top + y, left + x] = pixels[i + C1] + through * green
            rgb[b, v, 2, top + y, left + x] = pixels[i + C2] + through * blue
            alpha[b, v, 0, top + y, left + x] = ONE - through
            transmittance[b, v, top + y, left + x] = through
            last[b, v, top + y, left + x] = np.int32(pixels[i + LAST])
            if depth.shape[0] > 0:
                depth[b, v, 0, top + y, left + x] = pixels[i + C3] / max(ONE - through, F(1e-10))


@compiled
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
    pixels = np.empty(STRIDE * _CHANNELS, F)
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
            first, end = strips(max(boxes[b, v, n, 0] - left, 0), min(boxes[b, v, n, 1] - left, TILE))
            splat = splat_in_tile(records, b, v, n, left, top)
            for x in range(first, end, LANES):
                _blend(pixels, x, y0, y1, splat, F(k - start + 1))
            if (k - start) % 16 == 15 and not _any_open(pixels):
                break
        _finish_tile(pixels, b, v, left, top, columns, rows, background, rgb, alpha, depth, transmittance, last)
