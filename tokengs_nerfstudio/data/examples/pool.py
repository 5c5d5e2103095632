"""Scenes kept on the device that trains: every batch is drawn from all that other processes have made so far.

A GPU takes steps faster than processors make scenes. Here it never waits for them: a scene serves as many examples as
there are steps to be fed, each with other context and target views.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from tokengs_nerfstudio.core.ranges import Count, Range, Whole
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.mesh_scenes import spread_cameras
from tokengs_nerfstudio.data.examples.shapes import scenes_of_cost, sides_at, usual_or_other

_LEVELS = 255.0
_FIRST_ROOM = 256
PARCELS_PER_RANK = 10**8
"""Scenes that the makers of one of several ranks may number, in parcels."""


@dataclass(frozen=True)
class PoolConfig:
    """Scenes made by processes of their own and kept on the device: for devices that take steps faster than one thread
    makes scenes. A run's batches then depend on how fast scenes come."""

    makers: Whole = 0
    """processes that make scenes; 0: a thread makes each batch by its number, and runs can be repeated"""
    views: Annotated[int, Range(3)] = 12
    """photos of each scene, of which every example takes some; of a moving one as many are targets (of one time) as a
    batch has novel ones"""
    fewest: Count = 128
    """scenes of a size that there must be before it is trained with"""
    most: Count = 20_000
    """scenes of a size that are kept: one of 12 photos of 64x64 takes 0.25 MB, of 128x128 1 MB; the oldest make room"""


@dataclass(frozen=True)
class PooledScenes:
    """Some scenes of one size as they travel between processes: [scene view ...]."""

    side: int
    """what their size was drawn for: see `BatchConfig.side`"""
    arrays: Mapping[str, np.ndarray]
    """fields of `Views`, images in 8 bits and depths in 16, `moving` of the targets alone; of scenes that stand still
    also `orders`: for each scene and each view that may come first, the views in an order whose prefixes spread"""
    context: int | None = None
    """of scenes that move: how many views, the first ones, are context, in the order of their times. The others are
    targets, of one time between them. Where nothing moves every view may be either"""

    @classmethod
    def of(cls, example: Example, side: int) -> "PooledScenes":
        """Scenes [scene view ...] in their worlds, no view twice; masks are not kept."""
        moving, parts = example.target.moving, (example.context, replace(example.target, moving=None))
        views = Views.joined(parts, lambda tensors: torch.cat(tensors, dim=1))
        images = (views.images * _LEVELS).round().clamp(0, _LEVELS).to(torch.uint8)
        arrays = {"images": images.numpy(), "c2w": views.c2w.numpy(), "intrinsics": views.intrinsics.numpy()}
        if views.depths is not None:
            arrays["depths"] = views.depths.half().numpy()
        if views.times is None:
            arrays["orders"] = np.stack([_orders(c2w) for c2w in arrays["c2w"]])
            return cls(side, arrays)
        arrays["times"] = views.times.numpy()
        if moving is not None:
            arrays["moving"] = moving.bool().numpy()
        return cls(side, arrays, example.context.num_views)

    @property
    def count(self) -> int:
        return len(self.arrays["c2w"])

    @property
    def kind(self) -> tuple[object, ...]:
        """What only scenes that may meet in a batch have in common."""
        return self.side, self.context, *((name, array.shape[1:]) for name, array in self.arrays.items())


def _orders(c2w: np.ndarray) -> np.ndarray:
    return np.array([spread_cameras(c2w, first) for first in range(len(c2w))], np.uint8)


class Shelf:
    """Scenes of one kind on a device; beyond `most` of them the oldest make room."""

    def __init__(self, scenes: PooledScenes, device: torch.device, most: int) -> None:
        self.side, self._context = scenes.side, scenes.context
        self._device, self._most, self._added = device, most, 0
        self._tensors = {
            name: self._room(torch.from_numpy(array), min(_FIRST_ROOM, most)) for name, array in scenes.arrays.items()
        }

    @property
    def count(self) -> int:
        """Scenes that are there."""
        return min(self._added, self._most)

    @property
    def views(self) -> int:
        """Of each scene."""
        return self._tensors["c2w"].shape[1]

    @property
    def most_context(self) -> int:
        """Views that may be the context of one example."""
        return self.views - 1 if self._context is None else self._context

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        height, width = self._tensors["images"].shape[-2:]
        return height, width

    def add(self, scenes: PooledScenes) -> None:
        """Some more."""
        self._make_room(self._added + scenes.count)
        places = (torch.arange(self._added, self._added + scenes.count) % self._most).to(self._device)
        for name, array in scenes.arrays.items():
            self._tensors[name][places] = torch.from_numpy(array).to(self._device)
        self._added += scenes.count

    def draw(self, count: int, context: int, novel: int, shown: int, rng: np.random.Generator) -> Example:
        """`count` scenes. Those that stand still: each from a first view of its own; novel targets are among the views
        that are not context. Those that move: the first and the last context view and some between them; all targets.
        """
        scenes = torch.from_numpy(rng.integers(self.count, size=count)).to(self._device)
        if self._context is None:
            return self._of_still(scenes, context, novel, shown, rng)
        return self._of_moving(scenes, context, self._context, rng)

    def _of_still(
        self, scenes: Int[Tensor, " scene"], context: int, novel: int, shown: int, rng: np.random.Generator
    ) -> Example:
        count, views = len(scenes), self.views
        first = torch.from_numpy(rng.integers(views, size=count)).to(self._device)
        order = self._tensors["orders"][scenes, first].long()
        others = torch.from_numpy(rng.permuted(np.tile(np.arange(context, views), (count, 1)), axis=1)[:, :novel])
        target = torch.cat([order.gather(1, others.to(self._device)), order[:, :shown]], dim=1)
        return Example(self._views(scenes, order[:, :context]), self._views(scenes, target))

    def _of_moving(self, scenes: Int[Tensor, " scene"], context: int, kept: int, rng: np.random.Generator) -> Example:
        count = len(scenes)
        between = rng.permuted(np.tile(np.arange(1, kept - 1), (count, 1)), axis=1)[:, : context - 2]
        ends = np.tile([0, kept - 1], (count, 1))
        seen = torch.from_numpy(np.sort(np.concatenate([ends, between], axis=1), axis=1)).to(self._device)
        shown = self._views(scenes, torch.arange(kept, self.views, device=self._device).expand(count, -1))
        moving = self._tensors.get("moving")
        target = shown if moving is None else replace(shown, moving=moving[scenes].float())
        return Example(self._views(scenes, seen), target)

    def _views(self, scenes: Int[Tensor, " scene"], order: Int[Tensor, "scene view"]) -> Views:
        of_views = {name: tensor for name, tensor in self._tensors.items() if name not in ("orders", "moving")}
        chosen = {name: tensor[scenes[:, None], order] for name, tensor in of_views.items()}
        depths = chosen.get("depths")
        return Views(
            images=chosen["images"].float() / _LEVELS,
            c2w=chosen["c2w"],
            intrinsics=chosen["intrinsics"],
            depths=None if depths is None else depths.float(),
            times=chosen.get("times"),
        )

    def _make_room(self, wanted: int) -> None:
        room = len(self._tensors["c2w"])
        if min(wanted, self._most) <= room:
            return
        larger = min(max(2 * room, wanted), self._most)
        for name, tensor in self._tensors.items():
            grown = self._room(tensor, larger)
            grown[:room] = tensor
            self._tensors[name] = grown

    def _room(self, like: Tensor, count: int) -> Tensor:
        return torch.empty(count, *like.shape[1:], dtype=like.dtype, device=self._device)


class PooledBatches:
    """`Batches` from a pool that `newest` brings scenes for; which scenes are there depends on the machine's pace.

    `newest` gives those made since it was last asked, and is told how mature they should be.
    """

    def __init__(
        self,
        plain: Batches,
        newest: Callable[[float], Sequence[PooledScenes]],
        device: torch.device,
        config: PoolConfig,
    ) -> None:
        self.plain, self._newest, self._device = plain, newest, device
        self._fewest, self._most = config.fewest, max(config.fewest, config.most)
        self._shelves: dict[tuple[object, ...], Shelf] = {}
        self.made = 0
        """scenes that have come so far"""

    def batch(self, number: int, progress: float) -> Example:
        """As `Batches.batch`, of scenes that are there; waits until some size has the fewest that are drawn from."""
        self._collect(progress)
        while not any(shelf.count >= self._fewest for shelf in self._shelves.values()):
            time.sleep(0.05)
            self._collect(progress)
        rng = np.random.default_rng((self.plain.seed, number))
        config, shelf = self.plain.config, self._chosen(rng, progress)
        context = min(usual_or_other(config, rng), shelf.most_context)
        scenes = scenes_of_cost(config, self.plain.network, context, *shelf.size)
        novel = min(config.novel, shelf.views - context)
        example = shelf.draw(scenes, context, novel, min(config.shown, context), rng)
        return self.plain.finished(example, rng)

    def held_out(self, scenes: int) -> Example:
        """As `Batches.held_out`."""
        return self.plain.held_out(scenes)

    def placed(self, example: Example) -> Example:
        """As `Batches.placed`."""
        return self.plain.placed(example)

    def _collect(self, progress: float) -> None:
        for scenes in self._newest(progress):
            if scenes.kind not in self._shelves:
                self._shelves[scenes.kind] = Shelf(scenes, self._device, self._most)
            self._shelves[scenes.kind].add(scenes)
            self.made += scenes.count

    def _chosen(self, rng: np.random.Generator, progress: float) -> Shelf:
        """One with enough scenes, of the run's present sizes if there is any, the fuller the likelier."""
        ready = [shelf for shelf in self._shelves.values() if shelf.count >= self._fewest]
        sides = sides_at(self.plain.config, progress)
        fitting = [shelf for shelf in ready if shelf.side in sides] or ready
        counts = np.array([shelf.count for shelf in fitting], float)
        return fitting[int(rng.choice(len(fitting), p=counts / counts.sum()))]
