"""How things move: affine maps of the world from rest, smooth over time in [0, 1].

Not only rigid ones: what breathes is stretched and what sways is sheared, so flow stays exact. Nothing bends within
itself.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Motion(Protocol):
    """Where something is taken to over time."""

    def at(self, time: float) -> np.ndarray:
        """The map [4 4] from where a point of the world is at rest to where it is at `time`."""
        ...


@dataclass(frozen=True)
class Course:
    """A number over time: way * (t + ease sin(2 pi t) / 2 pi) + swing * sin(2 pi (turns t + phase)).

    From 0 to `way`, evenly or, with `ease` in [-1, 1], slowly at first and last (negative) or in between; and to and
    fro.
    """

    way: float = 0.0
    ease: float = 0.0
    swing: float = 0.0
    turns: float = 1.0
    phase: float = 0.0

    def at(self, time: float) -> float:
        """Its value."""
        gone = time + self.ease * math.sin(2 * math.pi * time) / (2 * math.pi)
        return self.way * gone + self.swing * math.sin(2 * math.pi * (self.turns * time + self.phase))

    def scaled(self, factor: float) -> "Course":
        """So many times as large at any time."""
        return replace(self, way=factor * self.way, swing=factor * self.swing)


@dataclass(frozen=True, eq=False)
class Glide:
    """Along a parabola: `way` [3] once the course is 1, past it by `bend` [3] at one half."""

    way: np.ndarray
    bend: np.ndarray
    course: Course

    def at(self, time: float) -> np.ndarray:
        """As `Motion.at`."""
        along = self.course.at(time)
        return _affine(np.eye(3), along * self.way + 4.0 * along * (1.0 - along) * self.bend)


@dataclass(frozen=True, eq=False)
class Turn:
    """About an axis [3] of length one through a pivot [3], by as many radians as the course says."""

    pivot: np.ndarray
    axis: np.ndarray
    course: Course

    def at(self, time: float) -> np.ndarray:
        """As `Motion.at`; Rodrigues' formula."""
        angle, (x, y, z) = self.course.at(time), self.axis
        across = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        return _about(self.pivot, np.eye(3) + math.sin(angle) * across + (1.0 - math.cos(angle)) * across @ across)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Lengths from a pivot [3] grow by course * `pull` [3 3]: breathing where it is diagonal, swaying where a shear."""

    pivot: np.ndarray
    pull: np.ndarray
    course: Course

    def at(self, time: float) -> np.ndarray:
        """As `Motion.at`."""
        return _about(self.pivot, np.eye(3) + self.course.at(time) * self.pull)


@dataclass(frozen=True, eq=False)
class Hung:
    """What moves by itself and is carried: its `own` motion, said where its carrier is at rest, then the carrier's."""

    carrier: Motion
    own: Motion

    def at(self, time: float) -> np.ndarray:
        """As `Motion.at`."""
        return self.carrier.at(time) @ self.own.at(time)


def _about(pivot: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """A linear map that leaves a point where it is."""
    return _affine(linear, pivot - linear @ pivot)


def _affine(linear: np.ndarray, offset: np.ndarray) -> np.ndarray:
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = linear, offset
    return result
