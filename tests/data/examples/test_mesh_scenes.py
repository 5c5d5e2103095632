from dataclasses import replace

import numpy as np
import pytest
import torch
from made.meshes import small_sources

from tokengs_nerfstudio.data.examples.mesh_scenes import MeshExamples
from tokengs_nerfstudio.data.examples.procedural import FIRST_HELD_OUT
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.views import mesh_views

SHAPE = BatchShape(scenes=4, context=3, novel=2, shown=1, height=16, width=24, first=70)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> MeshSceneConfig:
    return MeshSceneConfig(small_sources(tmp_path_factory.mktemp("meshes")))


def cameras(example, scene: int) -> set[tuple[float, ...]]:
    """Places from which any picture of a scene was taken."""
    both = torch.cat([example.context.c2w[scene], example.target.c2w[scene]])
    return {tuple(place) for place in both[:, :3, 3].tolist()}


def test_views_are_photos_with_exact_depths_that_follow_from_the_seed(scenes):
    views = mesh_views(3, 4, 16, 24, scenes)
    again, other = mesh_views(3, 4, 16, 24, scenes, threads=2), mesh_views(4, 4, 16, 24, scenes)
    assert views.images.shape == (4, 3, 16, 24)
    assert views.depths.shape == (4, 1, 16, 24)
    assert torch.equal(views.images, again.images)
    assert torch.equal(views.depths, again.depths)
    assert not torch.equal(views.images, other.images)
    assert views.images.min() >= 0
    assert views.images.max() <= 1
    assert (views.intrinsics[:, 0, 2] == 12).all()
    with pytest.raises(ValueError, match="seed >= 0 and at least one view"):
        mesh_views(-1, 2, 8, 8, scenes)


def test_every_traced_scene_serves_so_many_examples(scenes):
    source: ExampleSource = MeshExamples(scenes, uses=2)
    example = source.draw(SHAPE, np.random.default_rng(0), 0.5)
    assert example.context.images.shape == (4, 3, 3, 16, 24)
    assert example.target.images.shape == (4, 3, 3, 16, 24)
    assert cameras(example, 0) == cameras(example, 2)
    assert cameras(example, 1) == cameras(example, 3)
    assert not cameras(example, 0) & cameras(example, 1)
    order = [example.context.c2w[k, :, :3, 3] for k in (0, 2, 1, 3)]
    assert not torch.equal(order[0], order[1]) or not torch.equal(order[2], order[3])
    once = MeshExamples(scenes, uses=1).draw(SHAPE, np.random.default_rng(0), 0.5)
    assert len({frozenset(cameras(once, k)) for k in range(4)}) == 4


def test_targets_are_the_novel_views_and_the_first_of_the_context(scenes):
    example = MeshExamples(scenes).draw(SHAPE, np.random.default_rng(0), 0.5)
    for scene in range(4):
        assert torch.equal(example.target.images[scene, 2], example.context.images[scene, 0])
        assert len(cameras(example, scene)) == 5


def test_a_batch_follows_from_shape_and_generator(scenes):
    source = MeshExamples(scenes)
    first, again, other = (source.draw(SHAPE, np.random.default_rng(seed), 0.5) for seed in (1, 1, 2))
    assert torch.equal(first.context.images, again.context.images)
    assert torch.equal(first.target.depths, again.target.depths)
    assert not torch.equal(first.context.c2w, other.context.c2w)


def test_the_context_is_spread_over_places_and_directions(scenes):
    source, wide, all_pairs = MeshExamples(scenes, uses=1), [], []
    for first in range(8):
        example = source.draw(replace(SHAPE, scenes=1, context=2, novel=6, first=first), np.random.default_rng(0), 0.5)
        places = torch.cat([example.context.c2w, example.target.c2w[:, :6]], 1)[0, :, :3, 3]
        apart = torch.cdist(places, places)
        wide.append(float(apart[0, 1] / apart.max()))
        all_pairs.append(float(apart[apart > 0].mean() / apart.max()))
    assert np.mean(wide) > 1.3 * np.mean(all_pairs)


def test_held_out_scenes_are_always_the_same_and_never_drawn(scenes):
    source = MeshExamples(scenes)
    first, again = source.held_out(SHAPE), source.held_out(SHAPE)
    assert torch.equal(first.context.images, again.context.images)
    assert len({frozenset(cameras(first, k)) for k in range(4)}) == 4
    own = {tuple(place) for place in mesh_views(FIRST_HELD_OUT, 5, 16, 24, scenes).c2w[:, :3, 3].tolist()}
    assert cameras(first, 0) == own
    assert source.draw(replace(SHAPE, first=FIRST_HELD_OUT - 2), np.random.default_rng(0), 0.5).num_scenes == 4
    with pytest.raises(ValueError, match="are held out"):
        source.draw(replace(SHAPE, first=FIRST_HELD_OUT - 1), np.random.default_rng(0), 0.5)


def test_a_scene_serves_at_least_one_example(scenes):
    with pytest.raises(ValueError, match="at least one example, got uses 0"):
        MeshExamples(scenes, uses=0)
