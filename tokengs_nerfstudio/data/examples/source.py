"""What training asks for, and who can give it."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from numpy.random import Generator

from tokengs_nerfstudio.core.types import Example


@dataclass(frozen=True)
class BatchShape:
    """Which scenes a batch has, how many, with how many views, and how large its images are."""

    scenes: int
    context: int
    novel: int
    """target views that the network does not see"""
    shown: int
    """target views that it sees: the first ones of the context, after the novel ones"""
    height: int
    width: int
    first: int = 0
    """number of the batch's first scene among the scenes of all runs: sources that make scenes up make these"""


@runtime_checkable
class ExampleSource(Protocol):
    """Scenes to train with, in their own worlds."""

    def draw(self, shape: BatchShape, rng: Generator, progress: float) -> Example:
        """A batch of that shape for the point `progress` in [0, 1] of a run, in the world frame.

        The same shape, a generator in the same state and the same progress give the same batch.
        """
        ...

    def held_out(self, shape: BatchShape) -> Example:
        """Always the same scenes, none of which `draw` ever gives, in the world frame."""
        ...
