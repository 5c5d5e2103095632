"""Flow for the tests: plain numpy, from the triangle that a ray meets and where its corners are at two times."""

import numpy as np
from made.mesh_reference import cast, leaves

from tokengs_nerfstudio.data.procedural.cameras import look_at, view_intrinsics
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.arrangement import OWN, Arrangement, Hold, Item, about_z
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary
from tokengs_nerfstudio.data.procedural.meshes.mesh_scene import MeshScene
from tokengs_nerfstudio.data.procedural.meshes.motion import Course, Glide, Hung, Motion, Stretch, Turn
from tokengs_nerfstudio.data.procedural.meshes.shapes import Shape

UP = np.array([0.0, 0.0, 1.0])
MOTIONS: dict[str, Motion] = {
    "glide": Glide(np.array([0.8, 0.3, 0.0]), np.array([0.0, 0.2, 0.3]), Course(1.0, ease=-0.5)),
    "spin": Turn(np.array([0.1, 0.0, 0.0]), UP, Course(2.0)),
    "swing": Turn(np.array([0.0, 0.0, 2.0]), np.array([0.0, 1.0, 0.0]), Course(swing=0.5, turns=0.7, phase=0.1)),
    "roll": Hung(
        Glide(np.array([0.6, 0.0, 0.0]), np.zeros(3), Course(1.0)),
        Turn(np.array([0.0, 0.0, 0.2]), np.array([0.0, 1.0, 0.0]), Course(1.5)),
    ),
    "breath": Stretch(np.zeros(3), np.diag([-0.3, -0.3, 0.5]), Course(swing=0.8, phase=0.1)),
    "sway": Stretch(np.zeros(3), np.outer([0.8, 0.3, 0.0], UP), Course(swing=0.7, phase=0.05)),
}


def triangles(library: MeshLibrary, row: np.ndarray) -> np.ndarray:
    """Corners [T 3 3] in the world of an instance."""
    own = np.concatenate([np.array(part) for part in leaves(library.meshes.refs, int(row[at.ROOT]))])
    return world(row, local(library, own))


def local(library: MeshLibrary, numbers: np.ndarray) -> np.ndarray:
    """Corners [.. 3 3] of triangles in their mesh's frame."""
    a, b, c = np.split(library.meshes.corners[numbers].astype(float), 3, -1)
    return np.stack([a, a + b, a + c], -2)


def world(row: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [.. 3] of a mesh's frame as its instance has them in the world."""
    out = np.linalg.inv(row[at.MATRIX : at.MATRIX + 9].reshape(3, 3))
    return (points - row[at.OFFSET : at.OFFSET + 3]) @ out.T


def scene_of(library: MeshLibrary, env: np.ndarray, c2w: np.ndarray, *items: Item) -> MeshScene:
    """What moves among these, and what does not."""
    arrangement = Arrangement(library, list(items))
    return MeshScene(arrangement.parts(env), c2w, 0.9, 4.0, "made", arrangement.movement())


def item(mesh: int, place, sizes, motion: Motion | None = None) -> Item:
    return Item(mesh, place, sizes, about_z(0.4), OWN, Hold.LOOSE, False, motion)


def light() -> np.ndarray:
    env = np.zeros(at.ENVIRONMENT)
    env[at.SKY_TEXTURE], env[at.EXPOSURE] = -1.0, 1.0
    env[at.SUN : at.SUN + 3], env[at.SUN_COLOUR : at.SUN_COLOUR + 3] = (0.48, -0.36, 0.8), 0.8
    env[at.AMBIENT_UP : at.AMBIENT_UP + 3] = env[at.AMBIENT_DOWN : at.AMBIENT_DOWN + 3] = 0.3
    env[at.HORIZON : at.HORIZON + 9] = 0.25
    return env


def cameras(count: int) -> np.ndarray:
    places = np.array([[0.3, -4.0, 1.2], [2.5, -2.5, 2.0], [-3.0, 1.0, 1.5]])[:count]
    return look_at(places, np.zeros_like(places), np.broadcast_to([0.0, 0.0, 1.0], places.shape), np.zeros(count))


def moving_scene(library: MeshLibrary, name: str, views: int = 2) -> MeshScene:
    """A tetrahedron that moves over a floor beside one that does not."""
    floor = int(library.shapes[Shape.PLANE][0])
    return scene_of(
        library,
        light(),
        cameras(views),
        item(floor, (0, 0, -0.8), (3.0, 3.0, 1.0)),
        item(1, (0.2, 0.1, 0.3), (0.6, 0.5, 0.6), MOTIONS[name]),
        item(1, (-1.0, 0.6, 0.0), (0.4,) * 3),
    )


def rays(c2w: np.ndarray, fov: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Origins and ways [size size 3] through pixels' centres, z-component one in the camera's frame."""
    k = view_intrinsics(fov, size, size)
    y, x = np.mgrid[:size, :size] + 0.5
    way = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1) @ c2w[:3, :3].T
    return np.broadcast_to(c2w[:3, 3], way.shape), way


def reference_flow(library: MeshLibrary, scene: MeshScene, time: float, other: float, view: int, size: int):
    """Displacements [3 size size] and whether what is seen moves [size size]."""
    assert scene.movement is not None
    now, later = (scene.movement.posed(scene.parts, t) for t in (time, other))
    origin, way = (array.reshape(-1, 3) for array in rays(scene.c2w[view], scene.fov, size))
    hits = cast(library.meshes, library.textures, now, origin, way, 1e-4, np.full(len(way), np.inf))
    found, moving = np.zeros((len(way), 3)), np.zeros(len(way), bool)
    for ray in np.flatnonzero(hits.instance >= 0):
        number = int(hits.instance[ray])
        if number in scene.movement.motions:
            moving[ray] = True
            weights = np.array([1.0 - hits.u[ray] - hits.v[ray], hits.u[ray], hits.v[ray]])
            point = weights @ local(library, np.array(hits.triangle[ray]))
            found[ray] = world(later.instances[number], point) - world(now.instances[number], point)
    return found.T.reshape(3, size, size), moving.reshape(size, size)
