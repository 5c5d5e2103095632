import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from tokengs_nerfstudio.core.geometry.rays import pixel_rays, project
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.data.examples.procedural import (
    EASY,
    HELD_OUT_SEED,
    SEEDS_PER_RUN,
    PretrainingData,
    batch_shape,
    held_out_batch,
    image_size,
    made_ahead,
    training_batch,
)
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig

TINY = replace(PRESETS["tiny"], patch_size=4, tokens=16)
SMALL = PretrainingData(batch=2, side=16, late_sides=(20, 24), context=(2, 4), novel=2, shown=1)


@pytest.mark.parametrize(
    ("side", "aspect", "multiple", "expected"),
    [(64, 1.0, 8, (64, 64)), (64, 16 / 9, 8, (48, 88)), (128, 3 / 4, 8, (144, 112)), (3, 1.0, 8, (8, 8))],
)
def test_image_size(side: int, aspect: float, multiple: int, expected: tuple[int, int]) -> None:
    assert image_size(side, aspect, multiple) == expected


def test_batches_follow_from_seed_and_number() -> None:
    first, again = (training_batch(SMALL, TINY, seed=3, number=5, progress=0.0) for _ in range(2))
    other = training_batch(SMALL, TINY, seed=3, number=6, progress=0.0)
    assert torch.equal(first.context.images, again.context.images)
    assert torch.equal(first.target.c2w, again.target.c2w)
    assert first.target.images.shape != other.target.images.shape or not torch.equal(
        first.target.images, other.target.images
    )


def test_context_defines_the_frame_and_some_of_it_is_supervised() -> None:
    batch = training_batch(SMALL, TINY, seed=0, number=1, progress=0.0)
    centres = batch.context.c2w[..., :3, 3]
    apart = (centres[:, :, None] - centres[:, None]).norm(dim=-1).flatten(1).amax(1)
    torch.testing.assert_close(apart, torch.ones_like(apart))
    at_origin = centres.norm(dim=-1).amin(1)
    assert float(at_origin.max()) < 1e-5
    assert batch.target.num_views == SMALL.novel + SMALL.shown
    assert torch.equal(batch.target.images[:, -1], batch.context.images[:, 0])
    assert torch.equal(batch.target.c2w[:, -1], batch.context.c2w[:, 0])
    assert not torch.equal(batch.target.images[:, 0], batch.context.images[:, 0])


def test_depth_belongs_to_the_targets() -> None:
    """Surfaces unprojected from one target by its depth land on the same colours in another one."""
    data = replace(SMALL, mirror=1.0, novel=2, shown=0, batch=1, scenes=EASY)
    batch = training_batch(data, TINY, seed=0, number=2, progress=0.0)
    assert batch.depth is not None
    target, size = batch.target, (batch.target.height, batch.target.width)
    origins, directions = pixel_rays(target.c2w, target.intrinsics, *size)
    along = (directions * target.c2w[..., :3, 2][..., None, None]).sum(2, keepdim=True)
    points = (origins + directions / along * batch.depth).movedim(2, -1)[:, 0].flatten(1, 2)
    pixels, z = project(points, target.c2w, target.intrinsics)
    known = (batch.depth[0, 0].flatten() > 0) & (z[0, 1] > 0)
    grid = pixels[0, 1] / torch.tensor([size[1], size[0]]) * 2 - 1
    inside = known & (grid.abs() < 0.9).all(-1)
    seen = torch.nn.functional.grid_sample(target.images[:, 1], grid[None, None], align_corners=False)[0, :, 0]
    own = target.images[0, 0].flatten(1)
    error = (seen - own).abs().mean(0)[inside].median()
    unrelated = (seen.roll(40, dims=1) - own).abs().mean(0)[inside].median()
    assert int(inside.sum()) > 40
    assert float(error) < 0.5 * float(unrelated)


def test_shapes_vary_and_keep_the_cost() -> None:
    data, network = PretrainingData(batch=8), PRESETS["tiny"]
    rng = np.random.default_rng(0)
    early = [batch_shape(data, network, rng, 0.1) for _ in range(300)]
    late = [batch_shape(data, network, rng, 0.9) for _ in range(300)]
    assert {shape.context for shape in early} == {2, 3, 4, 5, 6}
    assert sum(shape.context == 4 for shape in early) > 120
    assert all(3400 <= shape.height * shape.width <= 4700 for shape in early)
    assert max(shape.height * shape.width for shape in late) > 15_000
    assert len({(shape.height, shape.width) for shape in early}) == 5
    for shape in early + late:
        assert shape.height % 8 == shape.width % 8 == shape.scenes % 2 == 0
        tokens = shape.scenes * (256 + shape.context * shape.height * shape.width / 64)
        assert 0.6 < tokens / (8 * 512) < 1.4


def test_easy_scenes_come_first() -> None:
    """Where the easy scenes are another distribution, early batches show it, late ones do not."""
    wide = replace(ProceduralConfig(), fov=(70.0, 75.0))
    data = replace(SMALL, scenes=replace(wide, fov=(16.0, 17.0)), easy_scenes=wide, easy=(0.3, 0.5), late=2.0)

    def is_easy(number: int, progress: float) -> bool:
        target = training_batch(data, TINY, 0, number, progress).target
        return bool(target.intrinsics[0, 0, 0, 0] < min(target.height, target.width))

    assert [is_easy(number, 0.3) for number in range(3)] == [True] * 3
    assert [is_easy(number, 0.5) for number in range(3)] == [False] * 3
    assert 0 < sum(is_easy(number, 0.4) for number in range(12)) < 12


def test_training_never_reaches_the_held_out_scenes() -> None:
    assert 1000 * SEEDS_PER_RUN < HELD_OUT_SEED
    small, large = (held_out_batch(SMALL, TINY, count, side=16) for count in (1, 3))
    torch.testing.assert_close(small.target.images[0], large.target.images[0])
    assert small.target.num_views == SMALL.novel


def test_settings_that_contradict_are_named() -> None:
    with pytest.raises(ValueError, match="shown <= low"):
        PretrainingData(context=(2, 6), shown=3)


def test_made_ahead_keeps_order_and_works_ahead() -> None:
    made: list[int] = []
    third = threading.Event()

    def make(number: int) -> int:
        made.append(number)
        if number == 9:
            third.set()
        return number * number

    stream = made_ahead(make, first=7, depth=2)
    assert next(stream) == 49
    assert third.wait(timeout=10), "nothing was made ahead of being asked for"
    assert [next(stream) for _ in range(3)] == [64, 81, 100]
    assert made[:4] == [7, 8, 9, 10]


def test_made_ahead_hands_on_errors() -> None:
    def make(number: int) -> int:
        raise ValueError(f"no batch {number}")

    with pytest.raises(ValueError, match="no batch 0"):
        next(made_ahead(make, 0))
