"""From the gradients of pictures to those of splats in tiles, back to front: numba kernels for CPU."""

import numpy as np

from tokengs_nerfstudio.core.compiled import njit
from tokengs_nerfstudio.core.rendering.compositing_kernels import (
    C0,
    C1,
    C2,
    C3,
    LANES,
    LAST,
    STRIDE,
    exp2,
    quadratic,
    splat_in_tile,
    strips,
)
from tokengs_nerfstudio.core.rendering.raster_kernels import (
    ALPHA_MAX,
    ALPHA_MIN,
    HALF,
    ONE,
    RECORD,
    TILE,
    ZERO,
    F,
    U,
    compiled,
    inlined,
    tiles_of,
)

_PITCH = U(TILE)
# Channels behind those of `compositing_kernels`.
_REST = U(STRIDE * 6)
_SUM0, _SUM1, _SUM2, _SUM3, _SUM4, _SUM5, _SUM6 = (U(STRIDE * k) for k in range(7, 14))
_CHANNELS = 14


@inlined
def _unblend(pixels, x0, y0, y1, splat, index):
    """One splat off a strip of pixels, from back to front; its gradient sums end up in the last row.

    `_REST` holds what lies behind: sum of weight * (colour . gradient), less the gradient of alpha.
    """
    mx = splat[0] - F(x0) - HALF
    a, b, c = quadratic(splat)
    opacity, red, green, blue, depth = splat[5], splat[6], splat[7], splat[8], splat[9]
    row = U(y0 * TILE + x0)
    for channel in range(U(7)):
        for lane in range(U(LANES)):
            pixels[row + _SUM0 + channel * U(STRIDE) + lane] = ZERO
    centre = F(y0) + HALF
    for y in range(y0, y1):
        dy = splat[1] - centre
        centre += ONE
        constant, slope, squared = c * dy * dy, b * dy, dy * dy
        row = U((y + 1) * TILE + x0)
        for lane in range(U(LANES)):
            i = row + lane
            above = i - _PITCH
            dx = mx - F(lane)
            power = (a * dx + slope) * dx + constant
            scale, fraction = exp2(power)
            raw = opacity * scale * fraction
            alpha = raw if raw < ALPHA_MAX else ALPHA_MAX
            drawn = (power <= ZERO) & (alpha >= ALPHA_MIN) & (index <= pixels[i + LAST])
            after, rest = pixels[i], pixels[i + _REST]
            v0, v1, v2, v3 = (pixels[i + C0], pixels[i + C1], pixels[i + C2], pixels[i + C3])
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
    for lane in range(U(LANES)):
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


# Of a loop over several arrays LLVM makes a vector and a scalar one and chooses by the addresses at hand, too carefully
# where an index might be negative. The two fuse other operations: only without any do they give the same bits. False
# has to be said, a kernel takes its caller's liberties otherwise.
@njit(fastmath=False, forceinline=True)
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
                pixels[i + C3] = share
                v_a -= share * depth[b, v, 0, yy, xx] if covered > F(1e-10) else ZERO
            pixels[i] = through
            pixels[i + LAST] = F(last[b, v, yy, xx])
            pixels[i + C0] = red
            pixels[i + C1] = green
            pixels[i + C2] = blue
            pixels[i + _REST] = through * (behind - v_a)
            most = max(most, last[b, v, yy, xx])
    return most


@compiled
def composite_backward(
    task, tasks, records, boxes, tile_start, tile_items, first_pair, background, size, depth, transmittance, last,
    v_rgb, v_alpha, v_depth, pairs,
):  # fmt: skip
    """Gradients of the pictures into one row of `pairs` [pair RECORD] per (splat, tile) pair, owned by its tile."""
    scenes, views = background.shape[:2]
    width, height = size
    across, down = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
    pixels = np.empty(STRIDE * _CHANNELS, F)
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
            tx0, tx1, ty0, _ = tiles_of(boxes, b, v, n)
            pair = first_pair[b, v, n] + (tile // across - ty0) * (tx1 - tx0) + tile % across - tx0
            for j in range(RECORD):
                pairs[pair, j] = ZERO
            if k - start >= most:
                continue
            y0, y1 = max(boxes[b, v, n, 2] - top, 0), min(boxes[b, v, n, 3] - top, rows)
            first, end = strips(max(boxes[b, v, n, 0] - left, 0), min(boxes[b, v, n, 1] - left, TILE))
            splat = splat_in_tile(records, b, v, n, left, top)
            for x in range(first, end, LANES):
                _unblend(pixels, x, y0, y1, splat, F(k - start + 1))
                _fold(pixels, x, y1, splat[0], pairs, pair)
