"""Training batches of procedural scenes: every batch follows from a seed and its number alone."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from tokengs_nerfstudio.core.geometry.mirror import mirrored_scenes
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.training_batch import TrainingBatch, canonical_batch
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig
from tokengs_nerfstudio.data.procedural.tracing import procedural_batch

ASPECTS = (1.0, 1.0, 4 / 3, 3 / 4, 16 / 9, 9 / 16)
SEEDS_PER_RUN = 10**9
HELD_OUT_SEED = 10**15

EASY = ProceduralConfig(
    fov=(34.0, 58.0), orbit_probability=0.8, forward_probability=0.1, orbit_span=(50.0, 160.0), elevation=(8.0, 45.0)
)

T = TypeVar("T")


@dataclass(frozen=True)
class PretrainingData:
    """What batches are drawn from."""

    batch: int = 4
    """scenes in a step of four context views of 64x64; fewer in costlier steps, more in cheaper ones"""
    context: tuple[int, int] = (2, 6)
    """fewest and most context views; four are as likely as all other numbers together"""
    novel: int = 3
    """supervised views that the network does not see"""
    shown: int = 1
    """supervised views that it sees"""
    side: int = 64
    """images have about side x side pixels, in several aspects"""
    late_sides: tuple[int, ...] = (64, 64, 80, 96, 112, 128)
    """from `late` on, one of these is drawn for each batch instead"""
    late: float = 0.67
    """share of the run after which image sizes vary"""
    mirror: float = 0.5
    """share of the scenes that are mirrored"""
    scenes: ProceduralConfig = field(default_factory=ProceduralConfig)
    """what is trained for, and evaluated on"""
    easy_scenes: ProceduralConfig = field(default_factory=lambda: EASY)
    """what is drawn at first: fields of view and camera paths alike in size, so that the network learns to place
    Gaussians before it learns how differently large scenes are"""
    easy: tuple[float, float] = (0.35, 0.6)
    """only easy scenes up to the first share of the run, ever fewer batches of them up to the second"""

    def __post_init__(self) -> None:
        low, high = self.context
        if not 2 <= low <= high or self.novel < 1 or not 0 <= self.shown <= low or self.batch < 1:
            raise ValueError(f"context 2 <= low <= high, novel >= 1, 0 <= shown <= low, batch >= 1 needed; got {self}")


@dataclass(frozen=True)
class BatchShape:
    """How many scenes and views a batch has and how large its images are."""

    scenes: int
    context: int
    height: int
    width: int


def image_size(side: int, aspect: float, multiple: int) -> tuple[int, int]:
    """Height and width of about side^2 pixels with width / height near `aspect`, multiples of `multiple`."""
    width = max(1, round(side * math.sqrt(aspect) / multiple))
    height = max(1, round(side * side / (width * multiple) / multiple))
    return height * multiple, width * multiple


def batch_shape(data: PretrainingData, network: NetworkConfig, rng: np.random.Generator, progress: float) -> BatchShape:
    """Draw a batch's shape; the number of scenes is even and keeps the cost of the step about constant."""
    low, high = data.context
    usual = min(max(4, low), high)
    count = usual if rng.random() < 0.5 else int(rng.integers(low, high + 1))
    side = int(rng.choice(data.late_sides)) if progress >= data.late else data.side
    height, width = image_size(side, float(rng.choice(ASPECTS)), network.patch_size)
    patch_area = network.patch_size**2
    cost = network.tokens + count * height * width / patch_area
    reference = network.tokens + 4 * 64 * 64 / patch_area
    scenes = 2 * max(1, round(data.batch * reference / cost / 2)) if data.batch > 1 else 1
    return BatchShape(scenes=scenes, context=count, height=height, width=width)


def training_batch(
    data: PretrainingData, network: NetworkConfig, seed: int, number: int, progress: float
) -> TrainingBatch:
    """Batch `number` of the run with `seed`, at `progress` in [0, 1] of it; the same arguments give the same batch."""
    rng = np.random.default_rng((seed, number))
    shape = batch_shape(data, network, rng, progress)
    first = seed * SEEDS_PER_RUN + number * 64
    scene_seeds = range(first, first + shape.scenes)
    scenes = data.easy_scenes if rng.random() < _share_of_easy(data, progress) else data.scenes
    views, depth = procedural_batch(scene_seeds, shape.context + data.novel, shape.height, shape.width, scenes)
    flip = torch.from_numpy(rng.random(shape.scenes) < data.mirror)
    depth = torch.where(flip[:, None, None, None, None], depth.flip(-1), depth)
    return _split(mirrored_scenes(views, flip), depth, shape.context, data.shown, network)


def held_out_batch(
    data: PretrainingData, network: NetworkConfig, scenes: int, context: int = 4, side: int = 64
) -> TrainingBatch:
    """Always the same scenes, which no training seed reaches; targets are novel views only."""
    seeds = range(HELD_OUT_SEED, HELD_OUT_SEED + scenes)
    views, depth = procedural_batch(seeds, context + data.novel, side, side, data.scenes)
    return _split(views, depth, context, 0, network)


def _share_of_easy(data: PretrainingData, progress: float) -> float:
    only, none = data.easy
    return min(max((none - progress) / max(none - only, 1e-9), 0.0), 1.0)


def _split(views: Views, depth: Tensor, context: int, shown: int, network: NetworkConfig) -> TrainingBatch:
    """The first views are context, the later ones and the first `shown` of the context are supervised."""
    seen, target = views.select(slice(0, context)), [*range(context, views.num_views), *range(shown)]
    rules = (network.frame, network.scale, network.scale_value)
    return canonical_batch(seen, views.select(target), *rules, depth=depth[:, target])


def made_ahead(make: Callable[[int], T], first: int, depth: int = 2) -> Iterator[T]:
    """make(first), make(first + 1), ... without end, `depth` of them made ahead in one background thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        waiting = [pool.submit(make, first + i) for i in range(depth)]
        number = first + depth
        while True:
            result = waiting.pop(0).result()
            waiting.append(pool.submit(make, number))
            number += 1
            yield result
