"""An independent tracer for the tests: plain numpy, rays against all triangles of all instances, no hierarchy."""

from dataclasses import dataclass

import numpy as np

from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.bvh_kernels import LEAF

Array = np.ndarray


def leaves(refs: Array, ref: int) -> list[range]:
    """Stretches of the order that the leaves below a reference hold."""
    if ref < 0:
        first, count = divmod(~int(ref), LEAF)
        return [range(first, first + count)]
    return [part for side in refs[ref] for part in leaves(refs, int(side))]


def depth_of(refs: Array, ref: int) -> int:
    """Levels of nodes below and with a reference."""
    return 0 if ref < 0 else 1 + max(depth_of(refs, int(side)) for side in refs[ref])


@dataclass
class Hits:
    """What each of R rays meets first; parameter infinite for nothing."""

    t: Array
    instance: Array
    triangle: Array
    u: Array
    v: Array


def uv_of(meshes: at.Meshes, triangle: Array, u: Array, v: Array) -> Array:
    """Texture coordinates [.. 2] of points of triangles."""
    flat = meshes.uvs[triangle].astype(float)
    return flat[..., 0:2] + u[..., None] * flat[..., 2:4] + v[..., None] * flat[..., 4:6]


def image(textures: at.Textures, k: int, level: int) -> Array:
    """[height width 4] of one level of a texture."""
    first, height, width = textures.levels[k, level]
    return textures.texels[first : first + height * width].reshape(height, width, 4)


def opaque_at(textures: at.Textures, k: int, uv: Array) -> Array:
    """Whether a texture has no hole at coordinates [n 2]."""
    picture = image(textures, k, 0)
    size = np.array(picture.shape[1::-1])
    column, row = np.minimum((uv % 1.0 * size).astype(int), size - 1).T
    return picture[row, column, 3] >= 128


def cast(
    meshes: at.Meshes, textures: at.Textures, parts: at.SceneParts, origin: Array, way: Array, start: float, stop: Array
) -> Hits:
    """Rays from origin [R 3] along way [R 3] between parameters start and stop [R]."""
    count = len(origin)
    best = Hits(stop.astype(float), np.full(count, -1), np.zeros(count, int), np.zeros(count), np.zeros(count))
    for i, row in enumerate(parts.instances):
        triangles = np.concatenate([np.array(part, int) for part in leaves(meshes.refs, int(row[at.ROOT]))])
        into = row[at.MATRIX : at.MATRIX + 9].reshape(3, 3)
        o, d = (origin @ into.T + row[at.OFFSET : at.OFFSET + 3])[:, None], (way @ into.T)[:, None]
        corner, a, b = np.split(meshes.corners[triangles].astype(float), 3, axis=-1)
        normal = np.cross(a, b)
        # Cramer's rule for o + t d = corner + u a + v b.
        det = -(d * normal).sum(-1)
        apart = o - corner
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (apart * normal).sum(-1) / det
            u = (np.cross(apart, b) * -d).sum(-1) / det
            v = (np.cross(a, apart) * -d).sum(-1) / det
            met = (abs(det) > 1e-14) & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > start) & (t < best.t[:, None])
        if row[at.TEXTURE] < 0:
            for k in np.unique(meshes.texture[triangles]):
                if textures.alpha[k] == at.CUT_OUT:
                    r, c = np.nonzero(met & (meshes.texture[triangles] == k))
                    met[r, c] = opaque_at(textures, k, uv_of(meshes, triangles[c], u[r, c], v[r, c]))
        t = np.where(met, t, np.inf)
        first = t.argmin(1)
        rays = np.flatnonzero(np.isfinite(t.min(1)))
        chosen = first[rays]
        best.t[rays], best.instance[rays], best.triangle[rays] = t[rays, chosen], i, triangles[chosen]
        best.u[rays], best.v[rays] = u[rays, chosen], v[rays, chosen]
    return best


def texture_colour(textures: at.Textures, k: int, uv: Array, pixels: float) -> Array:
    """Linear colour [3] where a picture's pixel covers that many pixels of a texture."""
    level = int(np.clip(np.floor(np.log2(max(np.sqrt(pixels), 1e-3)) + 0.5), 0, at.LEVELS - 1))
    picture = image(textures, k, level)[..., :3].astype(float)
    height, width = picture.shape[:2]
    x, y = uv[0] % 1.0 * width - 0.5, uv[1] % 1.0 * height - 0.5
    column, row = int(np.floor(x)), int(np.floor(y))
    total = np.zeros(3)
    for j, wy in ((0, 1 - (y - row)), (1, y - row)):
        for i, wx in ((0, 1 - (x - column)), (1, x - column)):
            total += wy * wx * picture[(row + j) % height, (column + i) % width]
    return (total / 255.0) ** 2


def sky_colour(textures: at.Textures, env: Array, way: Array, pixel: float) -> Array:
    """Linear colour [3] of the surroundings along a direction."""
    x, y, z = way / np.linalg.norm(way)
    k = int(env[at.SKY_TEXTURE])
    if k >= 0:
        height = textures.levels[k, 0, 1]
        v = np.clip(np.arccos(np.clip(z, -1, 1)) / np.pi, 0.5 / height, 1 - 0.5 / height)
        uv = np.array([env[at.SKY_TURN] - np.arctan2(y, x) / (2 * np.pi), v])
        return env[at.SKY_GAIN] * texture_colour(textures, k, uv, (pixel * height / np.pi) ** 2)
    horizon, end = env[at.HORIZON : at.HORIZON + 3], at.ZENITH if z > 0 else at.NADIR
    return horizon + np.sqrt(abs(z)) * (env[end : end + 3] - horizon)


class Reference:
    """A scene and what it is made of."""

    def __init__(self, meshes: at.Meshes, textures: at.Textures, parts: at.SceneParts):
        self.meshes, self.textures, self.parts, self.env = meshes, textures, parts, parts.environment
        self.lights = np.zeros((0, 2), bool)
        """[R 2] whether sun and lamp reach what the latest rays met"""

    def free(self, point: Array, way: Array, reach: float) -> bool:
        """Whether light comes to a point along a way."""
        hits = cast(self.meshes, self.textures, self.parts, point[None], way[None], 1e-4, np.array([reach]))
        return bool(hits.instance[0] < 0)

    def shade(self, way: Array, origin: Array, hits: Hits, ray: int, pixel: float) -> Array:
        """Linear colour [3] of what a ray has met."""
        meshes, env = self.meshes, self.env
        row, n = self.parts.instances[hits.instance[ray]], hits.triangle[ray]
        out = np.linalg.inv(row[at.MATRIX : at.MATRIX + 9].reshape(3, 3))
        a, b = (out @ edge for edge in np.split(meshes.corners[n, 3:].astype(float), 2))
        normal = np.cross(a, b)
        area = np.linalg.norm(normal)
        normal = normal / area
        normal = -normal if normal @ way > 0 else normal
        distance = hits.t[ray] * np.linalg.norm(way)
        point = origin + hits.t[ray] * way
        k = int(row[at.TEXTURE]) if row[at.TEXTURE] >= 0 else int(meshes.texture[n])
        repeat, shift = row[at.REPEAT : at.REPEAT + 2], row[at.SHIFT : at.SHIFT + 2]
        uv = uv_of(meshes, np.array(n), hits.u[ray], hits.v[ray]) * repeat + shift
        turns = meshes.uvs[n, 2:].astype(float).reshape(2, 2) * repeat * self.textures.levels[k, 0, [2, 1]]
        cosine = max(abs(normal @ way) / np.linalg.norm(way), 0.15)
        pixels = (pixel * distance) ** 2 / cosine * abs(np.linalg.det(turns)) / area
        albedo = texture_colour(self.textures, k, uv, pixels) * row[at.TINT : at.TINT + 3]
        through = 0.5 if row[at.TEXTURE] < 0 and self.textures.alpha[k] == at.CUT_OUT else 0.0
        up = 0.5 + 0.5 * normal[2]
        below, above = env[at.AMBIENT_DOWN : at.AMBIENT_DOWN + 3], env[at.AMBIENT_UP : at.AMBIENT_UP + 3]
        light = (1 - up) * below + up * above
        off = 2e-3 * min(distance, 1.0) * normal
        sun, to_lamp = env[at.SUN : at.SUN + 3], env[at.LAMP : at.LAMP + 3] - point
        away = np.linalg.norm(to_lamp)
        for number, way_there, strength, reach, colour in (
            (0, sun, 1.0, 1e9, env[at.SUN_COLOUR : at.SUN_COLOUR + 3]),
            (1, to_lamp, 1 / (away * (1 + env[at.FALLOFF] * away**2)), 0.999, env[at.LAMP_COLOUR : at.LAMP_COLOUR + 3]),
        ):
            cosine = normal @ way_there
            start = point + np.sign(cosine) * off
            cosine = max(cosine, -through * cosine)
            if cosine > 0 and colour.max() > 0 and self.free(start, way_there, reach):
                light = light + cosine * strength * colour
                self.lights[ray, number] = True
        return albedo * light

    def rays(self, c2w: Array, u: Array, v: Array, pixel: float) -> tuple[Array, Array, Hits]:
        """Exposed light [R 3], clipped, z-depth [R], and what rays through points of the image plane meet."""
        way = np.stack([u, v, np.ones_like(u)], -1) @ c2w[:3, :3].T
        origin = np.broadcast_to(c2w[:3, 3], way.shape)
        hits = cast(self.meshes, self.textures, self.parts, origin, way, 1e-4, np.full(len(way), np.inf))
        self.lights = np.zeros((len(way), 2), bool)
        light = np.array(
            [
                sky_colour(self.textures, self.env, way[k], pixel)
                if hits.instance[k] < 0
                else self.shade(way[k], origin[k], hits, k, pixel)
                for k in range(len(way))
            ]
        )
        return np.clip(light * self.env[at.EXPOSURE], 0, 1), np.where(hits.instance < 0, 0.0, hits.t), hits

    def view(self, c2w: Array, intrinsics: Array, height: int, width: int, antialias: bool) -> tuple[Array, Array]:
        """Picture [3 height width] and z-depth [height width]."""
        focal, centre = np.diag(intrinsics)[:2], intrinsics[:2, 2]
        pixel = 1 / np.sqrt(focal.prod())

        def traced(rows: int, columns: int, off: float) -> tuple[Array, Array, Hits]:
            y, x = (grid.ravel() + off for grid in np.mgrid[:rows, :columns])
            return self.rays(c2w, (x - centre[0]) / focal[0], (y - centre[1]) / focal[1], pixel)

        light, depth, hits = traced(height, width, 0.5)
        light = light.reshape(height, width, 3)
        if antialias:
            surfaces = np.stack([hits.instance, hits.triangle * (hits.instance >= 0), *self.lights.T], -1)
            edges = edges_of(np.sqrt(light), surfaces.reshape(height, width, 4))
            corners = traced(height + 1, width + 1, 0.0)[0].reshape(height + 1, width + 1, 3)
            around = corners[1:, 1:] + corners[:-1, 1:] + corners[1:, :-1] + corners[:-1, :-1]
            light = np.where(edges[..., None], light / 2 + around / 8, light)
        return np.sqrt(light).transpose(2, 0, 1), depth.reshape(height, width)


def edges_of(rgb: Array, surfaces: Array) -> Array:
    """Pixels [height width] of a picture [height width 3] that differ enough from a neighbour.

    More than 0.2 between surfaces [height width 4], more than 0.4 within one.
    """
    edges = np.zeros(rgb.shape[:2], bool)
    for here, there in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        limit = np.where((surfaces[here] == surfaces[there]).all(-1), 0.4, 0.2)
        differ = abs(rgb[here] - rgb[there]).max(-1) > limit
        edges[here] |= differ
        edges[there] |= differ
    return edges
