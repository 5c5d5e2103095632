"""Examples of things that move, filmed by several cameras at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from numpy.random import Generator

from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.broken_scenes import BrokenScenes
from tokengs_nerfstudio.data.examples.drawing import Drawing
from tokengs_nerfstudio.data.examples.source import BatchShape
from tokengs_nerfstudio.data.scene import MovingScene
from tokengs_nerfstudio.data.view_sampler import MomentSampler


@dataclass(frozen=True)
class MovingExamples:
    """A source of moving scenes: different cameras at different moments are the context, one moment is the target.

    Times are those of the example, its earliest view at 0 and its latest at 1 (TokenGS, arXiv 2604.15239); depths are
    kept, masks and opacities left out. Every scene is as likely as any other, broken ones are left out.
    """

    scenes: Sequence[MovingScene]
    kept_out: Sequence[MovingScene]
    broken: BrokenScenes | None = None

    def draw(self, shape: BatchShape, rng: Generator, progress: float) -> Example:
        """As `ExampleSource.draw`; UserError where too many scenes are broken, or have too few cameras or moments."""
        return self._drawing.draw(shape.scenes, rng, lambda scene, rng: _example(scene, shape, rng))

    def held_out(self, shape: BatchShape) -> Example:
        """As `ExampleSource.held_out`: other moments of a scene where there are fewer scenes than asked for."""
        return self._drawing.held_out(shape.scenes, lambda scene, rng: _example(scene, shape, rng))

    @cached_property
    def _drawing(self) -> Drawing:
        return Drawing.of(self.scenes, self.kept_out, self.broken)


def _example(scene: MovingScene, shape: BatchShape, rng: Generator) -> Example:
    """What the context cameras saw at its own moments is no answer for another one: shown views are others, too."""
    sampler = MomentSampler(shape.context, shape.novel + shape.shown)
    selection = sampler.sample(len(scene.c2w) // scene.moments, scene.moments, rng)
    views = scene.load([*selection.context, *selection.target])
    sized = crop_and_resize(replace(views, masks=None, alphas=None), shape.height, shape.width)
    return Example(sized.select(slice(0, shape.context)), sized.select(slice(shape.context, None))).in_its_times()
