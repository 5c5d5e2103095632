"""Which splats reach which tile, nearest first: numba kernels for CPU."""

import numpy as np

from tokengs_nerfstudio.core.rendering.raster_kernels import compiled, tiles_of


@compiled
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


@compiled
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


@compiled
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
            tx0, tx1, ty0, ty1 = tiles_of(boxes, b, v, n)
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
            tx0, tx1, ty0, ty1 = tiles_of(boxes, b, v, n)
            for ty in range(ty0, ty1):
                for tx in range(tx0, tx1):
                    tile_items[place[ty * across + tx]] = n
                    place[ty * across + tx] += 1
