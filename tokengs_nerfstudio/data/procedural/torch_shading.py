"""Colours of procedural scenes in plain torch: textures, backdrop and light on flat lists of rays.

The formulas of `trace_kernels`, one line for one line where that reads well; works on any device and in any dtype.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tokengs_nerfstudio.data.procedural import layout as at

Points = Float[Tensor, "ray 3"]
Scalars = Float[Tensor, " ray"]
Rows = Float[Tensor, "ray column"]


def lattice(corner: Float[Tensor, "ray 3"]) -> Int[Tensor, " ray"]:
    """Row of the noise table at an integer point; the lattice repeats."""
    i, j, k = (corner.long() & (at.NOISE_CELLS - 1)).unbind(-1)
    return (i * at.NOISE_CELLS + j) * at.NOISE_CELLS + k


def noise(table: Float[Tensor, "cell 4"], points: Points) -> Float[Tensor, "ray 4"]:
    """Four channels of smooth value noise in [0, 1] with lattice spacing one."""
    base = points.floor()
    x = points - base
    x = x * x * (3.0 - 2.0 * x)
    out = torch.zeros_like(points[:, :1]).expand(-1, 4).clone()
    for corner in range(8):
        step = torch.tensor([corner & 1, (corner >> 1) & 1, corner >> 2], dtype=x.dtype, device=x.device)
        weight = torch.where(step > 0, x, 1.0 - x).prod(-1, keepdim=True)
        out = out + weight * table[lattice(base + step)]
    return out


def fade(cells: Scalars) -> Scalars:
    """How much of a pattern survives when a pixel covers this many of its cells."""
    return ((0.9 - cells) * 2.0).clamp(0.0, 1.0)


def square_wave(x: Scalars, cells: Scalars, bias: Scalars | float = 0.0) -> Scalars:
    """A square wave in [-1, 1] of period one, its edges as wide as a pixel, its mean when a pixel covers a period."""
    triangle = (x - x.floor() - 0.5).abs() * 4.0 - 1.0 + bias
    return (triangle / (4.0 * cells).clamp(min=0.04)).clamp(-1.0, 1.0) * fade(0.9 * cells)


def colour(rows: Rows, index: int) -> Points:
    start = at.COLOURS + 3 * index
    return rows[:, start : start + 3]


def ramp(rows: Rows, w: Scalars) -> Points:
    """First to second to third colour as w runs from 0 to 1."""
    w = w[:, None]
    first = colour(rows, 0) + 2.0 * w * (colour(rows, 1) - colour(rows, 0))
    second = colour(rows, 1) + (2.0 * w - 1.0) * (colour(rows, 2) - colour(rows, 1))
    return torch.where(w < 0.5, first, second)


def layered(rows: Rows, u: Scalars | float, w: Scalars) -> Points:
    """Between the second and third colour by u, then that over the first by w."""
    u = u[:, None] if isinstance(u, Tensor) else u
    top = colour(rows, 1) + u * (colour(rows, 2) - colour(rows, 1))
    return colour(rows, 0) + w[:, None] * (top - colour(rows, 0))


def solid(rows: Rows, table: Tensor, q: Points, cells: Scalars) -> Points:
    return colour(rows, 0)


def checker(rows: Rows, table: Tensor, q: Points, cells: Scalars) -> Points:
    x, y, z = q.unbind(-1)
    product = square_wave(x, cells) * square_wave(y, cells) * square_wave(z, cells)
    return layered(rows, 0.0, 0.5 + 0.5 * product)


def stripes(rows: Rows, table: Tensor, q: Points, cells: Scalars) -> Points:
    return layered(rows, 0.0, 0.5 + 0.5 * square_wave(q[:, 0], cells, rows[:, at.CONTRAST]))


def waves(rows: Rows, table: Tensor, q: Points, cells: Scalars) -> Points:
    return ramp(rows, 0.5 + 0.5 * fade(cells) * torch.sin(2.0 * math.pi * q[:, 0]))


def fractal(rows: Rows, table: Tensor, q: Points, cells: Scalars) -> Points:
    total, gain = torch.zeros_like(cells), 0.5
    for _ in range(3):
        total = total + gain * fade(cells) * (noise(table, q)[:, 3] - 0.5)
        q, cells, gain = 2.03 * q, 2.03 * cells, 0.55 * gain
    return ramp(rows, (0.5 + rows[:, at.CONTRAST] * total).clamp(0.0, 1.0))


def spots(rows: Rows, table: Tensor, q: Points, cells: Scalars) -> Points:
    jitter = table[lattice(q.floor())]
    offset = q - q.floor() - 0.3 - 0.4 * jitter[:, :3]
    radius = rows[:, at.CONTRAST] * (0.1 + 0.2 * jitter[:, 3])
    inside = ((radius - offset.square().sum(-1).sqrt()) / cells.clamp(min=0.03) + 0.5).clamp(0.0, 1.0)
    return layered(rows, jitter[:, 0], inside * fade(0.6 * cells))


def cell_pattern(rows: Rows, table: Tensor, q: Points, cells: Scalars) -> Points:
    """Voronoi cells over the eight nearest lattice points, with joints."""
    base = (q - 0.5).floor()
    distances, shades = [], []
    for corner in range(8):
        step = torch.tensor([corner & 1, (corner >> 1) & 1, corner >> 2], dtype=q.dtype, device=q.device)
        jitter = table[lattice(base + step)]
        distances.append((q - base - step - 0.2 - 0.6 * jitter[:, :3]).square().sum(-1).sqrt())
        shades.append(jitter[:, 3])
    nearest = torch.stack(distances).topk(2, dim=0, largest=False)
    first, second = nearest.values.unbind(0)
    shade = torch.stack(shades).gather(0, nearest.indices[:1])[0]
    strength = fade(0.8 * cells)
    joint = ((second - first - rows[:, at.CONTRAST]) / cells.clamp(min=0.05) + 0.5).clamp(0.0, 1.0)
    return layered(rows, 0.5 + strength * (shade - 0.5), 1.0 - strength * (1.0 - joint))


def bricks(rows: Rows, table: Tensor, q: Points, cells: Scalars) -> Points:
    y = q[:, 1]
    row = y.floor()
    x = 0.5 * q[:, 0] + 0.5 * (row.long() & 1)
    shade = table[lattice(torch.stack([x.floor(), row, torch.zeros_like(row)], -1)), 3]
    edge = torch.minimum(torch.minimum(x - x.floor(), x.ceil() - x) * 2.0, torch.minimum(y - row, 1.0 - y + row))
    strength = fade(0.8 * cells)
    brick = ((edge - rows[:, at.CONTRAST]) / cells.clamp(min=0.04) + 0.5).clamp(0.0, 1.0)
    return layered(rows, 0.5 + strength * (shade - 0.5), 1.0 - strength * (1.0 - brick))


def gradient(rows: Rows, table: Tensor, q: Points, cells: Scalars) -> Points:
    return ramp(rows, (0.5 + 0.5 * q[:, 2]).clamp(0.0, 1.0))


FAMILIES: dict[int, Callable[[Rows, Tensor, Points, Scalars], Points]] = {
    at.SOLID: solid,
    at.CHECKER: checker,
    at.STRIPES: stripes,
    at.WAVES: waves,
    at.NOISE: fractal,
    at.SPOTS: spots,
    at.CELLS: cell_pattern,
    at.BRICKS: bricks,
    at.GRADIENT: gradient,
}


def texture(rows: Rows, table: Float[Tensor, "cell 4"], points: Points, footprint: Scalars) -> Points:
    """Colours of materials [ray, MATERIAL] at points of their primitives' frames; `footprint`: a pixel's size."""
    matrix = rows[:, at.MATRIX : at.MATRIX + 9].reshape(-1, 3, 3)
    q = torch.einsum("rij,rj->ri", matrix, points) + rows[:, at.OFFSET : at.OFFSET + 3]
    q = q + rows[:, at.WARP, None] * (noise(table, 0.7 * q)[:, :3] - 0.5)
    cells, family = footprint * rows[:, at.FREQUENCY], rows[:, at.FAMILY].long()
    out = torch.empty_like(points)
    for number, pattern in FAMILIES.items():
        which = (family == number).nonzero()[:, 0]
        out[which] = pattern(rows[which], table, q[which], cells[which])
    return out


def backdrop(env: Rows, table: Float[Tensor, "cell 4"], direction: Points) -> Points:
    """What rays see that hit nothing: a vertical gradient with soft blotches."""
    direction = direction / direction.square().sum(-1, keepdim=True).sqrt()
    shift = torch.tensor([7.3, 1.9, 4.1], dtype=direction.dtype, device=direction.device)
    blotch = noise(table, env[:, at.BACKDROP_FREQUENCY, None] * direction + shift)[:, 3:]
    lift = 1.0 + env[:, at.BACKDROP_NOISE, None] * (blotch - 0.5)
    horizon, above, below = env[:, at.BACKDROP : at.BACKDROP + 9].reshape(-1, 3, 3).unbind(1)
    height = direction[:, 2:]
    other = torch.where(height > 0, above, below)
    return (lift * (horizon + height.abs().sqrt() * (other - horizon))).clamp(0.0, 1.0)


def surface(
    rows: Rows, table: Float[Tensor, "cell 4"], points: Points, normals: Points, footprint: Scalars
) -> tuple[Points, Points]:
    """Albedo with grain, and the world normals with bumps, at points of the primitives' frames."""
    albedo = texture(rows, table, points, footprint)
    frequency = rows[:, at.GRAIN_FREQUENCY]
    strength = fade(footprint * frequency)[:, None]
    shift = torch.tensor([3.1, 5.7, 9.2], dtype=points.dtype, device=points.device)
    n = noise(table, frequency[:, None] * points + shift) - 0.5
    albedo = albedo * (1.0 + rows[:, at.GRAIN, None] * strength * n[:, 3:])
    bumped = normals + rows[:, at.BUMP, None] * strength * n[:, :3]
    bumped = bumped / bumped.square().sum(-1, keepdim=True).sqrt()
    return albedo, torch.where(strength > 0, bumped, normals)


def light_at(env: Rows, points: Points) -> tuple[Points, Scalars, Scalars]:
    """Vectors towards the light (to the lamp itself, or a unit-free direction), its power there, how far it is along
    the vector."""
    light, lamp = env[:, at.LIGHT : at.LIGHT + 3], env[:, at.LIGHT_POINT] > 0.5
    towards = torch.where(lamp[:, None], light - points, light)
    length = towards.square().sum(-1).sqrt()
    power = torch.where(lamp, 1.0 / (1.0 + (length * env[:, at.FALLOFF]).square()), 1.0)
    return towards, power, torch.where(lamp, torch.ones_like(power), at.MISS)


def direct_light(env: Rows, normals: Points, towards: Points, power: Scalars) -> Scalars:
    """Lambert's term with a wrap, before shadows."""
    facing = (normals * towards).sum(-1) / towards.square().sum(-1).sqrt().clamp(min=1e-9)
    return (facing + env[:, at.WRAP]).clamp(min=0.0) / (1.0 + env[:, at.WRAP]) * power


def lit_colour(env: Rows, albedo: Points, normals: Points, direct: Scalars, dark: Bool[Tensor, " ray"]) -> Points:
    """Albedo under ambient and direct light, display-encoded by a square root."""
    direct = torch.where(dark, direct * (1.0 - env[:, at.SHADOW]), direct)
    high, low = env[:, at.AMBIENT : at.AMBIENT + 6].reshape(-1, 2, 3).unbind(1)
    light = low + (0.5 + 0.5 * normals[:, 2:]) * (high - low)
    light = light + direct[:, None] * env[:, at.LIGHT_COLOUR : at.LIGHT_COLOUR + 3]
    return (albedo * (env[:, at.EXPOSURE, None] * light).sqrt()).clamp(0.0, 1.0)
