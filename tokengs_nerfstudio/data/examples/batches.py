"""The batches of a run: each follows from the run's seed, its own number and the progress alone."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.mirror import mirrored_scenes
from tokengs_nerfstudio.core.geometry.placing import training_frame
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.ranges import check
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.mixture import timed
from tokengs_nerfstudio.data.examples.shapes import BatchConfig, batch_shape, image_size
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource

SCENES_PER_RUN = 10**9
SCENES_PER_BATCH = 64
MOST_RUNS = 10**6

T = TypeVar("T")


@dataclass(frozen=True)
class Batches:
    """What `NetworkTraining.step` takes: examples of `source` in the frame that the network wants.

    Each of several `ranks` that train together draws scenes of its own, in the same numbers and sizes as the others.
    ValueError for a seed outside of [0, 1,000,000): the scenes of each run have numbers of their own.
    """

    source: ExampleSource
    network: NetworkConfig
    config: BatchConfig = field(default_factory=BatchConfig)
    seed: int = 0
    rank: int = 0
    ranks: int = 1

    def __post_init__(self) -> None:
        check(self.config, "BatchConfig.{}".format)
        if not 0 <= self.seed < MOST_RUNS:
            raise UserError(f"the seed of a run must be in [0, {MOST_RUNS:,}), got {self.seed}")
        patch, size = self.network.patch_size, self.config.size
        if size is not None and any(side % patch for side in size):
            raise UserError(
                f"images of {size[0]}x{size[1]} are no multiples of the network's patches of {patch} pixels"
            )

    def batch(self, number: int, progress: float) -> Example:
        """Batch `number` of the run, at `progress` in [0, 1] of it; the same arguments give the same batch."""
        rng = np.random.default_rng((self.seed, number))
        shape = batch_shape(self.config, self.network, rng, progress)
        if self.ranks > 1:
            number = number * self.ranks + self.rank
            rng = np.random.default_rng((self.seed, number, self.ranks))
        shape = replace(shape, first=self.seed * SCENES_PER_RUN + number * SCENES_PER_BATCH)
        example = self.source.draw(shape, rng, progress)
        return self.finished(example, rng)

    def finished(self, example: Example, rng: np.random.Generator) -> Example:
        """Scenes of the world as they are trained with: some in the mirror, all in the network's frame."""
        chosen = torch.from_numpy(rng.random(example.num_scenes) < self.config.mirror)
        chosen = chosen.to(example.context.images.device)
        context, target = (mirrored_scenes(views, chosen) for views in (example.context, example.target))
        return self.placed(Example(context, target))

    def held_out(self, scenes: int) -> Example:
        """Scenes that no batch has, always the same, in the usual shape and the world frame; targets are all novel."""
        config = self.config
        height, width = config.size or image_size(config.side, 1.0, self.network.patch_size)
        return self.source.held_out(
            BatchShape(scenes, config.usual_context, config.novel, shown=0, height=height, width=width)
        )

    def placed(self, example: Example) -> Example:
        """Scenes of the world in the frame that the network wants, with times where it wants them.

        UserError where its scale is that of depths which the scenes have not.
        """
        if self.network.time_channels:
            example = timed(example)
        return example.moved(training_frame(self.network.rule, example.context))


def made_ahead(make: Callable[[int], T], first: int, depth: int = 2) -> Generator[T, None, None]:
    """make(first), make(first + 1), ... without end, `depth` of them made ahead in one background thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        waiting = [pool.submit(make, first + i) for i in range(depth)]
        number = first + depth
        while True:
            result = waiting.pop(0).result()
            waiting.append(pool.submit(make, number))
            number += 1
            yield result
