"""PatchMatch stereo: numba kernels for CPU. What planes cost is written in torch too: `depth_maps.torch_costs`.

A pixel's guess is a plane: on planes, inverse z-depth changes evenly from pixel to pixel, so that three numbers are
one: the inverse depth of the pixel's centre, and its change for a pixel to the right and for one down. A window of
pixels on a plane is seen by another camera through a homography.
"""

import numpy as np

from tokengs_nerfstudio.core.compiled import njit

FAST = {"nnan", "nsz", "arcp", "contract", "afn", "reassoc"}
jit, entry = njit(fastmath=FAST, _nrt=False), njit(fastmath=FAST)
f32 = np.float32

REACH, STRIDE = 3, 2
"""A window has every second pixel up to so many away."""
SAMPLES = (2 * REACH // STRIDE + 1) ** 2
LIKE, NEAR = f32(6.0), f32(1 / 32)
"""How fast pixels of a window lose weight: with their difference in brightness, with the square of their distance."""
NOISE = f32(2e-5)
"""Variance that is noise; windows of less tell nothing."""
OUTSIDE, UNSEEN, UNSHARED = f32(3.0), f32(2.0), f32(1.0)
"""Costs where one other photo does not see the pixel, where none does, and what each counts that is missing."""
_LEAST_DEPTH = f32(1e-6)
# How much more slanted a guess is tried than it is, beside how much nearer or farther.
_SLANT = f32(0.1)
# Inverse depths below this share of the largest are varied as if they had it.
_FAR = f32(5e-4)


@jit
def random(state):
    """The next number in [0, 1) (xorshift, Marsaglia 2003)."""
    value = state[0]
    value ^= (value << np.uint32(13)) & np.uint32(0xFFFFFFFF)
    value ^= value >> np.uint32(17)
    value ^= (value << np.uint32(5)) & np.uint32(0xFFFFFFFF)
    state[0] = value
    return f32(value >> np.uint32(8)) * f32(1 / 16777216.0)


@jit
def either(state):
    """The next number in [-1, 1)."""
    return random(state) * f32(2.0) - f32(1.0)


@jit
def bilinear(picture, x, y):
    """Brightness at (x, y), the border's beyond it."""
    rows, columns = picture.shape
    x = min(max(x - f32(0.5), f32(0.0)), f32(columns - 1))
    y = min(max(y - f32(0.5), f32(0.0)), f32(rows - 1))
    left, top = min(int(x), columns - 2), min(int(y), rows - 2)
    u, v = x - f32(left), y - f32(top)
    above = picture[top, left] + u * (picture[top, left + 1] - picture[top, left])
    below = picture[top + 1, left] + u * (picture[top + 1, left + 1] - picture[top + 1, left])
    return above + v * (below - above)


@jit
def look(picture, x, y, values, weights):
    """The window about pixel (x, y): its brightness, weights that add up to one, its weighted mean and variance."""
    rows, columns = picture.shape
    centre, count = picture[y, x], 0
    total, first, second = f32(0.0), f32(0.0), f32(0.0)
    for down in range(-REACH, REACH + 1, STRIDE):
        row = min(max(y + down, 0), rows - 1)
        for right in range(-REACH, REACH + 1, STRIDE):
            value = picture[row, min(max(x + right, 0), columns - 1)]
            weight = np.exp(-abs(value - centre) * LIKE - f32(right * right + down * down) * NEAR)
            values[count], weights[count] = value, weight
            total += weight
            first += weight * value
            second += weight * value * value
            count += 1
    for sample in range(count):
        weights[sample] /= total
    mean = first / total
    return mean, max(second / total - mean * mean, f32(0.0))


@jit
def unlike(other, turn, shift, x, y, plane, values, weights, mean, variance):
    """1 - weighted normalised cross-correlation of a window and what another photo shows of its plane; up to 2.

    `turn` [3 3] takes pixels at infinity to the other photo's, `shift` [3] is added to these for each inverse depth.
    """
    rows, columns = other.shape
    inverse, right, down = plane
    u, v = f32(x) + f32(0.5), f32(y) + f32(0.5)
    px = turn[0, 0] * u + turn[0, 1] * v + turn[0, 2] + shift[0] * inverse
    py = turn[1, 0] * u + turn[1, 1] * v + turn[1, 2] + shift[1] * inverse
    pz = turn[2, 0] * u + turn[2, 1] * v + turn[2, 2] + shift[2] * inverse
    if pz < _LEAST_DEPTH or px <= 0 or py <= 0 or px >= columns * pz or py >= rows * pz:
        return OUTSIDE
    rx, ry, rz = turn[0, 0] + shift[0] * right, turn[1, 0] + shift[1] * right, turn[2, 0] + shift[2] * right
    dx, dy, dz = turn[0, 1] + shift[0] * down, turn[1, 1] + shift[1] * down, turn[2, 1] + shift[2] * down
    count, first, second, both = 0, f32(0.0), f32(0.0), f32(0.0)
    for i in range(-REACH, REACH + 1, STRIDE):
        for j in range(-REACH, REACH + 1, STRIDE):
            nearness = f32(1.0) / max(pz + rz * j + dz * i, _LEAST_DEPTH)
            value = bilinear(other, (px + rx * j + dx * i) * nearness, (py + ry * j + dy * i) * nearness)
            weighted = weights[count] * value
            first += weighted
            second += weighted * value
            both += weighted * values[count]
            count += 1
    spread = max(second - first * first, f32(0.0))
    return f32(1.0) - (both - first * mean) / np.sqrt((variance + NOISE) * (spread + NOISE))


@jit
def cost(pictures, partners, turns, shifts, x, y, plane, window, ranked):
    """Mean over the better half of a photo's partners, of those that see the pixel; `window` as `look` leaves it."""
    values, weights, mean, variance = window
    seeing = 0
    for number in range(len(partners)):
        other = pictures[partners[number]]
        value = unlike(other, turns[number], shifts[number], x, y, plane, values, weights, mean, variance)
        if value < OUTSIDE:
            place = seeing
            while place > 0 and ranked[place - 1] > value:
                ranked[place] = ranked[place - 1]
                place -= 1
            ranked[place] = value
            seeing += 1
    if seeing == 0:
        return UNSEEN
    half, total = (len(partners) + 1) // 2, f32(0.0)
    for place in range(half):
        total += ranked[place] if place < seeing else UNSHARED
    return total / f32(half)


@jit
def seen_between(turn, shift, x, y, rows, columns, largest):
    """The inverse depths, up to `largest`, at which another photo shows pixel (x, y); empty where second < first."""
    u, v = f32(x) + f32(0.5), f32(y) + f32(0.5)
    px = turn[0, 0] * u + turn[0, 1] * v + turn[0, 2]
    py = turn[1, 0] * u + turn[1, 1] * v + turn[1, 2]
    pz = turn[2, 0] * u + turn[2, 1] * v + turn[2, 2]
    low, high = f32(0.0), largest
    for side in range(5):
        if side == 0:
            start, change = pz - f32(1e-3), shift[2]
        elif side == 1:
            start, change = px, shift[0]
        elif side == 2:
            start, change = py, shift[1]
        elif side == 3:
            start, change = columns * pz - px, columns * shift[2] - shift[0]
        else:
            start, change = rows * pz - py, rows * shift[2] - shift[1]
        if change > 0:
            low = max(low, -start / change)
        elif change < 0:
            high = min(high, -start / change)
        elif start <= 0:
            high = f32(-1.0)
    return low, high


@jit
def anywhere(turns, shifts, x, y, rows, columns, largest, state):
    """An inverse depth at which some partner, drawn at random, shows the pixel; negative where it never does."""
    number = int(random(state) * f32(len(turns)))
    low, high = seen_between(turns[number], shifts[number], x, y, rows, columns, largest)
    return low + random(state) * (high - low) if high > low else f32(-1.0)


@entry
def guess(task, tasks, turns, shifts, largest, planes, seed):
    """Planes [view row column 3] straight before the camera, where a partner sees them."""
    views, rows, columns = planes.shape[:3]
    state = np.empty(1, np.uint32)
    for unit in range(task, views * rows, tasks):
        view, y = unit // rows, unit % rows
        begin(state, unit, seed)
        for x in range(columns):
            inverse = anywhere(turns[view], shifts[view], x, y, rows, columns, largest[view], state)
            planes[view, y, x, 0] = max(inverse, f32(0.0))
            planes[view, y, x, 1:] = f32(0.0)


@jit
def begin(state, unit, seed):
    """Random numbers of a row's own."""
    state[0] = np.uint32((unit * 2654435761 + seed * 40503 + 12345) & 0xFFFFFFFF) | np.uint32(1)
    for _ in range(4):
        random(state)


@entry
def assess(task, tasks, pictures, partners, turns, shifts, planes, costs):
    """What the planes cost."""
    views, rows, columns = costs.shape
    values, weights, ranked = np.empty(SAMPLES, f32), np.empty(SAMPLES, f32), np.empty(partners.shape[1], f32)
    for unit in range(task, views * rows, tasks):
        view, y = unit // rows, unit % rows
        for x in range(columns):
            mean, variance = look(pictures[view], x, y, values, weights)
            given = planes[view, y, x]
            plane, window = (given[0], given[1], given[2]), (values, weights, mean, variance)
            costs[view, y, x] = cost(pictures, partners[view], turns[view], shifts[view], x, y, plane, window, ranked)


@jit
def nearby(planes, costs, x, y, right, down):
    """The cheapest plane of some pixels in one direction, continued to pixel (x, y)."""
    rows, columns = costs.shape
    least, distance = f32(1e9), 0
    for step in (1, 3, 5):
        column, row = x + right * step, y + down * step
        if column < 0 or row < 0 or column >= columns or row >= rows:
            break
        if costs[row, column] < least:
            least, distance = costs[row, column], step
    if distance == 0:
        return f32(-1.0), f32(0.0), f32(0.0)
    plane = planes[y + down * distance, x + right * distance]
    inverse = plane[0] - plane[1] * f32(right * distance) - plane[2] * f32(down * distance)
    return inverse, plane[1], plane[2]


@jit
def varied(plane, number, shrink, largest, state):
    """A plane a bit nearer or farther (number 0, 2) and a bit more or less slanted (1, 2)."""
    inverse, right, down = plane
    width = shrink * max(inverse, _FAR * largest)
    if number != 1:
        inverse += either(state) * width
    if number != 0:
        right += either(state) * width * _SLANT
        down += either(state) * width * _SLANT
    return inverse, right, down


@entry
def improve(task, tasks, pictures, partners, turns, shifts, largest, planes, costs, parity, shrink, anew, seed):
    """Half the pixels of every photo, as on a checkerboard, take the best of their own plane, those of pixels of the
    other half, variations by up to `shrink` of it, and, if `anew`, one that is drawn anew."""
    views, rows, columns = costs.shape
    values, weights, ranked = np.empty(SAMPLES, f32), np.empty(SAMPLES, f32), np.empty(partners.shape[1], f32)
    state = np.empty(1, np.uint32)
    for unit in range(task, views * rows, tasks):
        view, y = unit // rows, unit % rows
        begin(state, unit, seed)
        for x in range((y + parity) % 2, columns, 2):
            mean, variance = look(pictures[view], x, y, values, weights)
            window, given = (values, weights, mean, variance), planes[view, y, x]
            best, least = (given[0], given[1], given[2]), costs[view, y, x]
            for number in range(8 if anew else 7):
                if number < 4:
                    right, down = (1 - 2 * number, 0) if number < 2 else (0, 5 - 2 * number)
                    plane = nearby(planes[view], costs[view], x, y, right, down)
                elif number < 7:
                    plane = varied(best, number - 4, shrink, largest[view], state)
                else:
                    depth = anywhere(turns[view], shifts[view], x, y, rows, columns, largest[view], state)
                    plane = (depth, f32(0.0), f32(0.0))
                if plane[0] < 0 or plane[0] > largest[view]:
                    continue
                value = cost(pictures, partners[view], turns[view], shifts[view], x, y, plane, window, ranked)
                if value < least:
                    best, least = plane, value
            given[0], given[1], given[2] = best
            costs[view, y, x] = least
