from dataclasses import replace

import numpy as np
import pytest
import torch
from made.meshes import small_sources
from made.training import SMALL

from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import novel_view_psnr, predict
from tokengs_nerfstudio.core.training.network_training import NetworkTraining
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.moving_meshes import MovingMeshExamples
from tokengs_nerfstudio.data.examples.procedural import FIRST_HELD_OUT
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig, MovementConfig
from tokengs_nerfstudio.data.procedural.meshes.moving import MovingMeshes

SHAPE = BatchShape(scenes=4, context=4, novel=2, shown=1, height=16, width=24, first=70)
APART, ALONG, STANDING = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> MeshSceneConfig:
    return MeshSceneConfig(small_sources(tmp_path_factory.mktemp("meshes")))


def drawn(config: MeshSceneConfig, seed: int = 0, uses: int = 2, **changes) -> Example:
    source: ExampleSource = MovingMeshExamples(config, uses)
    return source.draw(replace(SHAPE, **changes), np.random.default_rng(seed), 0.5)


def places(views: Views) -> list[list[tuple[float, ...]]]:
    return [[tuple(place) for place in scene] for scene in views.c2w[..., :3, 3].tolist()]


def test_context_is_of_several_times_and_the_targets_of_one_between_them(scenes):
    for seed in range(3):
        example = drawn(scenes, seed, first=70 + 10 * seed)
        assert example.context.images.shape == (4, 4, 3, 16, 24)
        assert example.target.images.shape == (4, 3, 3, 16, 24)
        assert example.context.depths is not None
        times, target = example.context.times, example.target.times
        assert torch.equal(target, target[:, :1].expand_as(target))
        assert (times.diff(dim=1) > 0).all()
        assert (times[:, 0] == 0).all()
        assert (times[:, -1] == 1).all()
        assert ((target >= 0) & (target <= 1)).all()


def test_novel_targets_are_of_other_cameras_and_shown_ones_of_the_nearest_in_time(scenes):
    photos, few = 0, replace(scenes, movement=MovementConfig(moments=(4, 6)))
    for first in range(0, 40, 10):
        example = drawn(few, first, first=first)
        for scene in range(4):
            seen, target = places(example.context)[scene], places(example.target)[scene]
            assert not set(target[:2]) & set(seen)
            times, now = example.context.times[scene], example.target.times[scene, 0]
            nearest = (times - now).abs()
            assert nearest[seen.index(target[2])] <= nearest.min() + 1e-6 or len(set(seen)) == 2
            if nearest.min() < 1e-6 and len(set(seen)) == 4:
                photos += 1
                at = int(nearest.argmin())
                assert torch.equal(example.target.images[scene, 2], example.context.images[scene, at])
    assert photos > 0


@pytest.mark.parametrize("cameras", [APART, ALONG, STANDING], ids=["apart", "along", "standing"])
def test_how_the_context_is_photographed(scenes, cameras):
    one_way = replace(scenes, movement=MovementConfig(cameras=cameras))
    lengths = []
    for first in range(0, 60, 10):
        example = drawn(one_way, first=first, uses=1, scenes=2, context=6)
        for seen in places(example.context):
            assert len(set(seen)) == (2 if cameras == STANDING else 6)
            if cameras == STANDING:
                assert seen[::2] == [seen[0]] * 3
            steps = np.linalg.norm(np.diff(seen, axis=0), axis=-1).sum()
            apart = np.linalg.norm(np.array(seen)[:, None] - np.array(seen), axis=-1).max()
            lengths.append(steps / apart)
    if cameras == ALONG:
        assert np.mean(lengths) < 2.6
    elif cameras == APART:
        assert np.mean(lengths) > 2.6


def test_uses_of_a_scene_share_the_context_and_differ_in_targets(scenes):
    example = drawn(scenes)
    assert torch.equal(example.context.images[0], example.context.images[2])
    assert torch.equal(example.context.images[1], example.context.images[3])
    assert not torch.equal(example.context.images[0], example.context.images[1])
    target = places(example.target)
    assert not set(target[0][:2]) & set(target[2][:2])
    with pytest.raises(ValueError, match="at least one example, got uses 0"):
        MovingMeshExamples(scenes, uses=0)


def test_a_batch_follows_from_shape_and_generator(scenes):
    first, again, other = (drawn(scenes, seed) for seed in (1, 1, 2))
    assert torch.equal(first.context.images, again.context.images)
    assert torch.equal(first.target.times, again.target.times)
    assert not torch.equal(first.context.times, other.context.times)


def test_few_moments_are_looked_at_again(scenes):
    few = replace(scenes, movement=MovementConfig(moments=(2, 2)))
    times = drawn(few, scenes=2).context.times
    assert set(times.flatten().tolist()) <= {0.0, 1.0}


def test_targets_tell_what_moves_of_what_they_show(scenes):
    example = MovingMeshExamples(scenes, uses=1).held_out(SHAPE)
    world = MovingMeshes(FIRST_HELD_OUT, SHAPE.context + SHAPE.novel, SHAPE.height, SHAPE.width, scenes)
    cameras = {
        tuple(place): number for number, place in enumerate(torch.from_numpy(world.c2w).float()[:, :3, 3].tolist())
    }
    seen = [cameras[tuple(place)] for place in places(example.target)[0]]
    found = example.target.moving[0]
    assert any(torch.equal(found, moving_at(world, seen, time)) for time in world.moments)
    assert 0 < found.mean() < 1
    assert example.context.moving is None


def moving_at(world: MovingMeshes, cameras: list[int], time: float) -> torch.Tensor:
    return world.flow(cameras, [time] * len(cameras), [time] * len(cameras)).moving.float()


def test_held_out_scenes_are_always_the_same_and_never_drawn(scenes):
    source = MovingMeshExamples(scenes)
    first, again = source.held_out(SHAPE), source.held_out(SHAPE)
    assert torch.equal(first.context.images, again.context.images)
    world = MovingMeshes(FIRST_HELD_OUT, 6, 16, 24, scenes)
    known = {tuple(place) for place in torch.from_numpy(world.c2w).float()[:, :3, 3].tolist()}
    assert set(places(first.context)[0]) <= known
    with pytest.raises(ValueError, match="are held out"):
        drawn(scenes, first=FIRST_HELD_OUT - 1)


def test_a_network_with_dynamic_tokens_trains_on_moving_and_still_scenes(scenes):
    architecture = replace(SMALL, time_channels=2, dynamic_tokens=6, image_size=(16, 16))
    torch.manual_seed(0)
    network = TokenGSNetwork(architecture, initial=SCRATCH)
    config = ProceduralCurriculumConfig(meshes=replace(scenes, moving=0.5), solids=0.3, easy=(0.0, 0.0))
    batches = Batches(config.source(), architecture, BatchConfig(scenes=2, side=16, late=2.0))
    training = NetworkTraining(network, TrainingConfig(matrix_rate=0.0))
    moving = 0
    for number in range(8):
        example = batches.batch(number, number / 8)
        report = training.step(example, 0.3)
        moving += bool(example.context.times.any())
        assert not report.skipped
        assert report.losses["dynamic"] > 0
    assert 0 < moving < 8
    assert network.target_time_embedding.conv.weight.any()
    held_out = batches.placed(batches.held_out(6))
    assert 0 < held_out.context.times.any(1).sum() < 6
    splats = predict(network, held_out)
    per_scene = network(held_out.context, held_out.target.times[:, 0])
    assert torch.equal(splats.means, per_scene.means)
    assert novel_view_psnr(network, held_out, 2).isfinite().all()


def test_without_a_share_of_moving_scenes_nothing_has_a_time(scenes):
    source = ProceduralCurriculumConfig(meshes=scenes, solids=0.0, easy=(0.0, 0.0)).source()
    assert source.draw(SHAPE, np.random.default_rng(0), 1.0).context.times is None
    with pytest.raises(ValueError, match="name a mesh pack"):
        ProceduralCurriculumConfig(meshes=MeshSceneConfig(moving=0.5)).source()
