"""Which frames of a capture may be learned from, and which are kept for evaluation."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FrameSplit:
    """Indices of the frames to learn from and of the frames to evaluate on."""

    train: list[int]
    test: list[int]


def split_by_fraction(count: int, train_fraction: float = 0.9) -> FrameSplit:
    """Nerfstudio's default split: the given part of the frames, evenly spread from the first to the last, is learned
    from (rounded up), the rest is kept for evaluation. ValueError for a fraction outside (0, 1]."""
    if not 0 < train_fraction <= 1:
        raise ValueError(f"the fraction of frames to train on must lie in (0, 1], got {train_fraction}")
    train = np.linspace(0, count - 1, math.ceil(count * train_fraction), dtype=int).tolist()
    return FrameSplit(train, [index for index in range(count) if index not in set(train)])


def split_by_interval(count: int, interval: int) -> FrameSplit:
    """Every `interval`-th frame from the first on is kept for evaluation. ValueError for an interval below 2."""
    if interval < 2:
        raise ValueError(f"the interval between evaluation frames must be at least 2, got {interval}")
    frames = range(count)
    return FrameSplit([index for index in frames if index % interval], list(frames[::interval]))
