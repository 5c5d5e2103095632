"""Examples of scenes with frames of their own: captures on disk, or anything else that is a `Scene`."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.random import Generator

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.ranges import Count, Range, Whole, check
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.examples.source import BatchShape
from tokengs_nerfstudio.data.scene import Scene
from tokengs_nerfstudio.data.view_sampler import BoundedSampler

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CapturesConfig:
    """Which captures are trained with, and which of their frames make a batch."""

    min_gap: Whole = 10
    """shortest stretch of a sequence that a batch's views of it come from, in frames"""
    max_gap: Whole = 40
    """longest such stretch"""
    hold_out: Annotated[int, Range(2)] = 10
    """every so many captures one is held out, the first one always"""
    max_size: Count = 320
    """longer side that photos are read with, in pixels"""
    share: Annotated[float, Range(0, 1, above=True)] = 1.0
    """share of the batches that are captures; the others, and as many of the held-out scenes, are procedural"""

    def __post_init__(self) -> None:
        if self.min_gap > self.max_gap:
            raise UserError(f"min_gap {self.min_gap} is larger than max_gap {self.max_gap}")

    def source(self, folder: Path, most_context: int) -> "SceneExamples":
        """The captures in the folders below `folder`, in order of their names.

        Those with fewer than `most_context` frames are left out, which is said. Raises FileNotFoundError for no
        captures, ValueError for a single one, of which nothing can be held out, and for a broken one.
        """
        check(self, "CapturesConfig.{}".format)
        files = sorted(folder.glob("*/transforms.json"))
        if not files:
            raise MissingFileError(f"no captures in {folder}: expected folders with a transforms.json each")
        captures = [NerfstudioCapture(file, max_size=self.max_size) for file in files]
        large = [capture for capture in captures if len(capture.c2w) >= most_context]
        if len(large) < len(captures):
            small = [capture.name for capture in captures if len(capture.c2w) < most_context]
            _log.warning("left out, for they have fewer than %d frames: %s", most_context, ", ".join(small))
        if len(large) < 2:
            raise UserError(
                f"{folder} has {len(large)} captures of at least {most_context} frames: two are needed, for one is "
                "held out"
            )
        kept = [scene for number, scene in enumerate(large) if number % self.hold_out]
        return SceneExamples(kept, large[:: self.hold_out], self.min_gap, self.max_gap)


@dataclass(frozen=True)
class SceneExamples:
    """A source of scenes whose frames are sequences: a batch's views of each come from one random stretch of it.

    Every scene is as likely as any other. Photos are cropped and resized to the batch's size. Masks, times and
    opacities are left out: scenes count as wholly visible, as standing still, and as standing before grey.
    """

    scenes: Sequence[Scene]
    kept_out: Sequence[Scene]
    min_gap: int = 10
    max_gap: int = 40

    def draw(self, shape: BatchShape, rng: Generator, progress: float) -> Example:
        """As `ExampleSource.draw`; ValueError where a scene has fewer frames than the context needs."""
        chosen = rng.integers(0, len(self.scenes), shape.scenes)
        return Example.stack([self._example(self.scenes[index], shape, rng) for index in chosen])

    def held_out(self, shape: BatchShape) -> Example:
        """As `ExampleSource.held_out`: several stretches of a scene where there are fewer scenes than asked for."""
        numbers = range(shape.scenes)
        return Example.stack(
            [
                self._example(self.kept_out[number % len(self.kept_out)], shape, np.random.default_rng(number))
                for number in numbers
            ]
        )

    def _example(self, scene: Scene, shape: BatchShape, rng: Generator) -> Example:
        sampler = BoundedSampler(shape.context, shape.novel, self.min_gap, self.max_gap)
        selection = sampler.sample(len(scene.c2w), rng)
        views = _sized(_near(scene.load([*selection.context, *selection.target])), shape)
        target = [*range(shape.context, views.num_views), *range(shape.shown)]
        return Example(views.select(slice(0, shape.context)), views.select(target))


def _near(views: Views) -> Views:
    """Views of a world that 32 bits cannot tell apart, moved to their first camera; others as they are."""
    if views.c2w.dtype == torch.float32:
        return views
    c2w = views.c2w.clone()
    c2w[:, :3, 3] -= views.c2w[0, :3, 3]
    return replace(views, c2w=c2w.float())


def _sized(views: Views, shape: BatchShape) -> Views:
    return crop_and_resize(replace(views, times=None, masks=None, depths=None, alphas=None), shape.height, shape.width)
