from dataclasses import replace

import numpy as np
import pytest
from made.mesh_reference import Reference, leaves
from made.moving_reference import MOTIONS, moving_scene, triangles

from tokengs_nerfstudio.data.procedural.cameras import view_intrinsics
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.tracing import trace_on_cpu

SIZE = 20


@pytest.mark.parametrize("name", MOTIONS)
def test_an_instance_is_where_its_motion_takes_its_corners(library, name):
    scene, motion = moving_scene(library, name), MOTIONS[name]
    for time in (0.0, 0.3, 1.0):
        posed = scene.movement.posed(scene.parts, time)
        matrix = motion.at(time)
        before, after = (triangles(library, parts.instances[1]) for parts in (scene.parts, posed))
        np.testing.assert_allclose(after, before @ matrix[:3, :3].T + matrix[:3, 3], atol=1e-6)
        assert np.array_equal(posed.instances[[0, 2]], scene.parts.instances[[0, 2]])
        tail = slice(at.TINT, at.INSTANCE)
        assert np.array_equal(posed.instances[1, tail], scene.parts.instances[1, tail])
        volume = 1 / np.linalg.det(posed.instances[1, at.MATRIX : at.MATRIX + 9].reshape(3, 3))
        assert posed.instances[1, at.VOLUME] == pytest.approx(volume)
        assert sorted(k for part in leaves(posed.refs, posed.root) for k in posed.order[list(part)]) == [0, 1, 2]


@pytest.mark.parametrize("name", MOTIONS)
def test_pictures_of_posed_instances_are_those_of_the_reference(library, name):
    """Brute force over all triangles: what the hierarchy of each time leaves out would be missed."""
    scene = replace(moving_scene(library, name), times=np.array([0.2, 0.9]))
    rgb, depth = trace_on_cpu(library, scene, SIZE, SIZE, antialias=False)
    for view, time in enumerate(scene.times):
        reference = Reference(library.meshes, library.textures, scene.movement.posed(scene.parts, float(time)))
        intrinsics = view_intrinsics(scene.fov, SIZE, SIZE)
        theirs, there = reference.view(scene.c2w[view], intrinsics, SIZE, SIZE, antialias=False)
        np.testing.assert_allclose(depth[view], there, rtol=1e-5)
        np.testing.assert_allclose(rgb[view], theirs, atol=2e-6)
    assert not np.array_equal(*trace_on_cpu(library, replace(scene, c2w=scene.c2w[[0, 0]]), SIZE, SIZE, False)[1])


def test_threads_change_nothing(library):
    scene = replace(moving_scene(library, "roll"), times=np.array([0.2, 0.9]))
    alone, together = (trace_on_cpu(library, scene, SIZE, SIZE, True, threads) for threads in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together))


def test_views_of_one_time_share_their_instances(library):
    scene = replace(moving_scene(library, "spin", 3), times=np.array([0.5, 0.1, 0.5]))
    first, second, third = scene.parts_by_view()
    assert first is third
    assert first is not second
    still = replace(scene, movement=None)
    assert all(parts is still.parts for parts in still.parts_by_view())


def test_changes_lead_from_one_time_to_another_and_back(library):
    movement = moving_scene(library, "sway").movement
    there, back = movement.changes(0.2, 0.7), movement.changes(0.7, 0.2)
    assert not there[[0, 2]].any()
    assert not movement.changes(0.4, 0.4)[1].round(12).any()
    point = np.array([0.4, 0.2, 0.9, 1.0])
    moved = point[:3] + there[1] @ point
    assert np.linalg.norm(moved - point[:3]) > 0.1
    np.testing.assert_allclose(moved + back[1] @ np.array([*moved, 1.0]), point[:3], atol=1e-12)
    assert movement.moves.tolist() == [False, True, False]
