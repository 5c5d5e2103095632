from dataclasses import replace

import numpy as np
import pytest
import torch

from tokengs_nerfstudio.data.examples.procedural import FIRST_HELD_OUT, ProceduralExamples
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource
from tokengs_nerfstudio.data.procedural.tracing import procedural_batch

SHAPE = BatchShape(scenes=2, context=3, novel=2, shown=1, height=16, width=24, first=70)


def test_a_batch_has_the_scenes_and_views_that_its_shape_names():
    source = ProceduralExamples()
    assert isinstance(source, ExampleSource)
    example = source.draw(SHAPE, np.random.default_rng(0), 0.5)
    views = procedural_batch([70, 71], 5, 16, 24)
    assert torch.equal(example.context.images, views.images[:, :3])
    assert torch.equal(example.target.images, views.images[:, [3, 4, 0]])
    assert torch.equal(example.target.depths, views.depths[:, [3, 4, 0]])
    assert torch.equal(example.context.c2w, views.c2w[:, :3])


def test_training_never_reaches_the_held_out_scenes():
    source = ProceduralExamples()
    held_out = source.held_out(replace(SHAPE, scenes=1))
    assert torch.equal(held_out.context.images, procedural_batch([FIRST_HELD_OUT], 5, 16, 24).images[:, :3])
    with pytest.raises(ValueError, match="are held out"):
        source.draw(replace(SHAPE, first=FIRST_HELD_OUT - 1), np.random.default_rng(0), 0.5)
