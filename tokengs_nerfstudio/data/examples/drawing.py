"""Which scenes of a data set a batch has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.broken_scenes import BrokenScenes

ExampleOf = Callable[[Any, Generator], Example]
"""What is made of a scene."""


@dataclass(frozen=True)
class Drawing:
    """Scenes to train with, and others that are kept out; those that turn out to be broken are left out.

    Every scene is as likely as any other. Where a file holds many (RealEstate10K's chunks, which take half a second to
    open), all scenes of a batch come from one file.
    """

    scenes: Sequence[Any]
    kept_out: Sequence[Any]
    broken: BrokenScenes

    @classmethod
    def of(cls, scenes: Sequence[Any], kept_out: Sequence[Any], broken: BrokenScenes | None) -> "Drawing":
        """With a count of broken scenes, or one that begins."""
        return cls(scenes, kept_out, BrokenScenes(len(scenes) + len(kept_out)) if broken is None else broken)

    def draw(self, count: int, rng: Generator, example_of: ExampleOf) -> Example:
        """A batch of `count` scenes; the same generator gives the same ones, known to be broken or not."""
        return Example.stack([self._drawn(int(index), rng, example_of) for index in self._chosen(count, rng)])

    def held_out(self, count: int, example_of: ExampleOf) -> Example:
        """The scenes that are kept out, one after another, and again with other views until they are enough."""
        found: list[Example] = []
        for scene in (scene for _ in range(count) for scene in self.kept_out):
            if len(found) == count:
                break
            # Scenes that are left out change nothing for the others.
            rng = np.random.default_rng(len(found))
            example = self.broken.attempt(scene, lambda scene, rng=rng: example_of(scene, rng))
            found += [] if example is None else [example]
        if not found:
            raise UserError(f"all {len(self.kept_out)} scenes that are kept out are broken")
        return Example.stack(found)

    def _drawn(self, index: int, rng: Generator, example_of: ExampleOf) -> Example:
        """Of that scene or, where it is broken, of another one, which is drawn anew."""
        while len(self.broken) < self.broken.total:
            state = rng.bit_generator.state
            example = self.broken.attempt(self.scenes[index], lambda scene: example_of(scene, rng))
            if example is not None:
                return example
            rng.bit_generator.state = state
            index = int(rng.integers(len(self.scenes)))
        raise UserError(f"all {self.broken.total} scenes are broken")

    def _chosen(self, count: int, rng: Generator) -> Sequence[int]:
        if not self._mates:
            return rng.integers(0, len(self.scenes), count).tolist()
        mates = self._mates[self._file(int(rng.integers(len(self.scenes))))]
        return [mates[place] for place in rng.integers(0, len(mates), count)]

    def _file(self, index: int) -> Any:
        return getattr(self.scenes[index], "source", None)

    @cached_property
    def _mates(self) -> Mapping[Any, Sequence[int]]:
        """The scenes of every file; nothing where no file holds more than one."""
        mates: dict[Any, list[int]] = {}
        for index in range(len(self.scenes)):
            mates.setdefault(self._file(index), []).append(index)
        return {} if None in mates or len(mates) == len(self.scenes) else mates
