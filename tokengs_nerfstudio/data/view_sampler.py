"""Which frames of a scene the network sees, and which it is asked to render."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError


@dataclass(frozen=True)
class ViewSelection:
    """Frame indices of one scene: what the network sees and what is rendered."""

    context: list[int]
    target: list[int]


@dataclass(frozen=True)
class BoundedSampler:
    """Context and target views from one random stretch of a sequence, as TokenGS is trained.

    A gap of `min_gap` to `max_gap` frames is drawn and a place for it. Its two ends and random frames between them are
    the context, in the order of the sequence; the targets are drawn from the same stretch. A sequence too short for
    the gap is used whole, a gap too short for the views is widened.
    """

    num_context: int = 4
    num_target: int = 4
    min_gap: int = 10
    max_gap: int = 40

    def __post_init__(self) -> None:
        if self.num_context < 1 or self.num_target < 0:
            raise UserError(f"at least one context and no fewer than zero target views, got {self}")
        if not 0 <= self.min_gap <= self.max_gap:
            raise UserError(f"gaps must satisfy 0 <= min_gap <= max_gap, got {self.min_gap} and {self.max_gap}")

    def sample(self, num_frames: int, rng: np.random.Generator) -> ViewSelection:
        """Draw views of a sequence; ValueError where it has fewer frames than the context needs.

        Targets differ from each other and from the context as long as the stretch has frames enough; then context
        frames are targets too, and only after those a frame is drawn again.
        """
        if num_frames < self.num_context:
            raise UserError(f"a sequence of {num_frames} frames cannot give {self.num_context} context views")
        wanted = int(rng.integers(self.min_gap, self.max_gap + 1))
        gap = min(max(wanted, self.num_context - 1), num_frames - 1)
        start = int(rng.integers(0, num_frames - gap))
        stretch = range(start, start + gap + 1)
        context = _ends_and_between(stretch, self.num_context, rng)
        others = [frame for frame in stretch if frame not in set(context)]
        order = [*rng.permutation(others).tolist(), *rng.permutation(context).tolist()]
        return ViewSelection(context, [int(order[place % len(order)]) for place in range(self.num_target)])


@dataclass(frozen=True)
class MomentSampler:
    """Context and target views of things that move, filmed by several cameras at once, as TokenGS is trained.

    The context is of as many different cameras at as many different moments, in the order of time; the targets are all
    of one moment of the same stretch of time, which its ends bound. Of cameras of the context first, in their order.
    """

    num_context: int = 4
    num_target: int = 4

    def sample(self, cameras: int, moments: int, rng: np.random.Generator) -> ViewSelection:
        """Draw frames camera * moments + moment; UserError where cameras or moments are fewer than the context needs.

        Further targets are of the other cameras, and only after those a camera is drawn again.
        """
        count = self.num_context
        if min(cameras, moments) < count:
            raise UserError(f"{cameras} cameras at {moments} moments cannot give {count} context views, all different")
        gap = int(rng.integers(count - 1, moments))
        start = int(rng.integers(0, moments - gap))
        stretch = range(start, start + gap + 1)
        times = _ends_and_between(stretch, count, rng)
        order = rng.permutation(cameras).tolist()
        moment = int(rng.choice(stretch))
        context = [camera * moments + time for camera, time in zip(order[:count], times)]
        return ViewSelection(context, [order[place % cameras] * moments + moment for place in range(self.num_target)])


def _ends_and_between(stretch: range, count: int, rng: np.random.Generator) -> list[int]:
    """`count` different numbers of a stretch, ascending, its ends among them (one alone is any of it)."""
    if count == 1:
        return [int(rng.choice(stretch))]
    between = rng.choice(stretch[1:-1], size=count - 2, replace=False).tolist()
    return [stretch[0], *sorted(between), stretch[-1]]


def spread_views(
    c2w: Float[Tensor, "frame 4 4"],
    count: int,
    candidates: Sequence[int] | None = None,
    times: Float[Tensor, " frame"] | None = None,
) -> list[int]:
    """`count` frames that cover a capture: k-centre on camera position and viewing direction, most central view first.

    Farthest-first traversal (Gonzalez 1985, within twice the best possible radius), then exchanges of single views
    while they lower the largest distance of any candidate from its nearest chosen view. The choice is deterministic
    and does not depend on the capture's scale, orientation or units. `candidates` are the frames that may be chosen
    (None: all); ValueError where there are fewer than `count` of them. With `times` frames cover these too: the first
    and the last time are as far apart as the two cameras that are farthest from each other.
    """
    frames = list(range(len(c2w))) if candidates is None else list(dict.fromkeys(int(index) for index in candidates))
    if not 1 <= count <= len(frames):
        raise UserError(f"cannot choose {count} views among {len(frames)} frames")
    distances = camera_distances(c2w[frames])
    if times is not None:
        distances = np.hypot(distances, _apart_in_time(times[frames]))
    chosen = _exchanged(distances, farthest_first(distances, count))
    order = farthest_first(distances[np.ix_(chosen, chosen)], count)
    return [frames[chosen[place]] for place in order]


def farthest_first(distances: Float[ndarray, "point point"], count: int, first: int | None = None) -> list[int]:
    """`count` different points: `first` (None: the most central one), then again and again the one that is farthest
    from all chosen before."""
    chosen = [int(distances.sum(axis=1).argmin()) if first is None else first]
    reach = distances[chosen[0]].copy()
    while len(chosen) < count:
        # Points in one place are all at distance 0: a chosen one must still not come again.
        reach[chosen[-1]] = -1.0
        chosen.append(int(reach.argmax()))
        reach = np.minimum(reach, distances[chosen[-1]])
    return chosen


def _exchanged(distances: Float[ndarray, "frame frame"], chosen: list[int], passes: int = 10) -> list[int]:
    """Exchange single chosen frames for others as long as the covering radius falls; at equal radius, the mean."""
    chosen = list(chosen)
    for _ in range(passes):
        before = list(chosen)
        for place in range(len(chosen)):
            others = chosen[:place] + chosen[place + 1 :]
            reach = np.minimum(distances, distances[others].min(axis=0, initial=np.inf))
            cost = reach.max(axis=1) + 1e-3 * reach.mean(axis=1)
            cost[others] = np.inf
            best = int(cost.argmin())
            if cost[best] < cost[chosen[place]] - 1e-9:
                chosen[place] = best
        if chosen == before:
            break
    return chosen


def _apart_in_time(times: Float[Tensor, " frame"]) -> Float[ndarray, "frame frame"]:
    """How far apart frames are in time, as a share of the whole span; 0 where there is none."""
    known = times.detach().cpu().double().numpy()
    apart = np.abs(known[:, None] - known)
    return apart / apart.max() if apart.max() > 0 else apart


def nearest_views(
    c2w: Float[Tensor, "frame 4 4"], reference: int, candidates: Sequence[int] | None = None
) -> list[int]:
    """The candidates (None: all other frames) from the nearest to the farthest from frame `reference`."""
    others = [index for index in range(len(c2w)) if index != reference] if candidates is None else list(candidates)
    distances = camera_distances(c2w)[reference]
    return sorted(others, key=lambda index: float(distances[index]))


def camera_distances(c2w: Float[Tensor, "frame 4 4"]) -> Float[ndarray, "frame frame"]:
    """How different two views are: the root of the squares of two parts that each lie in [0, 1].

    One is the distance of the cameras over the largest distance of any two (0 where all coincide), the other the
    chord between the viewing directions over its largest value 2. Rolling a camera does not change what it sees much,
    and does not count.
    """
    poses = c2w.detach().cpu().double().numpy()
    position, direction = poses[:, :3, 3], poses[:, :3, 2]
    apart = np.linalg.norm(position[:, None] - position[None], axis=-1)
    chord = np.linalg.norm(direction[:, None] - direction[None], axis=-1)
    # Positions that differ by no more than rounding are one position, not a scene of that extent.
    rounding = 8 * torch.finfo(c2w.dtype).eps
    coincident = apart.max() <= rounding * np.abs(position).max()
    return np.hypot(np.zeros_like(apart) if coincident else apart / apart.max(), chord / 2)
