"""Examples of procedural scenes of meshes in which something moves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.examples.mesh_scenes import SharedScenes, spread_cameras
from tokengs_nerfstudio.data.examples.procedural import FIRST_HELD_OUT
from tokengs_nerfstudio.data.examples.source import BatchShape
from tokengs_nerfstudio.data.procedural.meshes.moving import MovingMeshes

Shot = tuple[int, float]
"""A camera and a time."""


class MovingMeshExamples(SharedScenes):
    """A source of moving scenes of meshes.

    Context photos are of several times; all targets of an example are of one time between them, those of cameras that
    the network sees, too: of the ones that photographed nearest to it. Examples of one scene have the same context, and
    other target times and cameras.
    """

    def draw(self, shape: BatchShape, rng: Generator, progress: float) -> Example:
        """As `ExampleSource.draw`; UserError for scenes that are held out."""
        made = [self._examples(number, shape, rng, self.uses) for number in self.numbers(shape)]
        return Example.stack([made[k % len(made)][k // len(made)] for k in range(shape.scenes)])

    def held_out(self, shape: BatchShape) -> Example:
        """As `ExampleSource.held_out`."""
        numbers = range(FIRST_HELD_OUT, FIRST_HELD_OUT + shape.scenes)
        return Example.stack([self._examples(number, shape, np.random.default_rng(number), 1)[0] for number in numbers])

    def _examples(self, number: int, shape: BatchShape, rng: Generator, uses: int) -> list[Example]:
        world = MovingMeshes(number, shape.context + uses * shape.novel, shape.height, shape.width, self.scenes)
        order = spread_cameras(world.c2w, int(rng.integers(len(world.c2w))))
        context = _context(world, order[: shape.context], rng, self.scenes.movement.cameras)
        targets = [
            _targets(world, context, order[shape.context + use * shape.novel :][: shape.novel], shape.shown, rng)
            for use in range(uses)
        ]
        shots = list(dict.fromkeys(shot for part in (context, *targets) for shot in part))
        views = world.views([camera for camera, _ in shots], [time for _, time in shots])

        def of(part: Sequence[Shot]) -> Views:
            return views.select([shots.index(shot) for shot in part])

        return [Example(of(context), _with_motion(of(target), world, target)).in_its_times() for target in targets]


def _with_motion(views: Views, world: MovingMeshes, shots: Sequence[Shot]) -> Views:
    cameras, times = zip(*shots)
    return replace(views, moving=world.flow(cameras, times, times).moving.to(views.images))


def _context(world: MovingMeshes, cameras: Sequence[int], rng: Generator, shares: Sequence[float]) -> list[Shot]:
    """A camera for each time, one that goes its way while time runs, or two that stand still by turns; times ascend."""
    count = len(cameras)
    times = np.sort(rng.choice(world.moments, count, replace=count > len(world.moments)))
    way = int(rng.choice(3, p=np.array(shares) / sum(shares)))
    if way == 1:
        cameras = _one_after_another(world.c2w[:, :3, 3], cameras)
    elif way == 2:
        cameras = [cameras[k % 2] for k in range(count)]
    return list(zip(cameras, times.tolist()))


def _one_after_another(places: np.ndarray, cameras: Sequence[int]) -> list[int]:
    """From an end of the way to the other: each next camera is the nearest that is left."""
    middle = places[list(cameras)].mean(0)
    left = sorted(cameras, key=lambda camera: -float(np.linalg.norm(places[camera] - middle)))
    found = [left.pop(0)]
    while left:
        nearest = min(left, key=lambda camera: float(np.linalg.norm(places[camera] - places[found[-1]])))
        left.remove(nearest)
        found.append(nearest)
    return found


def _targets(
    world: MovingMeshes, context: Sequence[Shot], novel: Sequence[int], shown: int, rng: Generator
) -> list[Shot]:
    """Novel cameras, then those of the context, all at one of the scene's times between the context's."""
    first, last = context[0][1], context[-1][1]
    time = float(rng.choice(world.moments[(world.moments >= first) & (world.moments <= last)]))
    nearest = sorted(context, key=lambda shot: abs(shot[1] - time))
    return [(camera, time) for camera in (*novel, *(camera for camera, _ in nearest[:shown]))]
