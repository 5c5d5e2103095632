from dataclasses import dataclass, field

import numpy as np
import torch

from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.examples.curriculum import EASY, Curriculum, ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig

SHAPE = BatchShape(scenes=1, context=2, novel=1, shown=0, height=8, width=8)


@dataclass
class Counted:
    """A source that counts what was asked of it."""

    drawn: list[float] = field(default_factory=list)

    def draw(self, shape: BatchShape, rng: np.random.Generator, progress: float) -> Example:
        self.drawn.append(progress)
        return self.held_out(shape)

    def held_out(self, shape: BatchShape) -> Example:
        views = Views(torch.zeros(1, 3, 3, 8, 8), torch.eye(4).expand(1, 3, 4, 4), torch.eye(3).expand(1, 3, 3, 3))
        return Example(views, views)


def test_easy_scenes_come_first_then_fewer_then_none():
    easy, usual = Counted(), Counted()
    curriculum: ExampleSource = Curriculum(easy, usual, only=0.3, none=0.5)
    rng = np.random.default_rng(0)
    for progress in np.linspace(0, 1, 201):
        curriculum.draw(SHAPE, rng, float(progress))
    assert len(easy.drawn) + len(usual.drawn) == 201
    assert min(usual.drawn) > 0.3
    assert max(easy.drawn) < 0.5
    early, late = (sum(low < at < low + 0.1 for at in easy.drawn) for low in (0.3, 0.4))
    assert early > late > 0


def test_held_out_scenes_are_the_usual_ones():
    """Fields of view tell the two kinds apart."""
    wide, narrow = ProceduralConfig(fov=(70.0, 75.0)), ProceduralConfig(fov=(16.0, 17.0))
    source = ProceduralCurriculumConfig(scenes=narrow, easy_scenes=wide).source()
    early = source.draw(SHAPE, np.random.default_rng(0), 0.0)
    assert float(early.target.intrinsics[0, 0, 0, 0]) < 8
    assert float(source.held_out(SHAPE).target.intrinsics[0, 0, 0, 0]) > 16


def test_easy_scenes_are_alike_in_size():
    assert EASY.fov[0] > ProceduralConfig().fov[0]
    assert EASY.fov[1] < ProceduralConfig().fov[1]
