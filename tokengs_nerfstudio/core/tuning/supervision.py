"""The photos a scene is tuned on: their sizes from coarse to fine, the few of each step, the one that is left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.nearness import apart
from tokengs_nerfstudio.core.geometry.resize import level_size, resized
from tokengs_nerfstudio.core.tuning.hull import Hull
from tokengs_nerfstudio.core.types import Gaussians, Views


@dataclass(frozen=True)
class Batch:
    """The views of one step, and which of the supervised ones they are."""

    views: Views
    indices: Int[Tensor, " view"]
    backgrounds: Float[Tensor, "view 3"] | None = None
    """for cut-out photos, the colours that they and the Gaussians are compared over"""

    def select(self, part: Int[Tensor, " some"] | slice) -> "Batch":
        """Some of the views, by their places in the batch."""
        views = self.views.select(part)
        if isinstance(part, Tensor):
            part = part.cpu()
        return Batch(views, self.indices[part], None if self.backgrounds is None else self.backgrounds[part])


class Supervision:
    """Serves the supervised views in random order, each once before any comes again; never one wholly masked.

    `valid_share` is the share of the photos' pixels that may supervise.
    """

    def __init__(self, views: Views, held_out: Sequence[int], seed: int):
        self.views = views
        self.held_out = list(held_out)
        self.trained = [i for i in views.usable() if i not in self.held_out]
        self._hull = Hull.of(views.subset(self.trained))
        self.valid_share = views.valid_share
        self._generator = torch.Generator().manual_seed(seed)
        self._queue: list[int] = []

    def possible(self, gaussians: Gaussians, wholly: bool) -> Gaussians:
        """Those that are where cut-out photos show something, as `Hull.holds` means it; all for opaque photos."""
        return gaussians if self._hull is None else gaussians.select(self._hull.holds(gaussians, wholly))

    def impossible(self, gaussians: Gaussians) -> Bool[Tensor, " gaussian"] | None:
        """Which ones have their centre where cut-out photos show nothing; None for opaque photos."""
        return None if self._hull is None else ~self._hull.holds(gaussians)

    def next_indices(self, count: int) -> Int[Tensor, " view"]:
        """`count` of the trained views (all of them where there are fewer), in random order."""
        count = min(count, len(self.trained))
        chosen: list[int] = []
        while len(chosen) < count:
            if not self._queue:
                order = torch.randperm(len(self.trained), generator=self._generator).tolist()
                self._queue = [self.trained[i] for i in order if self.trained[i] not in chosen]
            chosen.append(self._queue.pop())
        return torch.tensor(chosen)

    def batch(self, count: int, factor: float) -> Batch:
        """The next `count` views, `factor` times smaller than the photos."""
        indices = self.next_indices(count)
        views = self._at(factor, indices.to(self.views.c2w.device))
        if views.alphas is None:
            return Batch(views, indices)
        return Batch(views, indices, torch.rand(len(indices), 3, generator=self._generator))

    def _at(self, factor: float, indices: Sequence[int] | Tensor) -> Views:
        """Some of the supervised views at 1/factor of their size."""
        size, views = level_size(self.views.height, self.views.width, factor), self.views.select(indices)
        return views if size == (views.height, views.width) else resized(views, *size)

    def held_out_views(self, factor: float = 1.0) -> Views:
        return self._at(factor, self.held_out)

    def state_dict(self) -> dict[str, Any]:
        return {"queue": list(self._queue), "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._queue = list(state["queue"])
        self._generator.set_state(state["generator"].cpu())


def check_supervision(views: Views, steps: int) -> None:
    """ValueError where there is nothing to supervise `steps` steps with; a scene needs views even for none."""
    if views.num_views == 0:
        raise UserError("a scene needs at least one supervised view, got none; its context may serve")
    if steps > 0 and not views.usable():
        raise UserError("every supervised photo is masked out wholly: masks are 0 where pixels are to be ignored")


def left_out_view(views: Views, least: int) -> list[int]:
    """The view to stop by, among those with valid pixels; none where these are fewer than `least`, or one alone."""
    candidates = views.usable()
    enough = len(candidates) >= max(2, least)
    return [candidates[most_typical_view(views.c2w[candidates])]] if enough else []


def most_typical_view(c2w: Float[Tensor, "view 4 4"]) -> int:
    """The view whose distance to its nearest neighbour is the median: neither a twin nor an outlier.

    Distance counts position (relative to the spread of the cameras) and viewing direction.
    """
    nearest = apart(c2w, 1.0).amin(dim=-1)
    return int(nearest.argsort()[len(nearest) // 2])
