"""Shapes of procedural scenes in plain torch: first hits and normals, on flat lists of rays in the shapes' own frames.

The formulas of `trace_kernels`. Rows are primitives [ray, PRIMITIVE], columns named in `layout`.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.data.procedural import layout as at

Points = Float[Tensor, "ray 3"]
Scalars = Float[Tensor, " ray"]
Rows = Float[Tensor, "ray column"]


def norm(x: Float[Tensor, "ray axis"]) -> Scalars:
    return x.square().sum(-1).sqrt()


def wave(x: Tensor) -> Tensor:
    """A sine in all but name, of two parabolas: period and amplitude one, smooth to the first derivative."""
    x = x - x.floor()
    return torch.where(x < 0.5, 16.0 * x * (0.5 - x), 16.0 * (x - 0.5) * (x - 1.0))


def half(rows: Rows) -> Points:
    return rows[:, at.HALF : at.HALF + 3]


def shape(rows: Rows) -> tuple[Tensor, ...]:
    return rows[:, at.SHAPE : at.SHAPE + 4].unbind(-1)


def torus_distance(rows: Rows, x: Points) -> Scalars:
    tube, ring, _, _ = shape(rows)
    return torch.hypot(norm(x[:, :2]) - ring, x[:, 2]) - tube


def arc_distance(rows: Rows, x: Points) -> Scalars:
    tube, ring, angle, _ = shape(rows)
    side, y = x[:, 0].abs(), x[:, 1]
    s, k = angle.sin(), angle.cos()
    along = torch.where(k * side > s * y, side * s + y * k, norm(x[:, :2]))
    return (x.square().sum(-1) + ring * ring - 2.0 * ring * along).clamp(min=0.0).sqrt() - tube


def blob_distance(rows: Rows, x: Points) -> Scalars:
    height, frequency, phase, _ = shape(rows)
    scaled = x / half(rows)
    u, v = norm(scaled), norm(scaled / half(rows))
    a, b, c = (frequency[:, None] * x).unbind(-1)
    waves = wave(a + phase) * wave(b + 1.7 * phase) * wave(c + 2.3 * phase)
    return at.BLOB_STEP * (u * (u - 1.0) / v.clamp(min=1e-9) + height * waves)


def rounded_distance(x: Points, size: Points, rounding: Scalars | float) -> Scalars:
    rounding = rounding[:, None] if isinstance(rounding, Tensor) else rounding
    q = x.abs() - size + rounding
    outside, inside = norm(q.clamp(min=0.0)), q.amax(-1).clamp(max=0.0)
    return outside + inside - (rounding[:, 0] if isinstance(rounding, Tensor) else rounding)


def round_box_distance(rows: Rows, x: Points) -> Scalars:
    return rounded_distance(x, half(rows), shape(rows)[0])


def relief_distance(rows: Rows, x: Points) -> Scalars:
    height, frequency, phase, _ = shape(rows)
    a, b, c = x.unbind(-1)
    waves = height * wave(frequency * a + phase) * wave(frequency * b + 1.7 * phase)
    size = half(rows) - torch.stack([0.0 * height, 0.0 * height, height], -1)
    return at.RELIEF_STEP * rounded_distance(torch.stack([a, b, c - waves], -1), size, 0.0)


MARCHED: dict[int, Callable[[Rows, Points], Scalars]] = {
    at.TORUS: torus_distance,
    at.ROUND_BOX: round_box_distance,
    at.BLOB: blob_distance,
    at.ARC: arc_distance,
    at.RELIEF: relief_distance,
}


def slab(o: Tensor, d: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave |x| < size, axis by axis."""
    d = torch.where(d.abs() > 1e-12, d, 1e-12)
    first, second = (-size - o) / d, (size - o) / d
    return torch.minimum(first, second), torch.maximum(first, second)


def hit_ellipsoid(rows: Rows, o: Points, d: Points) -> Scalars:
    o, d = o / half(rows), d / half(rows)
    qa, qb, qc = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1.0
    root = qb * qb - qa * qc
    t = (-qb - root.clamp(min=0.0).sqrt()) / qa
    return torch.where((root >= 0.0) & (t > at.RAY_START), t, at.MISS)


def hit_box(rows: Rows, o: Points, d: Points) -> Scalars:
    first, second = slab(o, d, half(rows))
    enter, leave = first.amax(-1), second.amin(-1)
    return torch.where((enter < leave) & (enter > at.RAY_START), enter, at.MISS)


def hit_frustum(rows: Rows, o: Points, d: Points) -> Scalars:
    """Cylinders and cones: the radius, in half sizes, runs from one at the bottom to SHAPE[0] at the top."""
    top, height = shape(rows)[0], half(rows)[:, 2]
    enter, leave = slab(o[:, 2], d[:, 2], height)
    slope = (top - 1.0) / (2.0 * height)
    r0, r1 = 0.5 * (1.0 + top) + slope * o[:, 2], slope * d[:, 2]
    o, d = o[:, :2] / half(rows)[:, :2], d[:, :2] / half(rows)[:, :2]
    cap = o + enter[:, None] * d
    on_cap = (enter > at.RAY_START) & (cap.square().sum(-1) < (r0 + enter * r1).square())
    qa, qb, qc = (d * d).sum(-1) - r1 * r1, (o * d).sum(-1) - r0 * r1, (o * o).sum(-1) - r0 * r0
    root = qb * qb - qa * qc
    solved = (root >= 0.0) & (qa.abs() >= 1e-12)
    best = torch.full_like(r0, at.MISS)
    for sign in (-1.0, 1.0):
        t = (-qb + sign * root.clamp(min=0.0).sqrt()) / torch.where(solved, qa, 1.0)
        good = solved & (t > at.RAY_START) & (enter < t) & (t < leave)
        best = torch.where(good & (t < best), t, best)
    return torch.where(on_cap, enter, best)


def march(
    distance: Callable[[Rows, Points], Scalars], rows: Rows, o: Points, d: Points, start: Scalars, stop: Scalars
) -> Scalars:
    """First hits between `start` and `stop`, or MISS; secant steps at the end make them exact."""
    length, size = norm(d), rows[:, at.RADIUS]
    near = at.MARCH_PRECISION * size

    def value(t: Scalars) -> Scalars:
        return distance(rows, o + t[:, None] * d)

    t, last, current = start, start, value(start)
    before, past = current, start >= stop
    for _ in range(at.MARCH_STEPS):
        active = (current >= near) & ~past
        last, before = torch.where(active, t, last), torch.where(active, current, before)
        t = torch.where(active, t + current / length, t)
        past = past | (active & (t > stop))
        current = torch.where(active & ~past, value(t), current)
    missed = past | (current > at.MARCH_ACCEPT * size)
    for _ in range(at.MARCH_SECANTS):
        change = before - current
        active = change.abs() >= 1e-12 * size
        step = current * (t - last) / torch.where(active, change, 1.0)
        limit = 4.0 * near / length
        last, before = torch.where(active, t, last), torch.where(active, current, before)
        t = torch.where(active, t + step.clamp(-limit, limit), t)
        current = torch.where(active, value(t), current)
    return torch.where(missed, at.MISS, t)


def bounding_margin(rows: Rows) -> Tensor:
    return torch.where(rows[:, at.KIND] == at.BLOB, at.BLOB_MARGIN * rows[:, at.SHAPE], 0.0)[:, None]


def hit_marched(kind: int, rows: Rows, o: Points, d: Points, best: Scalars) -> Scalars:
    radius, dd, b = rows[:, at.RADIUS], (d * d).sum(-1), (o * d).sum(-1)
    root = (b * b - dd * ((o * o).sum(-1) - radius * radius)).clamp(min=0.0).sqrt()
    first, second = slab(o, d, half(rows) + bounding_margin(rows))
    start = torch.maximum(((-b - root) / dd).clamp(min=at.RAY_START), first.amax(-1))
    stop = torch.minimum(torch.minimum((-b + root) / dd, best), second.amin(-1))
    return march(MARCHED[kind], rows, o, d, start, stop)


def hit_kind(kind: int, rows: Rows, o: Points, d: Points, best: Scalars) -> Scalars:
    if kind == at.ELLIPSOID:
        return hit_ellipsoid(rows, o, d)
    if kind == at.BOX:
        return hit_box(rows, o, d)
    if kind == at.FRUSTUM:
        return hit_frustum(rows, o, d)
    return hit_marched(kind, rows, o, d, best)


def normals_of(rows: Rows, x: Points) -> tuple[Points, Bool[Tensor, " ray"]]:
    """Outward normals (not unit) in the primitives' frames, and where the second material is worn."""
    kinds, size, top = rows[:, at.KIND].long(), half(rows), shape(rows)[0]
    out, second = torch.zeros_like(x), torch.zeros_like(kinds, dtype=torch.bool)
    share = x.abs() / size
    upright = (share[:, 2] >= share[:, 0]) & (share[:, 2] >= share[:, 1])
    axis = torch.where(upright, 2, torch.where(share[:, 0] >= share[:, 1], 0, 1))
    flat = torch.zeros_like(x).scatter(1, axis[:, None], 1.0) * torch.where(x < 0, -1.0, 1.0)
    slope = (top - 1.0) / (2.0 * size[:, 2])
    side = torch.cat([x[:, :2] / size[:, :2].square(), (-slope * (0.5 * (1.0 + top) + slope * x[:, 2]))[:, None]], -1)
    cap = x[:, 2].abs() > size[:, 2] * (1.0 - at.CAP_EDGE)
    sides = torch.where(cap[:, None], torch.stack([0 * top, 0 * top, x[:, 2].sign()], -1), side)
    for kind, normal, other in (
        (at.ELLIPSOID, x / size.square(), x[:, 2] > top * size[:, 2]),
        (at.BOX, flat, upright),
        (at.FRUSTUM, sides, cap),
    ):
        out = torch.where((kinds == kind)[:, None], normal, out)
        second = torch.where(kinds == kind, other, second)
    for kind, distance in MARCHED.items():
        which = (kinds == kind).nonzero()[:, 0]
        out[which] = gradient(distance, rows[which], x[which])
    marched = kinds >= at.TORUS
    return out, torch.where(marched, x[:, 2] > rows[:, at.SHAPE + 3] * size[:, 2], second)


def gradient(distance: Callable[[Rows, Points], Scalars], rows: Rows, x: Points) -> Points:
    h = at.NORMAL_STEP * rows[:, at.RADIUS, None]
    steps = torch.eye(3, dtype=x.dtype, device=x.device)
    return torch.stack([distance(rows, x + h * e) - distance(rows, x - h * e) for e in steps], -1)
