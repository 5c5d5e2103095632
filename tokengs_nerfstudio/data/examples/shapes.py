"""How large the batches of a run are: they vary in views, aspect and size, and cost about the same."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.ranges import Ascending, Count, NotEmpty, NotNegative, Range, Share, Whole
from tokengs_nerfstudio.data.examples.source import BatchShape

Side = Annotated[int, Range(8, 4096)]
ASPECTS = (1.0, 1.0, 4 / 3, 3 / 4, 16 / 9, 9 / 16)


@dataclass(frozen=True)
class BatchConfig:
    """How many scenes and views a batch has, and how large its images are."""

    scenes: Count = 4
    """scenes in a step of four context views of 64x64; fewer in costlier steps, more in cheaper ones. All steps have so
    many where `size` is set"""
    context: Annotated[tuple[Annotated[int, Range(2)], Annotated[int, Range(2)]], Ascending()] = (2, 6)
    """fewest and most context views; four are as likely as all other numbers together"""
    novel: Count = 3
    """supervised views that the network does not see"""
    shown: Whole = 1
    """supervised views that it sees"""
    side: Side = 64
    """images have about side x side pixels, in several aspects"""
    size: tuple[Side, Side] | None = None
    """height and width of all images; if not set, they vary as `side` and `late_sides` say"""
    late_sides: Annotated[tuple[Side, ...], NotEmpty()] = (64, 64, 80, 96, 112, 128)
    """from `late` on, one of these is drawn for each batch instead"""
    late: NotNegative = 0.67
    """share of the run after which image sizes vary"""
    mirror: Share = 0.5
    """share of the scenes that are mirrored"""

    def contradiction(self) -> tuple[str, str] | None:
        """See `core.ranges.Related`."""
        few = self.context[0]
        return ("shown", f"is {self.shown}, but as few as {few} context views are drawn") if self.shown > few else None

    @property
    def usual_context(self) -> int:
        """The commonest number of context views: four, or what is nearest to it."""
        low, high = self.context
        return min(max(4, low), high)


def image_size(side: int, aspect: float, multiple: int) -> tuple[int, int]:
    """Height and width of about side^2 pixels with width / height near `aspect`, multiples of `multiple`."""
    width = max(1, round(side * math.sqrt(aspect) / multiple))
    height = max(1, round(side * side / (width * multiple) / multiple))
    return height * multiple, width * multiple


def usual_or_other(config: BatchConfig, rng: np.random.Generator) -> int:
    """Draw a number of context views: the usual one half of the time."""
    low, high = config.context
    return config.usual_context if rng.random() < 0.5 else int(rng.integers(low, high + 1))


def sides_at(config: BatchConfig, progress: float) -> tuple[int, ...]:
    """What sizes are drawn from at that point of a run."""
    return config.late_sides if progress >= config.late else (config.side,)


def drawn_size(
    config: BatchConfig, network: NetworkConfig, rng: np.random.Generator, progress: float
) -> tuple[int, tuple[int, int]]:
    """Draw a side and an aspect, where no size is set: the side, height and width."""
    side = int(rng.choice(sides_at(config, progress)))
    return side, image_size(side, float(rng.choice(ASPECTS)), network.patch_size)


def scenes_of_cost(config: BatchConfig, network: NetworkConfig, context: int, height: int, width: int) -> int:
    """How many scenes cost about as much as `config.scenes` of the usual shape: an even number, or one."""
    patch_area = network.patch_size**2
    cost = network.tokens + context * height * width / patch_area
    reference = network.tokens + 4 * 64 * 64 / patch_area
    return 2 * max(1, round(config.scenes * reference / cost / 2)) if config.scenes > 1 else 1


def batch_shape(config: BatchConfig, network: NetworkConfig, rng: np.random.Generator, progress: float) -> BatchShape:
    """Draw a batch's shape. Unless its size is set, the number of scenes is even and keeps the cost about constant."""
    count = usual_or_other(config, rng)
    if config.size is not None:
        return BatchShape(config.scenes, count, config.novel, config.shown, *config.size)
    _, (height, width) = drawn_size(config, network, rng, progress)
    scenes = scenes_of_cost(config, network, count, height, width)
    return BatchShape(scenes, count, config.novel, config.shown, height, width)
