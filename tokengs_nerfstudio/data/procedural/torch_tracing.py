"""Ray tracing of procedural scenes in plain torch, for GPU and as the readable reference of `trace_kernels`.

Rays are flat lists; each meets the primitives whose bounding spheres it crosses, and these pairs of ray and primitive
are solved kind by kind.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tokengs_nerfstudio.data.procedural import layout as at
from tokengs_nerfstudio.data.procedural import torch_shading as shading
from tokengs_nerfstudio.data.procedural.torch_shapes import hit_kind, norm, normals_of

Points = Float[Tensor, "ray 3"]
Scalars = Float[Tensor, " ray"]
Rows = Float[Tensor, "ray column"]
CHUNK = 1 << 19
"""Rays traced at a time, which bounds memory."""


@dataclass(frozen=True)
class World:
    """The arrays of a batch of scenes as tensors."""

    primitives: Float[Tensor, "scene primitive column"]
    counts: Int[Tensor, " scene"]
    materials: Float[Tensor, "scene material column2"]
    environments: Float[Tensor, "scene column3"]
    table: Float[Tensor, "cell 4"]


@dataclass(frozen=True)
class Rays:
    """Rays in the world; directions have length one along the optical axis, so that the ray parameter is z-depth."""

    scene: Int[Tensor, " ray"]
    origin: Points
    direction: Points
    pixel: Scalars
    """Size of a pixel at depth one."""

    def select(self, index: Tensor | slice) -> "Rays":
        return Rays(self.scene[index], self.origin[index], self.direction[index], self.pixel[index])


def own_frame(rows: Rows, origin: Points, direction: Points) -> tuple[Points, Points]:
    """World rays in the frames of primitives."""
    rotation = rows[:, at.ROTATION : at.ROTATION + 9].reshape(-1, 3, 3)
    centred = origin - rows[:, at.CENTRE : at.CENTRE + 3]
    return torch.einsum("rij,rj->ri", rotation, centred), torch.einsum("rij,rj->ri", rotation, direction)


def crossed(world: World, rays: Rays, best: Scalars) -> tuple[Int[Tensor, " pair"], Int[Tensor, " pair"]]:
    """Pairs of ray and primitive where the ray crosses the bounding sphere before `best`."""
    centre = world.primitives[..., at.CENTRE : at.CENTRE + 3][rays.scene]
    radius = world.primitives[..., at.RADIUS][rays.scene]
    offset = rays.origin[:, None] - centre
    dd = rays.direction.square().sum(-1)[:, None]
    b = (offset * rays.direction[:, None]).sum(-1)
    root = b * b - dd * (offset.square().sum(-1) - radius.square())
    width = root.clamp(min=0.0).sqrt()
    inside = (root > 0.0) & (-b + width >= at.RAY_START * dd) & (-b - width <= best[:, None] * dd)
    real = torch.arange(radius.shape[1], device=radius.device) < world.counts[rays.scene][:, None]
    ray, primitive = (inside & real).nonzero().unbind(-1)
    return ray, primitive


def nearest_primitive(world: World, rays: Rays, best: Scalars) -> tuple[Scalars, Int[Tensor, " ray"]]:
    """The nearest hit before `best` and its primitive; `best` and -1 where there is none."""
    ray, primitive = crossed(world, rays, best)
    rows = world.primitives[rays.scene[ray], primitive]
    o, d = own_frame(rows, rays.origin[ray], rays.direction[ray])
    t = torch.full_like(o[:, 0], at.MISS)
    kinds = rows[:, at.KIND].long()
    for kind in range(at.RELIEF + 1):
        which = (kinds == kind).nonzero()[:, 0]
        t[which] = hit_kind(kind, rows[which], o[which], d[which], best[ray[which]])
    nearest = best.scatter_reduce(0, ray, t, "amin")
    winner = (t == nearest[ray]) & (t < best[ray])
    found = torch.full_like(rays.scene, -1)
    found[ray[winner]] = primitive[winner]
    return nearest, found


def hit_room(env: Rows, rays: Rays) -> tuple[Scalars, Int[Tensor, " ray"]]:
    """Nearest wall (0-3), floor (4) or ceiling (5) of the room that holds the camera, or the ground; MISS and -1."""
    o, d = rays.origin, rays.direction
    wall = torch.where(d > 0.0, env[:, at.HIGH : at.HIGH + 3], env[:, at.LOW : at.LOW + 3])
    t = (wall - o) / torch.where(d.abs() > 1e-12, d, 1e-12)
    t = torch.where((d.abs() > 1e-12) & (t > at.RAY_START), t, at.MISS)
    best, axis = t.min(-1)
    face = torch.where(best < at.MISS, 2 * axis + (d.gather(1, axis[:, None])[:, 0] > 0.0), -1)
    floor = (env[:, at.LOW + 2] - o[:, 2]) / torch.where(d[:, 2] < -1e-12, d[:, 2], -1e-12)
    ground = (env[:, at.GROUND] > 0.5) & (d[:, 2] < -1e-12) & (floor > at.RAY_START) & (floor < env[:, at.HIGH])
    room = env[:, at.ROOM] > 0.5
    return (
        torch.where(room, best, torch.where(ground, floor, at.MISS)),
        torch.where(room, face, torch.where(ground, 4, -1)),
    )


def trace(world: World, rays: Rays) -> tuple[Points, Scalars, Int[Tensor, " ray"]]:
    """Colour, depth (0 for the backdrop) and surface code (twice the material, plus one in shadow; -1) of rays."""
    env = world.environments[rays.scene]
    best, face = hit_room(env, rays)
    best, found = nearest_primitive(world, rays, best)
    rgb = shading.backdrop(env, world.table, rays.direction)
    code = torch.full_like(rays.scene, -1)
    seen = ((found >= 0) | (face >= 0)).nonzero()[:, 0]
    if len(seen):
        rgb[seen], code[seen] = shade(world, rays.select(seen), env[seen], best[seen], found[seen], face[seen])
    return rgb, torch.where(code >= 0, best, 0.0), code


def shade(
    world: World, rays: Rays, env: Rows, t: Scalars, found: Int[Tensor, " ray"], face: Int[Tensor, " ray"]
) -> tuple[Points, Int[Tensor, " ray"]]:
    """Colour and surface code of rays that hit something."""
    on_primitive = found >= 0
    rows = world.primitives[rays.scene, found.clamp(min=0)]
    o, d = own_frame(rows, rays.origin, rays.direction)
    world_points = rays.origin + t[:, None] * rays.direction
    own, second = normals_of(rows, o + t[:, None] * d)
    rotation = rows[:, at.ROTATION : at.ROTATION + 9].reshape(-1, 3, 3)
    turned = torch.einsum("rji,rj->ri", rotation, own)
    turned = turned / norm(turned).clamp(min=1e-12)[:, None]
    wall_axis = torch.nn.functional.one_hot(face.clamp(min=0) // 2, 3).to(t.dtype)
    walls = wall_axis * (1.0 - 2.0 * (face.clamp(min=0) % 2))[:, None]
    normals = torch.where(on_primitive[:, None], turned, walls)
    points = torch.where(on_primitive[:, None], o + t[:, None] * d, world_points)
    material = torch.where(on_primitive, at.ENVIRONMENT_MATERIALS + 2 * found + second.long(), face)
    length = norm(rays.direction)
    slant = (normals * rays.direction).sum(-1).abs() / length
    footprint = rays.pixel * t * length / slant.clamp(min=0.05).sqrt()
    materials = world.materials[rays.scene, material]
    albedo, bumped = shading.surface(materials, world.table, points, normals, footprint)
    towards, power, limit = shading.light_at(env, world_points)
    direct = shading.direct_light(env, bumped, towards, power)
    start = world_points + at.SHADOW_OFFSET * normals
    asked = ((env[:, at.SHADOW] > 0.0) & (direct > 0.0)).nonzero()[:, 0]
    dark = torch.zeros_like(on_primitive)
    shadow_rays = Rays(rays.scene[asked], start[asked], towards[asked], rays.pixel[asked])
    dark[asked] = nearest_primitive(world, shadow_rays, limit[asked])[1] >= 0
    return shading.lit_colour(env, albedo, bumped, direct, dark), 2 * material + dark


def camera_rays(
    c2w: Float[Tensor, "scene view 4 4"],
    intrinsics: Float[Tensor, "scene view 3 3"],
    x: Tensor,
    y: Tensor,
    view: Tensor,
) -> Rays:
    """Rays through pixel positions (x, y) of views counted over scenes and views."""
    camera, k = c2w.flatten(0, 1)[view], intrinsics.flatten(0, 1)[view]
    u, v = (x - k[:, 0, 2]) / k[:, 0, 0], (y - k[:, 1, 2]) / k[:, 1, 1]
    direction = torch.einsum("rij,rj->ri", camera[:, :3, :3], torch.stack([u, v, torch.ones_like(u)], -1))
    scene = torch.div(view, c2w.shape[1], rounding_mode="floor")
    return Rays(scene, camera[:, :3, 3], direction, 1.0 / (k[:, 0, 0] * k[:, 1, 1]).sqrt())


def border_pixels(
    code: Int[Tensor, "view height width"], rgb: Float[Tensor, "view height width 3"]
) -> Bool[Tensor, "view height width"]:
    """Pixels whose neighbour shows another surface, or the other side of a shadow's edge, in another colour."""
    out = torch.zeros_like(code, dtype=torch.bool)
    for axis in (1, 2):
        size = code.shape[axis] - 1
        differ = (code.diff(dim=axis) != 0) & (rgb.diff(dim=axis).abs().amax(-1) > at.EDGE_CONTRAST)
        out.narrow(axis, 0, size).logical_or_(differ)
        out.narrow(axis, 1, size).logical_or_(differ)
    return out


def trace_views(
    world: World,
    c2w: Float[Tensor, "scene view 4 4"],
    intrinsics: Float[Tensor, "scene view 3 3"],
    height: int,
    width: int,
    antialias: bool,
) -> tuple[Float[Tensor, "scene view 3 height width"], Float[Tensor, "scene view 1 height width"]]:
    """Images and z-depth (of the pixels' centres, 0 for the backdrop) of every view of every scene."""
    scenes, views = c2w.shape[:2]
    grid = [torch.arange(n, device=c2w.device) for n in (scenes * views, height, width)]
    view, y, x = (axis.reshape(-1) for axis in torch.meshgrid(*grid, indexing="ij"))
    pieces = [
        trace(world, camera_rays(c2w, intrinsics, a + 0.5, b + 0.5, n))
        for a, b, n in zip(x.split(CHUNK), y.split(CHUNK), view.split(CHUNK))
    ]
    rgb, depth, code = (torch.cat(piece) for piece in zip(*pieces))
    if antialias:
        shaped = (scenes * views, height, width)
        edge = border_pixels(code.reshape(shaped), rgb.reshape(*shaped, 3)).reshape(-1).nonzero()[:, 0]
        for some in edge.split(CHUNK):
            total = rgb[some]
            for dx, dy in at.SAMPLES:
                total = (
                    total
                    + trace(world, camera_rays(c2w, intrinsics, x[some] + 0.5 + dx, y[some] + 0.5 + dy, view[some]))[0]
                )
            rgb[some] = 0.25 * total
    images = rgb.reshape(scenes, views, height, width, 3).permute(0, 1, 4, 2, 3).contiguous()
    return images, depth.reshape(scenes, views, 1, height, width)
