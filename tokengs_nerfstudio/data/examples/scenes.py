"""Examples of scenes with frames of their own: captures on disk, data sets, or anything else that is a `Scene`."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, cast

import torch
from numpy.random import Generator

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.ranges import Count, Range, Share, Whole, check
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.broken_scenes import USUAL_SHARE, BrokenScenes
from tokengs_nerfstudio.data.examples.drawing import Drawing
from tokengs_nerfstudio.data.examples.moving_scenes import MovingExamples
from tokengs_nerfstudio.data.examples.source import BatchShape, ExampleSource
from tokengs_nerfstudio.data.kubric import KubricScene
from tokengs_nerfstudio.data.roots import scenes_below
from tokengs_nerfstudio.data.scene import Scene
from tokengs_nerfstudio.data.view_sampler import BoundedSampler

_log = logging.getLogger(__name__)

# So many scenes are asked for the number of their frames at once; for those of a training set it would take minutes.
_LOOKED_THROUGH = 64


@dataclass(frozen=True)
class CapturesConfig:
    """Which captures and scenes of data sets are trained with, and which of their frames make a batch."""

    min_gap: Whole = 10
    """shortest stretch of a sequence that a batch's views of it come from, in frames"""
    max_gap: Whole = 40
    """longest such stretch"""
    hold_out: Annotated[int, Range(2)] = 10
    """every so many scenes of a folder one is held out, the first one always"""
    max_size: Count = 320
    """longer side that photos are read with, in pixels"""
    share: Annotated[float, Range(0, 1, above=True)] = 1.0
    """share of the batches that come from --data; the others, and as many of the held-out scenes, are procedural"""
    images: str | None = None
    """folder that DL3DV's images are read from, such as images_8; if not set, images_4, images_8, images_2 or images"""
    broken: Share = USUAL_SHARE
    """largest share of a folder's scenes that may be broken: they are named and left out"""

    def contradiction(self) -> tuple[str, str] | None:
        """See `core.ranges.Related`."""
        low, high = self.min_gap, self.max_gap
        return ("min_gap", f"is {low}, larger than max_gap, which is {high}") if low > high else None

    def source(self, folder: Path, most_context: int) -> ExampleSource:
        """The scenes below `folder`, in any layout that `scenes_below` knows, in the order of its list.

        Where they are not too many to be asked, those with fewer than `most_context` frames are left out, which is
        said. Raises FileNotFoundError for no scenes, ValueError for a single one, of which nothing can be held out, and
        for too many broken ones.
        """
        check(self, "CapturesConfig.{}".format)
        scenes = scenes_below(folder, self.images, max_size=self.max_size)
        broken = BrokenScenes(len(scenes), self.broken)
        large = _large(scenes, most_context, broken) if len(scenes) <= _LOOKED_THROUGH else scenes
        if len(large) < 2:
            raise UserError(
                f"{folder} has {len(large)} scenes of at least {most_context} frames: two are needed, for one is held "
                "out"
            )
        kept = [scene for number, scene in enumerate(large) if number % self.hold_out]
        held_out = large[:: self.hold_out]
        if isinstance(scenes[0], KubricScene):
            return MovingExamples(cast(list[KubricScene], kept), cast(list[KubricScene], held_out), broken)
        return SceneExamples(kept, held_out, self.min_gap, self.max_gap, broken)


def _large(scenes: Sequence[Scene], most_context: int, broken: BrokenScenes) -> list[Scene]:
    """Those with as many frames; broken ones are left out, too."""
    frames = [(scene, broken.attempt(scene, lambda scene: len(scene.c2w))) for scene in scenes]
    small = [scene.name for scene, count in frames if count is not None and count < most_context]
    if small:
        _log.warning("left out, for they have fewer than %d frames: %s", most_context, ", ".join(small))
    return [scene for scene, count in frames if count is not None and count >= most_context]


@dataclass(frozen=True)
class SceneExamples:
    """A source of scenes whose frames are sequences: a batch's views of each come from one random stretch of it.

    Every scene is as likely as any other, broken ones are left out: see `Drawing`. Photos are cropped and resized to
    the batch's size. Masks, times, depths and opacities are left out: scenes count as wholly visible, as standing
    still, and as standing before grey.
    """

    scenes: Sequence[Scene]
    kept_out: Sequence[Scene]
    min_gap: int = 10
    max_gap: int = 40
    broken: BrokenScenes | None = None

    def draw(self, shape: BatchShape, rng: Generator, progress: float) -> Example:
        """As `ExampleSource.draw`; UserError where too many scenes are broken, or have too few frames."""
        return self._drawing.draw(shape.scenes, rng, lambda scene, rng: self._example(scene, shape, rng))

    def held_out(self, shape: BatchShape) -> Example:
        """As `ExampleSource.held_out`: several stretches of a scene where there are fewer scenes than asked for."""
        return self._drawing.held_out(shape.scenes, lambda scene, rng: self._example(scene, shape, rng))

    @cached_property
    def _drawing(self) -> Drawing:
        return Drawing.of(self.scenes, self.kept_out, self.broken)

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
