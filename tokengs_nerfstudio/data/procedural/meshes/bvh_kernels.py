"""Bounding volume hierarchies: built once a mesh and once a scene, walked by rays.

A node holds the boxes of both children [12] (first: low, high; second: low, high) and two references: a node where not
negative, else ~(first * LEAF + count), a stretch of the order that the builder returns.
"""

import numpy as np

from tokengs_nerfstudio.core.compiled import njit
from tokengs_nerfstudio.data.procedural.meshes.layout import DEEPEST

LEAF = 8
"""More items than a leaf ever holds; references count in it."""
BINS = 12

# Builders decide twice in the same way, so they calculate as written; rays may be loose with signs, order and NaN, but
# infinities are what misses are.
FAST = {"nnan", "nsz", "arcp", "contract", "afn", "reassoc"}
exact = njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
jit = njit(fastmath=FAST, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
entry = njit()


@exact
def area(box, first):
    """Half the surface of a box of six numbers that start at `first`."""
    x, y, z = box[first + 3] - box[first], box[first + 4] - box[first + 1], box[first + 5] - box[first + 2]
    return x * y + y * z + z * x


@exact
def clear(box, first):
    for axis in range(3):
        box[first + axis], box[first + 3 + axis] = np.inf, -np.inf


@exact
def grow(box, first, low, high, item):
    for axis in range(3):
        box[first + axis] = min(box[first + axis], low[item, axis])
        box[first + 3 + axis] = max(box[first + 3 + axis], high[item, axis])


@exact
def merge(box, first, other, second):
    for axis in range(3):
        box[first + axis] = min(box[first + axis], other[second + axis])
        box[first + 3 + axis] = max(box[first + 3 + axis], other[second + 3 + axis])


@exact
def bin_of(value, low, width):
    return min(int((value - low) / width * BINS), BINS - 1)


@exact
def best_split(low, high, order, start, stop, work, bins, counts, costs):
    """(axis, last bin before it) of the cheapest split of order[start:stop] by centre; axis -1 where none helps.

    `work` [12] is left with the bounds of the centres in front. Cost: the surface area heuristic (MacDonald and Booth
    1990) over bins (Wald 2007).
    """
    clear(work, 0)
    for k in range(start, stop):
        for axis in range(3):
            centre = 0.5 * (low[order[k], axis] + high[order[k], axis])
            work[axis], work[3 + axis] = min(work[axis], centre), max(work[3 + axis], centre)
    best, chosen, place = np.inf, -1, 0
    for axis in range(3):
        width = work[3 + axis] - work[axis]
        if width <= 1e-12:
            continue
        for b in range(BINS):
            counts[b] = 0
            clear(bins[b], 0)
        for k in range(start, stop):
            b = bin_of(0.5 * (low[order[k], axis] + high[order[k], axis]), work[axis], width)
            counts[b] += 1
            grow(bins[b], 0, low, high, order[k])
        clear(work, 6)
        behind = 0
        for b in range(BINS - 1, 0, -1):
            merge(work, 6, bins[b], 0)
            behind += counts[b]
            costs[b - 1] = area(work, 6) * behind if behind else np.inf
        clear(work, 6)
        before = 0
        for b in range(BINS - 1):
            merge(work, 6, bins[b], 0)
            before += counts[b]
            if before and area(work, 6) * before + costs[b] < best:
                best, chosen, place = area(work, 6) * before + costs[b], axis, b
    return chosen, place


@exact
def partition(low, high, order, start, stop, axis, place, bottom, width):
    """Bring the items of the bins up to `place` to the front; where the others begin."""
    middle = start
    for k in range(start, stop):
        item = order[k]
        if bin_of(0.5 * (low[item, axis] + high[item, axis]), bottom, width) <= place:
            order[k], order[middle] = order[middle], item
            middle += 1
    return middle


@exact
def fits(count, most, levels):
    """Whether halving brings that many items into leaves of up to `most` within so many levels."""
    for _ in range(levels):
        if count <= most:
            return True
        count = (count + 1) // 2
    return count <= most


@exact
def split(low, high, order, start, stop, most, levels, work, bins, counts, costs):
    """Bring order[start:stop] into two parts that need no more than `levels` below them; where the second begins.

    The cheapest split where it keeps to that, else halves: so no hierarchy is deeper than DEEPEST, whatever is in it.
    """
    axis, place = best_split(low, high, order, start, stop, work, bins, counts, costs)
    middle = start
    if axis >= 0:
        middle = partition(low, high, order, start, stop, axis, place, work[axis], work[3 + axis] - work[axis])
    larger = max(middle - start, stop - middle)
    if larger == stop - start or not fits(larger, most, levels):
        middle = (start + stop) // 2
    return middle


@exact
def bound_children(boxes, node, low, high, order, start, middle, stop):
    clear(boxes[node], 0)
    clear(boxes[node], 6)
    for k in range(start, middle):
        grow(boxes[node], 0, low, high, order[k])
    for k in range(middle, stop):
        grow(boxes[node], 6, low, high, order[k])


@entry
def build(low, high, most, order, boxes, refs, first_item, first_node):
    """Hierarchy over items with bounds low, high [n 3]: fills order [n], boxes [.. 12], refs [.. 2] from a node on.

    Leaves hold up to `most` items, counted from `first_item` in the references. Returns the root's reference and the
    number of nodes made, at most n - 1; they are up to DEEPEST deep, for up to most * 2 ** DEEPEST items.
    """
    count = len(low)
    for k in range(count):
        order[k] = k
    if count <= most:
        return ~(first_item * LEAF + count), 0
    work, bins, counts, costs = np.empty(12), np.empty((BINS, 6)), np.empty(BINS, np.int64), np.empty(BINS)
    # start, stop, slot of the reference (2 * node + side), levels left; depth first, so one waits a level.
    stack = np.empty((DEEPEST + 2, 4), np.int64)
    stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = 0, count, -1, DEEPEST
    depth, nodes = 1, 0
    while depth:
        depth -= 1
        start, stop, slot, levels = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
        if stop - start <= most:
            refs[slot // 2, slot % 2] = ~((first_item + start) * LEAF + stop - start)
            continue
        node = first_node + nodes
        nodes += 1
        if slot >= 0:
            refs[slot // 2, slot % 2] = node
        middle = split(low, high, order, start, stop, most, levels - 1, work, bins, counts, costs)
        bound_children(boxes, node, low, high, order, start, middle, stop)
        stack[depth, 0], stack[depth, 1], stack[depth, 2] = start, middle, 2 * node
        stack[depth + 1, 0], stack[depth + 1, 1], stack[depth + 1, 2] = middle, stop, 2 * node + 1
        stack[depth, 3] = stack[depth + 1, 3] = levels - 1
        depth += 2
    return first_node, nodes


@jit
def enter(boxes, node, side, ax, ay, az, ix, iy, iz, stop):
    """Where a ray enters a child's box, at least 0; infinite where it misses or comes later than `stop`.

    ix, iy, iz is one over its direction, ax, ay, az that times its origin.
    """
    k = 6 * side
    x0, x1 = boxes[node, k] * ix - ax, boxes[node, k + 3] * ix - ax
    y0, y1 = boxes[node, k + 1] * iy - ay, boxes[node, k + 4] * iy - ay
    z0, z1 = boxes[node, k + 2] * iz - az, boxes[node, k + 5] * iz - az
    near = max(max(min(x0, x1), min(y0, y1)), max(min(z0, z1), 0.0))
    far = min(min(max(x0, x1), max(y0, y1)), min(max(z0, z1), stop))
    return near if near <= far else np.inf


@jit
def inverse(d):
    """1 / d that stays finite for rays along a side of a box."""
    return 1.0 / d if abs(d) > 1e-12 else 1e12
