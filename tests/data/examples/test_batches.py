import threading
from dataclasses import replace

import pytest
import torch

from tokengs_nerfstudio.core.geometry.rays import pixel_rays, project
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.batches import Batches, made_ahead
from tokengs_nerfstudio.data.examples.curriculum import EASY, ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.procedural import ProceduralExamples
from tokengs_nerfstudio.data.examples.shapes import BatchConfig

TINY = replace(PRESETS["tiny"], patch_size=4, tokens=16)
SMALL = BatchConfig(scenes=2, side=16, late_sides=(20, 24), context=(2, 4), novel=2, shown=1)


def batches(seed: int = 3) -> Batches:
    return Batches(ProceduralCurriculumConfig().source(), TINY, SMALL, seed)


def same(first: Example, second: Example) -> bool:
    ours, theirs = dict(first.tensors()), dict(second.tensors())
    return all(ours[name].shape == theirs[name].shape and torch.equal(ours[name], theirs[name]) for name in ours)


def test_batches_follow_from_seed_and_number():
    first = batches().batch(5, 0.0)
    assert same(first, batches().batch(5, 0.0))
    assert not same(first, batches().batch(6, 0.0))
    assert not same(first, batches(seed=4).batch(5, 0.0))


def test_ranks_draw_scenes_of_their_own_in_the_same_sizes():
    whole = batches()
    ranks = [replace(whole, rank=rank, ranks=3) for rank in range(3)]
    drawn = [rank.batch(number, 0.9) for number in (4, 5) for rank in ranks]
    assert len({str(example.context.images[0].sum()) for example in drawn}) == 6
    assert len({example.context.images.shape for example in drawn[:3]}) == 1
    assert drawn[0].context.images.shape == whole.batch(4, 0.9).context.images.shape
    assert same(drawn[4], ranks[1].batch(5, 0.9))
    assert same(replace(whole, ranks=1).batch(4, 0.9), whole.batch(4, 0.9))


def test_ranks_ask_for_scenes_that_no_other_batch_has(monkeypatch):
    asked: list[int] = []
    draw = ProceduralExamples.draw
    monkeypatch.setattr(
        ProceduralExamples, "draw", lambda self, shape, *rest: asked.append(shape.first) or draw(self, shape, *rest)
    )
    for number in range(3):
        for rank in range(2):
            replace(batches(), rank=rank, ranks=2).batch(number, 0.0)
    assert [first - asked[0] for first in asked] == [64 * i for i in range(6)]


def test_context_defines_the_frame_and_some_of_it_is_supervised():
    example = batches(seed=0).batch(1, 0.0)
    centres = example.context.c2w[..., :3, 3]
    apart = (centres[:, :, None] - centres[:, None]).norm(dim=-1).flatten(1).amax(1)
    torch.testing.assert_close(apart, torch.ones_like(apart))
    assert float(centres.norm(dim=-1).amin(1).max()) < 1e-5
    assert example.target.num_views == SMALL.novel + SMALL.shown
    assert torch.equal(example.target.images[:, -1], example.context.images[:, 0])
    assert torch.equal(example.target.c2w[:, -1], example.context.c2w[:, 0])
    assert not torch.equal(example.target.images[:, 0], example.context.images[:, 0])


def test_mirrored_and_moved_the_depth_still_leads_to_the_same_colours():
    """Surfaces unprojected from one target by its depth land on the same colours in another one."""
    config = replace(SMALL, mirror=1.0, novel=2, shown=0, scenes=1)
    target = Batches(ProceduralExamples(EASY), TINY, config, seed=0).batch(2, 0.0).target
    assert target.depths is not None
    size = (target.height, target.width)
    origins, directions = pixel_rays(target.c2w, target.intrinsics, *size)
    along = (directions * target.c2w[..., :3, 2][..., None, None]).sum(2, keepdim=True)
    points = (origins + directions / along * target.depths).movedim(2, -1)[:, 0].flatten(1, 2)
    pixels, z = project(points, target.c2w, target.intrinsics)
    known = (target.depths[0, 0].flatten() > 0) & (z[0, 1] > 0)
    grid = pixels[0, 1] / torch.tensor([size[1], size[0]]) * 2 - 1
    inside = known & (grid.abs() < 0.9).all(-1)
    seen = torch.nn.functional.grid_sample(target.images[:, 1], grid[None, None], align_corners=False)[0, :, 0]
    own = target.images[0, 0].flatten(1)
    error = (seen - own).abs().mean(0)[inside].median()
    unrelated = (seen.roll(40, dims=1) - own).abs().mean(0)[inside].median()
    assert int(inside.sum()) > 40
    assert float(error) < 0.5 * float(unrelated)


def test_held_out_scenes_are_the_same_for_every_seed_and_shown_in_novel_views_only():
    small, large = batches(seed=0).held_out(1), batches(seed=7).held_out(3)
    torch.testing.assert_close(small.target.images[0], large.target.images[0])
    assert (large.num_scenes, large.context.num_views, large.target.num_views) == (3, 4, SMALL.novel)
    assert (large.target.height, large.target.width) == (16, 16)


def test_runs_have_scenes_of_their_own():
    with pytest.raises(ValueError, match=r"\[0, 1,000,000\), got 1000000"):
        batches(seed=1_000_000)


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
