from dataclasses import dataclass

import numpy as np
import pytest
import torch
from made.training import write_captures

from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.examples import source_of
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.curriculum import Curriculum, ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.mixture import MixtureExamples
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig, SceneExamples
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource

SHAPE = BatchShape(scenes=10, context=2, novel=1, shown=0, height=8, width=8)


@dataclass(frozen=True)
class Grey:
    """A source of pictures of one brightness, after what `rng` says."""

    brightness: float
    depths: bool = True

    def draw(self, shape: BatchShape, rng: np.random.Generator, progress: float) -> Example:
        views = self.held_out(shape).context
        moved = Views(views.images, views.c2w + float(rng.random()), views.intrinsics, depths=views.depths)
        return Example(moved, moved)

    def held_out(self, shape: BatchShape) -> Example:
        size = (shape.scenes, 2)
        views = Views(
            torch.full((*size, 3, 8, 8), self.brightness),
            torch.eye(4).expand(*size, 4, 4),
            torch.eye(3).expand(*size, 3, 3),
            depths=torch.ones(*size, 1, 8, 8) if self.depths else None,
        )
        return Example(views, views)


def brightness(example: Example) -> list[float]:
    return example.target.images.mean((1, 2, 3, 4)).tolist()


def drawn(source: ExampleSource, seed: int) -> Example:
    return source.draw(SHAPE, np.random.default_rng(seed), 0.5)


def test_batches_are_whole_and_as_frequent_as_the_weights_say():
    source: ExampleSource = MixtureExamples((Grey(0.0), Grey(0.5), Grey(1.0)), (6.0, 3.0, 1.0))
    rng = np.random.default_rng(0)
    batches = [set(brightness(source.draw(SHAPE, rng, 0.5))) for _ in range(400)]
    assert all(len(batch) == 1 for batch in batches)
    shares = [np.mean([batch == {grey} for batch in batches]) for grey in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=0.06)


def test_batches_follow_from_the_generator():
    source = MixtureExamples((Grey(0.0), Grey(1.0)), (1.0, 1.0))
    for seed in range(4):
        first, again = drawn(source, seed), drawn(source, seed)
        assert torch.equal(first.context.images, again.context.images)
        assert torch.equal(first.context.c2w, again.context.c2w)


@pytest.mark.parametrize(
    ("weights", "scenes", "counts"),
    [((0.9, 0.1), 10, (9, 1)), ((0.9, 0.1), 1, (1, 0)), ((1.0, 3.0), 10, (2, 8)), ((0.0, 1.0), 3, (0, 3))],
)
def test_held_out_scenes_are_shared_by_weight(weights, scenes, counts):
    shape = BatchShape(scenes, 2, 1, 0, 8, 8)
    found = MixtureExamples((Grey(0.0), Grey(1.0)), weights).held_out(shape)
    assert brightness(found) == [0.0] * counts[0] + [1.0] * counts[1]
    assert found.target.depths is not None


def test_held_out_depths_are_left_out_where_some_have_none():
    source = MixtureExamples((Grey(0.0), Grey(1.0, depths=False)), (1.0, 1.0))
    found = source.held_out(SHAPE)
    assert found.context.depths is None
    assert found.target.depths is None
    assert {drawn(source, seed).context.depths is None for seed in range(8)} == {True, False}


@pytest.mark.parametrize("weights", [(1.0,), (0.0, 0.0), (-1.0, 2.0), (float("nan"), 1.0)])
def test_impossible_weights_are_named(weights):
    with pytest.raises(ValueError, match="2 sources need as many weights"):
        MixtureExamples((Grey(0.0), Grey(1.0)), weights)


def test_a_run_mixes_procedural_scenes_and_captures_where_a_share_is_given(tmp_path):
    folder, procedural = write_captures(tmp_path), ProceduralCurriculumConfig()
    assert isinstance(source_of((), (), procedural, CapturesConfig(share=0.5), 4), Curriculum)
    assert isinstance(source_of((folder,), (), procedural, CapturesConfig(), 4), SceneExamples)
    source = source_of((folder,), (), procedural, CapturesConfig(share=0.25), 4)
    assert isinstance(source, MixtureExamples)
    batches = Batches(source, PRESETS["tiny"], BatchConfig(scenes=2, side=16, context=(2, 4), late=2.0))
    known = [batches.batch(number, 0.0).target.depths is not None for number in range(24)]
    assert known == [batches.batch(number, 0.0).target.depths is not None for number in range(24)]
    assert 12 <= sum(known) < 24
    held_out = batches.held_out(4)
    assert held_out.num_scenes == 4
    captured = source_of((folder,), (), procedural, CapturesConfig(), 4).held_out(BatchShape(1, 4, 3, 0, 16, 16))
    assert torch.equal(held_out.target.images[3], captured.target.images[0])


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_an_impossible_share_is_named(tmp_path, share):
    with pytest.raises(ValueError, match=r"share is .*; a number above 0 and at most 1"):
        CapturesConfig(share=share).source(tmp_path, 2)
