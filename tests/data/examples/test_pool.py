"""Scenes made by other processes and kept on a device: what goes in comes out, in batches as of one process."""

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from made.meshes import small_sources

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.makers import AT_ONCE, MakerJob, SceneMakers, made
from tokengs_nerfstudio.data.examples.moving_meshes import MovingMeshExamples
from tokengs_nerfstudio.data.examples.pool import PoolConfig, PooledBatches, PooledScenes, Shelf
from tokengs_nerfstudio.data.examples.procedural import FIRST_HELD_OUT, ProceduralExamples
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
from tokengs_nerfstudio.data.examples.source import BatchShape
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources
from tokengs_nerfstudio.data.procedural.tracing import procedural_batch

CPU = torch.device("cpu")
SMALL = BatchConfig(scenes=4, context=(2, 4), side=16, late=0.5, late_sides=(24,))
TINY = PRESETS["tiny"]


def job(**changes: object) -> MakerJob:
    return replace(MakerJob(partial(ProceduralExamples), TINY, SMALL, views=6, seed=3), **changes)  # type: ignore[arg-type]


def scenes(count: int, views: int = 5, first: int = 0) -> Views:
    return procedural_batch(range(first, first + count), views, 16, 16)


def parcel(views: Views) -> PooledScenes:
    return PooledScenes.of(Example(views.select(slice(0, 3)), views.select(slice(3, None))), 16)


def test_an_example_shows_views_of_one_scene_none_twice_but_those_that_are_shown():
    views = scenes(3)
    shelf = Shelf(parcel(views), CPU, most=10)
    shelf.add(parcel(views))
    example = shelf.draw(8, 2, 2, 1, np.random.default_rng(0))
    assert example.context.images.shape == (8, 2, 3, 16, 16)
    assert example.target.images.shape == (8, 3, 3, 16, 16)
    for one in range(8):
        found = torch.cat([example.context.c2w[one], example.target.c2w[one]])
        places = [int((views.c2w - c2w).abs().amax((-1, -2)).argmin()) for c2w in found]
        scene = places[0] // 5
        assert {place // 5 for place in places} == {scene}
        assert len(set(places[:4])) == 4
        assert places[4] == places[0]
        for place, image, depth in zip(places, example.context.images[one], example.context.depths[one]):  # type: ignore[index]
            assert (image - views.images[scene, place % 5]).abs().max() <= 0.5 / 255 + 1e-6
            torch.testing.assert_close(depth, views.depths[scene, place % 5], rtol=1e-3, atol=1e-3)  # type: ignore[index]


def test_the_oldest_scenes_make_room():
    shelf = Shelf(parcel(scenes(1)), CPU, most=3)
    for number in range(5):
        shelf.add(parcel(scenes(1, first=number)))
    kept = shelf.draw(60, 2, 1, 0, np.random.default_rng(0)).context.c2w.flatten(0, 1)
    for number in range(5):
        apart = (scenes(1, first=number).c2w[0, :, None] - kept).abs().amax((-1, -2)).min()
        assert (apart < 1e-6) == (number >= 2)
    assert shelf.count == 3


def test_a_shelf_grows_and_keeps_what_it_has():
    shelf = Shelf(parcel(scenes(1)), CPU, most=1000)
    some = parcel(scenes(4))
    for _ in range(80):
        shelf.add(some)
    assert shelf.count == 320
    example = shelf.draw(200, 2, 1, 0, np.random.default_rng(0))
    known = scenes(4).c2w.flatten(0, 1)
    assert all((known - c2w).abs().amax((-1, -2)).min() < 1e-6 for c2w in example.context.c2w.flatten(0, 1))


def pooled(parcels: list[PooledScenes], **changes: object) -> PooledBatches:
    plain = Batches(ProceduralExamples(), TINY, replace(SMALL, **changes), seed=3)  # type: ignore[arg-type]
    waiting = list(parcels)

    def newest(maturity: float) -> list[PooledScenes]:
        found = waiting[:]
        waiting.clear()
        return found

    return PooledBatches(plain, newest, CPU, PoolConfig(makers=1, fewest=4))


def test_batches_are_as_those_of_one_process_in_shape_frame_and_cost():
    source = ProceduralExamples()
    parcels = [made(job(), source, number, 0.0) for number in range(12)]
    batches, contexts = pooled(parcels), set[int]()
    for number in range(12):
        example: Example = batches.batch(number, 0.0)
        middle = example.context.c2w[..., :3, 3]
        assert 2 <= example.context.num_views <= 4
        assert torch.cdist(middle, middle).flatten(1).amax(1).allclose(torch.ones(example.num_scenes), atol=1e-4)
        assert example.context.height * example.context.width == pytest.approx(256, rel=0.3)
        assert example.num_scenes == 8  # as small as they are they cost half of what the configuration is about
        contexts.add(example.context.num_views)
    assert contexts == {2, 3, 4}
    assert batches.made == 12 * AT_ONCE
    assert torch.equal(pooled(parcels).batch(5, 0.0).target.images, pooled(parcels).batch(5, 0.0).target.images)


def test_late_batches_are_of_late_sizes_once_there_are_some():
    source = ProceduralExamples()
    early, late = made(job(), source, 0, 0.0), made(job(), source, 0, 0.9)
    assert (early.side, late.side) == (16, 24)
    batches = pooled([early, late])
    assert {batches.batch(number, 0.2).context.images[0, 0, 0].numel() for number in range(6)} == {
        early.arrays["images"][0, 0, 0].size
    }
    assert {batches.batch(number, 0.7).context.images[0, 0, 0].numel() for number in range(6)} == {
        late.arrays["images"][0, 0, 0].size
    }


def test_no_parcel_has_a_scene_of_another_and_none_is_held_out():
    source = ProceduralExamples()
    first, second = (made(job(), source, number, 0.0).arrays["c2w"] for number in (0, 1))
    assert not (first[:, None] == second[None]).all((-1, -2, -3)).any()
    assert job().seed * 10**9 + 10**8 < FIRST_HELD_OUT


def test_makers_make_what_one_process_makes_and_stop():
    config = ProceduralCurriculumConfig(easy=(0.0, 0.0))
    with closing(SceneMakers(job(source=config.source), 2)) as makers:
        found: list[PooledScenes] = []
        deadline = time.monotonic() + 120
        while len(found) < 3 and time.monotonic() < deadline:
            found += makers(0.0)
            time.sleep(0.02)
        processes = makers._processes
    expected = [made(job(), config.source(), number, 0.0) for number in range(8)]
    assert len(found) >= 3
    for one_of_them in found[:3]:
        assert any(np.array_equal(one_of_them.arrays["images"], one.arrays["images"]) for one in expected)
    assert not any(process.is_alive() for process in processes)
    with pytest.raises(UserError, match="closed"):
        makers(0.0)


def asked_until_it_fails(makers: SceneMakers) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        makers(0.0)
        time.sleep(0.02)


def test_what_a_maker_cannot_do_is_said(tmp_path: Path):
    nowhere = MeshSceneConfig(MeshSources(tmp_path / "none.npz"))
    broken = job(source=ProceduralCurriculumConfig(meshes=nowhere).source)
    with closing(SceneMakers(broken, 1)) as makers, pytest.raises(UserError, match=r"none\.npz"):
        asked_until_it_fails(makers)


def moving(tmp_path: Path) -> tuple[Example, MakerJob, MovingMeshExamples]:
    """Four examples of nine context photos, at times of their own, and three targets of one time."""
    source = MovingMeshExamples(MeshSceneConfig(small_sources(tmp_path), moving=1.0), uses=2)
    timed = replace(TINY, time_channels=2, dynamic_tokens=4)
    shape = BatchShape(AT_ONCE, context=9, novel=3, shown=0, height=16, width=16, first=50)
    return source.draw(shape, np.random.default_rng(0), 0.0), job(network=timed, views=12), source


def test_scenes_that_move_keep_their_times_and_their_targets(tmp_path: Path):
    given, _, _ = moving(tmp_path)
    assert given.context.times is not None
    shelf = Shelf(PooledScenes.of(given, 16), CPU, most=10)
    shelf.add(PooledScenes.of(given, 16))
    assert (shelf.views, shelf.most_context) == (12, 9)
    choices = set[tuple[float, ...]]()
    for context in (2, 4, 9):
        example = shelf.draw(12, context, 3, 1, np.random.default_rng(context))
        assert example.context.num_views == context
        for one in range(12):
            scene = same_target(given, example, one)
            seen = [photo(given, scene, k) for k in range(9)]
            found = [photo(example, one, k) for k in range(context)]
            places = [next(k for k in range(9) if torch.equal(seen[k], taken)) for taken in found]
            assert places == sorted(set(places))
            assert (places[0], places[-1]) == (0, 8)
            choices.add((scene, *places))
    assert len(choices) > 12


def photo(example: Example, scene: int, view: int) -> torch.Tensor:
    """A context photo's time and place, and its image as it is kept."""
    context = example.context
    assert context.times is not None
    image = (context.images[scene, view] * 255).round().flatten()
    return torch.cat([context.times[scene, view, None], context.c2w[scene, view].flatten(), image])


def same_target(given: Example, drawn: Example, one: int) -> int:
    """Which of the scenes has all the targets of drawn scene `one`."""

    def told(example: Example, scene: int) -> list[torch.Tensor]:
        target = example.target
        assert target.times is not None
        assert target.moving is not None
        return [target.c2w[scene], target.times[scene], target.moving[scene], (target.images[scene] * 255).round()]

    same = [all(map(torch.equal, told(given, k), told(drawn, one))) for k in range(given.num_scenes)]
    return same.index(True)


def test_batches_of_what_moves_are_trained_with_as_those_of_one_process(tmp_path: Path):
    _, work, source = moving(tmp_path)
    plain = Batches(source, work.network, SMALL, seed=3)
    waiting = [[made(work, source, number, 0.0) for number in range(2)]]
    batches = PooledBatches(plain, lambda maturity: waiting.pop() if waiting else [], CPU, PoolConfig(fewest=4))
    ours, theirs = batches.batch(0, 0.0), plain.batch(0, 0.0)
    for pooled_views, plain_views in ((ours.context, theirs.context), (ours.target, theirs.target)):
        assert dtypes(pooled_views) == dtypes(plain_views)
    assert ours.context.times is not None
    assert ours.target.times is not None
    assert torch.equal(ours.target.times, ours.target.times[:, :1].expand_as(ours.target.times))
    assert (ours.context.times[:, 0] == 0).all()


def dtypes(views: Views) -> dict[str, torch.dtype]:
    return {name: tensor.dtype for name, tensor in views.tensors()}
