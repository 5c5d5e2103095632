"""Examples of procedural scenes of meshes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.examples.procedural import FIRST_HELD_OUT, trained_with
from tokengs_nerfstudio.data.examples.source import BatchShape
from tokengs_nerfstudio.data.procedural.cameras import spread_from
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.views import mesh_views


@dataclass(frozen=True)
class SharedScenes:
    """Scenes of meshes that a batch's shape names, each of which serves `uses` examples of the batch."""

    scenes: MeshSceneConfig
    uses: int = 2

    def __post_init__(self) -> None:
        if self.uses < 1:
            raise UserError(f"a scene must serve at least one example, got uses {self.uses}")

    def numbers(self, shape: BatchShape) -> range:
        """Of a batch's scenes; UserError for scenes that are held out."""
        return trained_with(shape.first, -(-shape.scenes // self.uses))


class MeshExamples(SharedScenes):
    """A source of scenes of meshes.

    Examples of one traced scene have other context and target views: what they share is the cost of tracing.
    """

    def draw(self, shape: BatchShape, rng: Generator, progress: float) -> Example:
        """As `ExampleSource.draw`; ValueError for scenes that are held out."""
        traced = [self._views(number, shape) for number in self.numbers(shape)]
        return Example.stack([_example(traced[k % len(traced)], shape, rng) for k in range(shape.scenes)])

    def held_out(self, shape: BatchShape) -> Example:
        """As `ExampleSource.held_out`."""
        numbers = range(FIRST_HELD_OUT, FIRST_HELD_OUT + shape.scenes)
        return Example.stack(
            [_example(self._views(number, shape), shape, np.random.default_rng(number)) for number in numbers]
        )

    def _views(self, number: int, shape: BatchShape) -> Views:
        return mesh_views(number, shape.context + shape.novel, shape.height, shape.width, self.scenes)


def _example(views: Views, shape: BatchShape, rng: Generator) -> Example:
    """Context views spread over places and directions of the camera's path, from one of them that is drawn."""
    order = spread_cameras(views.c2w.numpy(), int(rng.integers(views.num_views)))
    target = [*order[shape.context :], *order[: shape.shown]]
    return Example(views.select(torch.tensor(order[: shape.context])), views.select(torch.tensor(target)))


def spread_cameras(c2w: np.ndarray, first: int) -> list[int]:
    """The order of cameras [V 4 4] from `first` on in which every few of them spread over places and directions."""
    places, extent = c2w[:, :3, 3], max(float(np.ptp(c2w[:, :3, 3], axis=0).max()), 1e-6)
    return spread_from(np.hstack([places / extent, c2w[:, :3, 2]]), first).tolist()
