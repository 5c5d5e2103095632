"""The costs of a plane sweep: numba kernel for CPU, one pixel at a time. The same in torch: `sweep.torch_costs`."""

import numpy as np

from tokengs_nerfstudio.core.compiled import njit

FEATURES = 6
FAST = {"nnan", "nsz", "arcp", "contract", "afn", "reassoc"}
jit, entry = njit(fastmath=FAST, _nrt=False), njit(fastmath=FAST)


@jit
def difference(features, own, x, y):
    """Mean absolute difference from `own` of the features [rows columns 6] at (x, y), bilinear, cut at the border."""
    rows, columns = features.shape[:2]
    x = min(max(x - np.float32(0.5), np.float32(0.0)), np.float32(columns - 1))
    y = min(max(y - np.float32(0.5), np.float32(0.0)), np.float32(rows - 1))
    left, top = min(int(x), columns - 2), min(int(y), rows - 2)
    u, v = x - np.float32(left), y - np.float32(top)
    a, b = features[top, left], features[top, left + 1]
    c, d = features[top + 1, left], features[top + 1, left + 1]
    total = np.float32(0.0)
    for k in range(FEATURES):
        above = a[k] + u * (b[k] - a[k])
        below = c[k] + u * (d[k] - c[k])
        total += abs(above + v * (below - above) - own[k])
    return total / np.float32(FEATURES)


@jit
def insert(costs, count, value):
    """Put a value among the first `count` ascending ones."""
    place = count
    while place > 0 and costs[place - 1] > value:
        costs[place] = costs[place - 1]
        place -= 1
    costs[place] = value


@entry
def sweep_pixels(task, tasks, features, start, way, depths, unseen, least_depth, costs):
    """Costs [view depth pixel] of a scene, see `sweep`: features [view rows columns 6], projections of pixels' origins
    start [view other 3] and ways per depth [view other 3 pixel] into the small pictures of all views."""
    views, rows, columns = features.shape[:3]
    sorted_costs = np.empty(views, np.float32)
    for unit in range(task, views * rows, tasks):
        view, row = unit // rows, unit % rows
        for column in range(columns):
            pixel = row * columns + column
            own = features[view, row, column]
            for k in range(len(depths)):
                seeing = 0
                for other in range(views):
                    if other == view:
                        continue
                    z = start[view, other, 2] + depths[k] * way[view, other, 2, pixel]
                    if z <= least_depth:
                        continue
                    x = (start[view, other, 0] + depths[k] * way[view, other, 0, pixel]) / z
                    y = (start[view, other, 1] + depths[k] * way[view, other, 1, pixel]) / z
                    if x <= 0.0 or x >= columns or y <= 0.0 or y >= rows:
                        continue
                    insert(sorted_costs, seeing, difference(features[other], own, x, y))
                    seeing += 1
                half = (seeing + 1) // 2
                total = np.float32(0.0)
                for n in range(half):
                    total += sorted_costs[n]
                mean = total / np.float32(half) if seeing else unseen
                costs[view, k, pixel] = mean + np.float32(0.5) * unseen * np.float32(1 - seeing / (views - 1))
