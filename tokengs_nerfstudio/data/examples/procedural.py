"""Examples of procedural scenes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from numpy.random import Generator

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.source import BatchShape
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig
from tokengs_nerfstudio.data.procedural.tracing import procedural_batch

FIRST_HELD_OUT = 10**15
"""Scenes are numbered; training takes those below."""


def trained_with(first: int, count: int) -> range:
    """The numbers of so many scenes; UserError for some that are held out."""
    numbers = range(first, first + count)
    if numbers.stop > FIRST_HELD_OUT:
        raise UserError(f"scenes from {FIRST_HELD_OUT} on are held out, asked to train with {numbers}")
    return numbers


@dataclass(frozen=True)
class ProceduralExamples:
    """A source of one kind of procedural scenes; a batch's scenes are those that its shape names."""

    scenes: ProceduralConfig = field(default_factory=ProceduralConfig)

    def draw(self, shape: BatchShape, rng: Generator, progress: float) -> Example:
        """As `ExampleSource.draw`; ValueError for scenes that are held out."""
        return self._example(trained_with(shape.first, shape.scenes), shape)

    def held_out(self, shape: BatchShape) -> Example:
        """As `ExampleSource.held_out`."""
        return self._example(range(FIRST_HELD_OUT, FIRST_HELD_OUT + shape.scenes), shape)

    def _example(self, numbers: Sequence[int], shape: BatchShape) -> Example:
        """The first views spread over the camera's path, so they are the context."""
        views = procedural_batch(numbers, shape.context + shape.novel, shape.height, shape.width, self.scenes)
        target = [*range(shape.context, views.num_views), *range(shape.shown)]
        return Example(views.select(slice(0, shape.context)), views.select(target))
