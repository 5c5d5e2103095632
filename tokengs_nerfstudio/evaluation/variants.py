"""What a benchmark is changed in to see how much a network bears: other cameras, targets, contexts, tokens."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.disturbance import disturbed
from tokengs_nerfstudio.core.network.token_count import resize_network
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.view_sampler import ViewSelection, camera_distances, farthest_first
from tokengs_nerfstudio.evaluation.cases import Case

_MOST_TARGETS = 64
BEYOND = (0.0, 0.25, 0.5)
"""Ends of the rows of the extrapolation table: how far outside of the context, in spans of the context."""


@dataclass(frozen=True)
class Variant:
    """The benchmark as it is; subclasses change one thing."""

    axis: ClassVar[str] = ""
    """what is changed, as a name of files"""

    @property
    def label(self) -> str:
        """How it is changed."""
        return ""

    @property
    def key(self) -> str:
        """Both, as a path; empty for the benchmark as it is."""
        return f"{self.axis}/{self.label.replace(' ', '_')}" if self.axis else ""

    def views(self, case: Case) -> ViewSelection | None:
        """Context and targets; None for a scene that this cannot be done with."""
        return case.views

    def seen(self, supervised: Views, name: str, seed: int) -> Views:
        """The context photos with the cameras that the network is told."""
        return supervised

    def network(self, network: TokenGSNetwork) -> TokenGSNetwork:
        """The network that is evaluated."""
        return network

    def beyond(self, case: Case, views: ViewSelection) -> list[float]:
        """How far outside of the context each target lies, where that matters."""
        return []


@dataclass(frozen=True)
class PoseNoise(Variant):
    """Context cameras, all but the first, turned by `degrees` and moved by `baselines`, in random directions.

    The unit of the shift is the largest distance between two context cameras. Targets stay where they are.
    """

    degrees: float
    baselines: float

    axis: ClassVar[str] = "pose_noise"

    @property
    def label(self) -> str:
        """As `Variant.label`."""
        return f"{self.degrees:g} deg, {100 * self.baselines:g} %"

    @property
    def key(self) -> str:
        """As `Variant.key`."""
        return f"{self.axis}/{self.degrees:g}_{self.baselines:g}"

    def seen(self, supervised: Views, name: str, seed: int) -> Views:
        """As `Variant.seen`; the directions follow from the scene's name and the seed."""
        return disturbed(supervised, self.degrees, self.baselines, zlib.crc32(name.encode()) ^ seed)


@dataclass(frozen=True)
class ContextExtension(Variant):
    """`count` context views, the first ones of an order in which each is the farthest from those before it.

    So larger contexts hold smaller ones. Targets are those of the benchmark that no context up to `most` views holds.
    """

    count: int
    most: int

    axis: ClassVar[str] = "context_extension"

    @property
    def label(self) -> str:
        """As `Variant.label`."""
        return f"{self.count} views"

    @property
    def key(self) -> str:
        """As `Variant.key`: targets depend on `most`."""
        return f"{self.axis}/{self.count}_of_{self.most}_views"

    def views(self, case: Case) -> ViewSelection | None:
        """As `Variant.views`: None where there are fewer than `most` frames to see, or none is left to ask for."""
        if len(case.known) < self.most:
            return None
        order = farthest_first(camera_distances(case.scene.c2w[list(case.known)]), self.most)
        frames = [case.known[place] for place in order]
        target = [index for index in case.views.target if index not in set(frames)]
        place = {frame: number for number, frame in enumerate(case.known)}
        return ViewSelection(sorted(frames[: self.count], key=place.__getitem__), target) if target else None


@dataclass(frozen=True)
class Extrapolation(Variant):
    """The context, as many views as before, from the middle half of the sequence; all other frames are targets."""

    axis: ClassVar[str] = "extrapolation"

    @property
    def label(self) -> str:
        """As `Variant.label`."""
        return "middle half"

    def views(self, case: Case) -> ViewSelection | None:
        """As `Variant.views`: None where the middle half has too few frames. At most 64 targets, evenly chosen."""
        count, frames = len(case.sequence), case.sequence
        middle = frames[count // 4 : count - count // 4]
        if len(middle) < max(len(case.views.context), 2):
            return None
        context = list(dict.fromkeys(_evenly(middle, max(len(case.views.context), 2))))
        rest = [frame for frame in frames if frame not in set(context)]
        target = list(dict.fromkeys(_evenly(rest, min(len(rest), _MOST_TARGETS))))
        return ViewSelection(context, target) if target else None

    def beyond(self, case: Case, views: ViewSelection) -> list[float]:
        """As `Variant.beyond`, along the sequence and in spans of the context; 0 between its ends."""
        place = {frame: number for number, frame in enumerate(case.sequence)}
        first, last = place[views.context[0]], place[views.context[-1]]
        return [max(first - place[frame], place[frame] - last, 0) / (last - first) for frame in views.target]


@dataclass(frozen=True)
class TokenCounts(Variant):
    """Another number of tokens than the weights have."""

    count: int

    axis: ClassVar[str] = "token_count"

    @property
    def label(self) -> str:
        """As `Variant.label`."""
        return f"{self.count} tokens"

    def network(self, network: TokenGSNetwork) -> TokenGSNetwork:
        """As `Variant.network`: evenly chosen tokens, or all of them and noisy repeats."""
        return resize_network(network, tokens=self.count)


def variants(
    pose_noise: Sequence[tuple[float, float]], extrapolation: bool, context: Sequence[int], tokens: Sequence[int]
) -> list[Variant]:
    """The benchmark as it is, and all that it is to be changed in. UserError for a change that is asked for twice."""
    found: list[Variant] = [Variant()]
    found += [PoseNoise(*level) for level in pose_noise]
    found += [Extrapolation()] if extrapolation else []
    found += [ContextExtension(count, max(context)) for count in sorted(context)]
    found += [TokenCounts(count) for count in sorted(tokens)]
    keys = sorted(variant.key for variant in found)
    for one, other in pairwise(keys):
        if one == other:
            raise UserError(f"{one} is asked for twice")
    return found


def _evenly(frames: Sequence[int], count: int) -> list[int]:
    return [frames[place] for place in np.linspace(0, len(frames) - 1, count).round().astype(int).tolist()]
