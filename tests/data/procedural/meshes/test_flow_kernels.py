from dataclasses import replace

import numpy as np
import pytest
from made.mesh_reference import cast
from made.moving_reference import MOTIONS, moving_scene, rays, reference_flow

from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary
from tokengs_nerfstudio.data.procedural.meshes.mesh_scene import MeshScene
from tokengs_nerfstudio.data.procedural.meshes.moving import moving_mesh_scene, trace_flow_on_cpu
from tokengs_nerfstudio.data.procedural.meshes.tracing import trace_on_cpu

SIZE = 20


@pytest.mark.parametrize("name", MOTIONS)
def test_flow_is_that_of_the_reference(library, name):
    """Which weighs the corners of the triangle that a ray meets, at both times."""
    scene = replace(moving_scene(library, name), times=np.array([0.2, 0.9]))
    others = (0.7, 0.0)
    displacement, moving = trace_flow_on_cpu(library, scene, others, SIZE, SIZE)
    for view in range(2):
        theirs, there = reference_flow(library, scene, float(scene.times[view]), others[view], view, SIZE)
        assert np.array_equal(moving[view], there)
        np.testing.assert_allclose(displacement[view], theirs, atol=1e-5)
        assert 0.02 < there.mean() < 0.9
        assert abs(theirs).max() > 0.03


def test_what_stands_still_and_the_sky_have_none(library):
    scene = replace(moving_scene(library, "glide"), times=np.array([0.2, 0.9]))
    displacement, moving = trace_flow_on_cpu(library, scene, (0.8, 0.8), SIZE, SIZE)
    _, depth = trace_on_cpu(library, scene, SIZE, SIZE, antialias=False)
    assert not displacement[:, :, ~moving[0]][0].any()
    assert ((depth > 0) & ~moving).any()
    assert (depth == 0).any()
    assert not moving[depth == 0].any()
    same, ever = trace_flow_on_cpu(library, scene, scene.times, SIZE, SIZE)
    assert np.array_equal(ever, moving)
    assert abs(same).max() < 1e-12


def landed(library: MeshLibrary, scene: MeshScene, view: int, other: float, size: int) -> np.ndarray:
    """Where the pixels that move land, looked at by the tracer's reference at the other time: what lies between there
    and the camera, as a share of the way; 1 for a surface just there."""
    _, depth = trace_on_cpu(library, scene, size, size, antialias=False)
    displacement, moving = trace_flow_on_cpu(library, scene, np.full(len(scene.c2w), other), size, size)
    origin, way = rays(scene.c2w[view], scene.fov, size)
    points = origin + depth[view][..., None] * way + displacement[view].transpose(1, 2, 0)
    towards = (points - origin)[moving[view]]
    later = scene.movement.posed(scene.parts, other)
    start = np.broadcast_to(scene.c2w[view][:3, 3], towards.shape)
    return cast(library.meshes, library.textures, later, start, towards, 1e-4, np.full(len(towards), np.inf)).t


@pytest.mark.parametrize("name", MOTIONS)
def test_points_land_on_the_surface_at_the_other_time(library, name):
    """Nothing is behind the ray's way to them, and unless they have turned away or something hides them, they are what
    a camera sees there."""
    scene = replace(moving_scene(library, name), times=np.array([0.3, 0.3]))
    for view in range(2):
        share = landed(library, scene, view, 0.6, SIZE)
        assert (share < 1 + 1e-4).all()
        assert (share > 1 - 1e-4).mean() > 0.4


@pytest.mark.parametrize("number", range(3))
def test_points_of_random_scenes_land_on_surfaces(sources, library, number):
    scene = moving_mesh_scene(np.random.default_rng(number), MeshSceneConfig(sources), 3)
    scene = replace(scene, times=np.array([0.4, 0.45, 0.5]))
    shares = np.concatenate([landed(library, scene, view, 0.52, SIZE) for view in range(3)])
    assert len(shares) > 8
    assert (shares < 1 + 1e-3).mean() > 0.97  # through holes of leaves, whose borders round differently, some pass
    assert (abs(shares - 1) < 1e-3).mean() > 0.4
