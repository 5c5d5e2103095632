"""Several sources in one run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource


@dataclass(frozen=True)
class MixtureExamples:
    """A source whose every batch is one of several sources', each as often as its weight says.

    Whole batches, for the scenes of a batch must know alike: some sources have depths, others have not. ValueError for
    weights that are negative, all 0, or not as many as there are sources.
    """

    sources: Sequence[ExampleSource]
    weights: Sequence[float]

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights, float)
        if len(weights) != len(self.sources) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
            raise UserError(f"{len(self.sources)} sources need as many weights, not all of them 0, got {self.weights}")

    def draw(self, shape: BatchShape, rng: Generator, progress: float) -> Example:
        """As `ExampleSource.draw`."""
        return self.sources[int(rng.choice(len(self.sources), p=self._shares()))].draw(shape, rng, progress)

    def held_out(self, shape: BatchShape) -> Example:
        """As `ExampleSource.held_out`: scenes of each source in proportion to its weight, in the sources' order.

        So a figure over them is about what is trained for. Depths are left out unless all have them, and what
        moves is; where some scenes have times, those that stand still do so at time 0.
        """
        counts = np.diff(np.rint(np.cumsum([0, *self._shares()]) * shape.scenes).astype(int))
        parts = [
            source.held_out(replace(shape, scenes=int(count))) for source, count in zip(self.sources, counts) if count
        ]
        views = [views for part in parts for views in (part.context, part.target)]
        if any(views.depths is None for views in views):
            parts = [Example(*(replace(views, depths=None) for views in (p.context, p.target))) for p in parts]
        parts = [replace(part, target=replace(part.target, moving=None)) for part in parts]
        if any(views.times is not None for views in views):
            parts = [timed(part) for part in parts]
        return Example.cat(parts)

    def _shares(self) -> np.ndarray:
        weights = np.asarray(self.weights, float)
        return weights / weights.sum()


def timed(example: Example) -> Example:
    """The example with times: 0 for scenes that stand still."""
    both = (example.context, example.target)
    return Example(*(replace(v, times=v.c2w.new_zeros(v.c2w.shape[:-2])) if v.times is None else v for v in both))
