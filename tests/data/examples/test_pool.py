"""Scenes made by other processes and kept on a device: what goes in comes out, in batches as of one process."""

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.makers import AT_ONCE, MakerJob, SceneMakers, made
from tokengs_nerfstudio.data.examples.pool import PoolConfig, PooledBatches, PooledScenes, Shelf
from tokengs_nerfstudio.data.examples.procedural import FIRST_HELD_OUT, ProceduralExamples
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
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


def test_an_example_shows_views_of_one_scene_none_twice_but_those_that_are_shown():
    views = scenes(3)
    shelf = Shelf(PooledScenes.of(views, 16), CPU, most=10)
    shelf.add(PooledScenes.of(views, 16))
    example = shelf.draw(8, 2, 2, 1, np.random.default_rng(0))
    assert example.context.images.shape == (8, 2, 3, 16, 16)
    assert example.target.images.shape == (8, 3, 3, 16, 16)
    for one in range(8):
        found = torch.cat([example.context.c2w[one], example.target.c2w[one]])
        places = [(views.c2w - c2w).abs().amax((-1, -2)).argmin().item() for c2w in found]
        scene = places[0] // 5
        assert {place // 5 for place in places} == {scene}
        assert len(set(places[:4])) == 4
        assert places[4] == places[0]
        for place, image, depth in zip(places, example.context.images[one], example.context.depths[one]):  # type: ignore[index]
            assert (image - views.images[scene, place % 5]).abs().max() <= 0.5 / 255 + 1e-6
            torch.testing.assert_close(depth, views.depths[scene, place % 5], rtol=1e-3, atol=1e-3)  # type: ignore[index]


def test_the_oldest_scenes_make_room():
    shelf = Shelf(PooledScenes.of(scenes(1), 16), CPU, most=3)
    for number in range(5):
        shelf.add(PooledScenes.of(scenes(1, first=number), 16))
    kept = shelf.draw(60, 2, 1, 0, np.random.default_rng(0)).context.c2w.flatten(0, 1)
    for number in range(5):
        apart = (scenes(1, first=number).c2w[0, :, None] - kept).abs().amax((-1, -2)).min()
        assert (apart < 1e-6) == (number >= 2)
    assert shelf.count == 3


def test_a_shelf_grows_and_keeps_what_it_has():
    shelf = Shelf(PooledScenes.of(scenes(1), 16), CPU, most=1000)
    some = PooledScenes.of(scenes(4), 16)
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
    for parcel in found[:3]:
        assert any(np.array_equal(parcel.arrays["images"], one.arrays["images"]) for one in expected)
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
