import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from made.mesh_reference import Reference

from tokengs_nerfstudio.data.procedural.cameras import look_at, view_intrinsics
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.arrangement import OWN, Arrangement, Hold, Look, about_z
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.kinds import KINDS, random_mesh_scene
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary, MeshSources, library_of
from tokengs_nerfstudio.data.procedural.meshes.mesh_scene import MeshScene
from tokengs_nerfstudio.data.procedural.meshes.shapes import Shape
from tokengs_nerfstudio.data.procedural.meshes.tracing import trace_on_cpu

SQUARE, TETRAHEDRON = 0, 1
SIZE = 16


def light(**parts) -> np.ndarray:
    """An environment; white light from everywhere and a grey sky unless said."""
    env = np.zeros(at.ENVIRONMENT)
    env[at.SKY_TEXTURE], env[at.EXPOSURE], env[at.SUN + 2] = -1.0, 1.0, 1.0
    env[at.AMBIENT_UP : at.AMBIENT_UP + 3] = env[at.AMBIENT_DOWN : at.AMBIENT_DOWN + 3] = 1.0
    env[at.HORIZON : at.HORIZON + 9] = 0.25
    for name, value in parts.items():
        start = getattr(at, name)
        env[start : start + np.size(value)] = value
    return env


def scene(library: MeshLibrary, env: np.ndarray, *instances, seen_from=((0.3, -4.0, 1.2),), fov=0.9) -> MeshScene:
    """Meshes (number, place, size, look) as cameras at some places see the origin."""
    arrangement = Arrangement(library)
    for mesh, place, size, look in instances:
        if isinstance(mesh, Shape):
            arrangement.put_shape(np.random.default_rng(0), mesh, place, size, about_z(0.3), look)
        else:
            arrangement.put(mesh, place, size, about_z(0.3), look, Hold.LOOSE)
    places = np.array(seen_from, float)
    up = np.broadcast_to([0.0, 0.0, 1.0], places.shape)
    c2w = look_at(places, np.zeros_like(places), up, np.full(len(places), 0.1))
    return MeshScene(arrangement.parts(env), c2w, fov, 4.0, "made")


def compared(library: MeshLibrary, made: MeshScene, size: int = SIZE, antialias: bool = False):
    """Pictures and depths by the kernels and by the reference."""
    ours = trace_on_cpu(library, made, size, size + 3, antialias)
    reference = Reference(library.meshes, library.textures, made.parts)
    intrinsics = view_intrinsics(made.fov, size, size + 3)
    theirs = [reference.view(c2w, intrinsics, size, size + 3, antialias) for c2w in made.c2w]
    return *ours, np.array([rgb for rgb, _ in theirs]), np.array([depth for _, depth in theirs])


def assert_equal(library, made, **options) -> tuple[np.ndarray, np.ndarray]:
    rgb, depth, other_rgb, other_depth = compared(library, made, **options)
    assert np.array_equal(depth > 0, other_depth > 0)
    np.testing.assert_allclose(depth, other_depth, rtol=1e-5)
    np.testing.assert_allclose(rgb, other_rgb, atol=2e-6)
    return rgb, depth


def test_a_plain_mesh_with_its_depth(library):
    _, depth = assert_equal(library, scene(library, light(), (TETRAHEDRON, (0, 0, -1), 1.0, OWN)))
    assert 0.05 < (depth > 0).mean() < 0.6


def test_cut_outs_let_rays_through(library):
    rgb, depth = assert_equal(library, scene(library, light(), (SQUARE, (0, 0, -1), 1.0, OWN)))
    covered = scene(library, light(), (SQUARE, (0, 0, -1), 1.0, Look(texture=1)))
    _, whole = trace_on_cpu(library, covered, SIZE, SIZE + 3, antialias=False)
    assert 0.65 < (depth > 0).sum() / (whole > 0).sum() < 0.85
    assert np.allclose(rgb[:, :, depth[0] == 0], 0.5)


@pytest.mark.parametrize("repeat", [(1.0, 1.0), (3.0, 0.7), (40.0, 30.0), (-1.0, 1.0), (0.01, 0.01)])
def test_textures_with_repeats_offsets_tints_and_levels(library, repeat):
    look = Look((1.2, 0.8, 0.5), int(library.grounds[0]), repeat, (0.3, 0.8))
    rgb, _ = assert_equal(library, scene(library, light(), (Shape.PLANE, (0, 0, -0.5), (20.0, 5.0, 1.0), look)))
    assert rgb.std() > 0.01


def test_levels_follow_the_area_that_a_pixel_covers(library):
    """Of a plane stretched twenty times as a unit square with twenty times the repeats."""
    look = Look(texture=int(library.grounds[0]), repeat=(2.0, 2.0))
    far = Look(texture=int(library.grounds[0]), repeat=(2.0, 2.0))
    small = scene(library, light(), (Shape.PLANE, (0, 0, 0), (1.0, 1.0, 1.0), look), seen_from=[(0.1, -0.1, 3.0)])
    large = scene(library, light(), (Shape.PLANE, (0, 0, 0), (20.0, 20.0, 7.0), far), seen_from=[(2.0, -2.0, 60.0)])
    rgb, depth = trace_on_cpu(library, small, SIZE, SIZE, antialias=False)
    again, twenty = trace_on_cpu(library, large, SIZE, SIZE, antialias=False)
    np.testing.assert_allclose(twenty, 20 * depth, rtol=1e-5)
    np.testing.assert_allclose(again, rgb, atol=1e-4)


def test_sun_and_shadows(library):
    env = light(SUN=(0.6, 0.0, 0.8), SUN_COLOUR=(2.0, 1.5, 1.0), AMBIENT_UP=(0.1,) * 3, AMBIENT_DOWN=(0.05,) * 3)
    floor = (Shape.PLANE, (0, 0, -1), (6.0, 6.0, 1.0), Look(texture=1))
    rgb, depth = assert_equal(library, scene(library, env, floor, (TETRAHEDRON, (0, 0, -1), 0.7, OWN)))
    bare, _ = trace_on_cpu(library, scene(library, env, floor), SIZE, SIZE + 3, antialias=False)
    on_floor = (depth[0] > 0) & (abs(rgb[0] / bare[0] - 1).max(0) > 1e-3)
    assert on_floor.sum() > 4


def test_a_lamp_within_reach_and_its_falloff(library):
    env = light(LAMP=(0.5, -1.5, 1.0), LAMP_COLOUR=(1.0, 2.0, 1.0), FALLOFF=(0.3,), AMBIENT_UP=(0.05,) * 3)
    env[at.AMBIENT_DOWN : at.AMBIENT_DOWN + 3] = 0.0
    floor = (Shape.PLANE, (0, 0, -1), (6.0, 6.0, 1.0), Look(texture=1))
    over = (Shape.PLANE, (0.5, -1.5, 3.0), (6.0, 6.0, 1.0), Look(texture=1))
    assert_equal(library, scene(library, env, floor, over, (SQUARE, (0, 0, -1), 0.7, OWN)))
    dark = env.copy()
    dark[at.LAMP_COLOUR : at.LAMP_COLOUR + 3] = 0.0
    (lit, depth), (unlit, _) = (
        trace_on_cpu(library, scene(library, e, floor, over), SIZE, SIZE + 3, antialias=False) for e in (env, dark)
    )
    floor_seen = depth[0] > 0
    assert lit[0, 1][floor_seen].mean() > 1.5 * unlit[0, 1][floor_seen].mean()


def test_sun_shines_through_leaves(library):
    behind = light(SUN=(0.0, 1.0, 0.0), SUN_COLOUR=(2.0,) * 3, AMBIENT_UP=(0.1,) * 3, AMBIENT_DOWN=(0.1,) * 3)
    rgb, depth = assert_equal(library, scene(library, behind, (SQUARE, (0, 0, -1), 1.0, OWN)))
    opaque = scene(library, behind, (SQUARE, (0, 0, -1), 1.0, Look(texture=0)))
    dark, _ = trace_on_cpu(library, opaque, SIZE, SIZE + 3, antialias=False)
    assert rgb[0][:, depth[0] > 0].mean() > 1.5 * dark[0][:, depth[0] > 0].mean()


def test_a_sky_from_horizon_to_zenith(library):
    env = light(HORIZON=(0.9, 0.8, 0.7), ZENITH=(0.1, 0.2, 0.8), NADIR=(0.2, 0.1, 0.0))
    rgb, depth = assert_equal(library, scene(library, env, (TETRAHEDRON, (50, 0, 0), 0.1, OWN)))
    assert (depth == 0).all()
    assert rgb.std() > 0.05


def test_panoramas_turn_to_the_right_as_their_pictures_do(library):
    panorama = float(library.panoramas[0])
    env = light(SKY_TEXTURE=(panorama,), SKY_TURN=(0.3,), SKY_GAIN=(1.3,))
    far = (TETRAHEDRON, (500, 0, 0), 0.1, OWN)
    assert_equal(library, scene(library, env, far, seen_from=[(0.3, -4.0, 1.2), (2.0, 1.0, -3.0)]))
    ahead, right = (scene(library, env, far, seen_from=[place]) for place in ((0, -4.0, 0.1), (-4.0, 0, 0.1)))
    # A quarter turn to the right, from +y to +x, is a quarter of the picture's width onwards.
    turned = replace(right, parts=right.parts._replace(environment=env + np.eye(at.ENVIRONMENT)[at.SKY_TURN] * -0.25))
    first, second = (trace_on_cpu(library, made, SIZE, SIZE, antialias=False)[0] for made in (ahead, turned))
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_pixels_at_borders_are_mixed_with_their_corners(library):
    env = light(SUN=(0.6, 0.0, 0.8), SUN_COLOUR=(2.0, 1.5, 1.0), AMBIENT_UP=(0.1,) * 3, EXPOSURE=(1.4,))
    floor = (Shape.PLANE, (0, 0, -1), (6.0, 6.0, 1.0), Look(texture=int(library.walls[0]), repeat=(3.0, 3.0)))
    made = scene(library, env, floor, (SQUARE, (0, 0, -1), 1.0, OWN), seen_from=[(0.3, -4.0, 1.2), (3.0, 1.0, 2.0)])
    smooth, depth = assert_equal(library, made, antialias=True)
    jagged, same = trace_on_cpu(library, made, SIZE, SIZE + 3, antialias=False)
    assert np.array_equal(depth, same)
    assert 0.02 < (smooth != jagged).any(1).mean() < 0.9


def test_mixed_borders_are_nearer_to_the_mean_of_many_rays(library):
    look = Look(texture=int(library.walls[0]))
    made = scene(library, light(), (TETRAHEDRON, (0, 0, -1), 1.0, look), (SQUARE, (0, 1, -1), 1.0, OWN))
    fine, _ = trace_on_cpu(library, made, 8 * SIZE, 8 * SIZE, antialias=False)
    mean = np.sqrt((fine.astype(float) ** 2).reshape(3, SIZE, 8, SIZE, 8).mean((2, 4)))
    jagged, smooth = (trace_on_cpu(library, made, SIZE, SIZE, antialias)[0][0] for antialias in (False, True))
    assert abs(smooth - mean).mean() < 0.75 * abs(jagged - mean).mean()


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("seed", range(3))
def test_random_scenes_equal_the_reference(library, sources, kind, seed):
    shares = tuple(float(k == kind) for k in range(len(KINDS)))
    config = MeshSceneConfig(sources, kinds=shares)
    made = random_mesh_scene(np.random.default_rng((seed, 77)), config, library, 2)
    rgb, depth, other_rgb, other_depth = compared(library, made, size=10)
    # Rays that graze an edge, or end at one of two surfaces in one place, may end on the other one.
    wrong = (abs(depth - other_depth) > 1e-4 * (1 + other_depth)) | (abs(rgb - other_rgb).max(1) > 1e-4)
    assert wrong.mean() <= 0.01


def test_triangles_without_area_are_never_hit(library, tmp_path):
    from made.meshes import small_pack

    pack = small_pack()
    vertices = pack.vertices.copy()
    vertices[4:] = [[1, 1, 1], [-1, -1, -1], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]  # a line and a point
    replace(pack, vertices=vertices).save(tmp_path / "flat.npz")
    flat = library_of(MeshSources(tmp_path / "flat.npz"))
    made = scene(flat, light(), (TETRAHEDRON, (0, 0, -1), 1.0, OWN), (SQUARE, (0, 1, -1), 1.0, OWN))
    rgb, depth = assert_equal(flat, made)
    assert np.isfinite(rgb).all()
    alone = scene(flat, light(), (TETRAHEDRON, (0, 0, -1), 1.0, OWN))
    assert (trace_on_cpu(flat, alone, SIZE, SIZE, antialias=False)[1] == 0).all()
    assert (depth > 0).any()


def test_threads_change_nothing(library, sources):
    made = random_mesh_scene(np.random.default_rng(5), MeshSceneConfig(sources), library, 3)
    alone, together = (trace_on_cpu(library, made, 12, 14, True, threads) for threads in (1, 3))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together))


def test_depth_equals_another_ray_caster_on_the_real_pack(shared, monkeypatch):
    path = shared / "meshes" / "meshes_small.npz"
    if not path.is_file():
        pytest.skip("no mesh packs in ../shared")
    try:
        # What nobody needs here, for it wants more packages.
        monkeypatch.setitem(sys.modules, "open3d.ml", ModuleType("open3d.ml"))
        import open3d as o3d

        world = o3d.t.geometry.RaycastingScene()
    except ImportError as error:
        pytest.skip(f"open3d cannot be imported: {error}")
    sources = MeshSources(path, texture_size=16)
    library = library_of(sources)
    made = random_mesh_scene(np.random.default_rng(3), MeshSceneConfig(sources), library, 2)
    size = 40
    no_holes = library.textures._replace(alpha=np.zeros_like(library.textures.alpha))
    _, depth = trace_on_cpu(replace(library, textures=no_holes), made, size, size, antialias=False)
    world.add_triangles(*(o3d.core.Tensor(array) for array in all_triangles(library, made)))
    k = view_intrinsics(made.fov, size, size)
    y, x = np.mgrid[:size, :size] + 0.5
    way = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1)
    for c2w, ours in zip(made.c2w, depth):
        rays = np.concatenate([np.broadcast_to(c2w[:3, 3], way.shape), way @ c2w[:3, :3].T], -1).astype(np.float32)
        theirs = world.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy()
        theirs = np.where(np.isfinite(theirs), theirs, 0.0)
        assert (theirs > 0).mean() > 0.3
        assert (abs(ours - theirs) > 2e-3 * (1 + theirs)).mean() < 0.01


def all_triangles(library: MeshLibrary, made: MeshScene) -> tuple[np.ndarray, np.ndarray]:
    """Corners and triangles of a whole scene in its world."""
    from made.mesh_reference import leaves

    corners = []
    for row in made.parts.instances:
        own = np.concatenate([np.array(part) for part in leaves(library.meshes.refs, int(row[at.ROOT]))])
        a, b, c = np.split(library.meshes.corners[own].astype(float), 3, -1)
        out = np.linalg.inv(row[at.MATRIX : at.MATRIX + 9].reshape(3, 3))
        points = np.stack([a, a + b, a + c], 1) - row[at.OFFSET : at.OFFSET + 3]
        corners.append((points @ out.T).reshape(-1, 3))
    vertices = np.concatenate(corners).astype(np.float32)
    return vertices, np.arange(len(vertices), dtype=np.uint32).reshape(-1, 3)
