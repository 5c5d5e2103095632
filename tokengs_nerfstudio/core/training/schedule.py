"""The learning rate over a run, as a plain number for every point of its progress."""

import math


def one_cycle(progress: float, warmup: float, start_divisor: float = 25.0, end_divisor: float = 25_000.0) -> float:
    """Multiplier of the highest learning rate at `progress` in [0, 1] of a run: a cosine up, then a cosine down.

    It rises from 1 / start_divisor to 1 at `warmup` and falls to 1 / end_divisor at the end; progress beyond the end
    stays there. Progress may be counted in steps or in time. ValueError where `warmup` is not in [0, 1).
    """
    if not 0.0 <= warmup < 1.0:
        raise ValueError(f"the warm-up is a share of the run in [0, 1), got {warmup}")
    progress = min(max(float(progress), 0.0), 1.0)
    if progress < warmup:
        return _cosine(1 / start_divisor, 1.0, progress / warmup)
    return _cosine(1.0, 1 / end_divisor, (progress - warmup) / (1.0 - warmup))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))
