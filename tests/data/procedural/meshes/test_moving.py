from dataclasses import replace

import numpy as np
import pytest
import torch
from made.moving_reference import reference_flow

from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig, MovementConfig, PhotoConfig
from tokengs_nerfstudio.data.procedural.meshes.moving import MovingMeshes, trace_flow_on_cpu
from tokengs_nerfstudio.data.procedural.meshes.tracing import mesh_scene

SIZE = 16
PLAIN = PhotoConfig(0.0, 0.0, (1.0, 1.0), 0.0, 0.0, (0, 0))


@pytest.fixture(scope="module")
def config(sources) -> MeshSceneConfig:
    return MeshSceneConfig(sources, photo=PLAIN)


@pytest.fixture(scope="module")
def world(config) -> MovingMeshes:
    return MovingMeshes(5, 4, SIZE, SIZE, config)


def test_a_number_is_a_scene_that_moves(config, world):
    again, other = MovingMeshes(5, 4, SIZE, SIZE, config), MovingMeshes(6, 4, SIZE, SIZE, config)
    shots = ([0, 1, 0], [0.0, 0.4, 1.0])
    views, same = world.views(*shots), again.views(*shots, threads=2)
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(views.tensors(), same.tensors()))
    assert not torch.equal(views.images, other.views(*shots).images)
    assert views.images.shape == (3, 3, SIZE, SIZE)
    assert views.depths is not None
    assert views.times is not None
    assert views.times.tolist() == pytest.approx(shots[1])
    assert torch.equal(views.c2w[0], views.c2w[2])
    assert not torch.equal(views.images[0], views.images[2])
    with pytest.raises(ValueError, match="number >= 0 and at least one camera"):
        MovingMeshes(-1, 2, 8, 8, config)


def test_photos_of_one_shot_do_not_depend_on_the_others(world):
    one, several = world.views([1], [0.4]), world.views([0, 1, 0], [0.0, 0.4, 1.0])
    assert torch.equal(one.images[0], several.images[1])
    assert torch.equal(one.depths[0], several.depths[1])


def test_moments_span_all_of_time(sources):
    config = MeshSceneConfig(sources, movement=MovementConfig(moments=(4, 7)))
    counts = set()
    for number in range(20):
        moments = MovingMeshes(number, 2, 8, 8, config).moments
        assert moments[0] == 0.0
        assert moments[-1] == 1.0
        assert np.allclose(np.diff(moments), moments[1])
        counts.add(len(moments))
    assert counts <= {4, 5, 6, 7}
    assert len(counts) > 2


def test_flow_is_of_the_times_asked_for(library, world):
    flow = world.flow([0, 2], [0.1, 0.6], [0.9, 0.6])
    scene = world.scene
    theirs, moving = reference_flow(library, scene, 0.1, 0.9, 0, SIZE)
    np.testing.assert_allclose(flow.displacement[0], theirs, atol=1e-5)
    assert np.array_equal(flow.moving[0, 0], moving)
    assert abs(flow.displacement[1]).max() < 1e-12
    assert flow.moving.shape == (2, 1, SIZE, SIZE)


def test_what_moves_is_seen_in_a_share_of_the_pictures(sources):
    config = MeshSceneConfig(sources, movement=MovementConfig(seen=(0.05, 0.5)))
    shares = []
    for number in range(12):
        world = MovingMeshes(number, 4, 24, 24, config)
        flow = world.flow([0, 1, 2, 3], [0.0, 0.4, 0.6, 1.0], [1.0, 1.0, 0.0, 0.0])
        shares.append(float(flow.moving.float().mean()))
    assert np.median(shares) > 0.05
    assert max(shares) < 0.7


def test_there_is_no_flow_in_a_scene_that_stands_still(sources, library):
    scene = mesh_scene(np.random.default_rng(0), MeshSceneConfig(sources), 2)
    with pytest.raises(ValueError, match="stands still"):
        trace_flow_on_cpu(library, replace(scene, times=np.zeros(2)), [1.0, 1.0], 8, 8)
