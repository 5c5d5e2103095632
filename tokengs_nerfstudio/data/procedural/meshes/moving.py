"""Scenes of meshes in which something moves: photographed by any of their cameras at any time, with exact flow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.random import Generator
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.records import TensorRecord
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.procedural.cameras import view_intrinsics
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary, library_of
from tokengs_nerfstudio.data.procedural.meshes.mesh_scene import MeshScene
from tokengs_nerfstudio.data.procedural.meshes.movers import random_moving_scene
from tokengs_nerfstudio.data.procedural.meshes.paths import log_uniform
from tokengs_nerfstudio.data.procedural.meshes.photos import as_photographed
from tokengs_nerfstudio.data.procedural.meshes.tracing import PROBE_SIZE, attempted, first_good, traced
from tokengs_nerfstudio.data.procedural.meshes.views import views_of

# Streams of random numbers beside those of scenes that stand still.
_SCENE, _PHOTO = 1, 2


@dataclass(frozen=True)
class SceneFlow(TensorRecord):
    """How what the views' pixels show, at their centres, moves from one time to another."""

    displacement: Float[Tensor, "view 3 height width"]
    """in the world; zero for what stands still, and for the surroundings"""
    moving: Bool[Tensor, "view 1 height width"]
    """whether it ever moves; shadows of what moves do not count"""


class MovingMeshes:
    """The moving scene of a number, with so many cameras; the first ones spread over the camera's whole path.

    UserError for a negative number or fewer than one camera, errors as in `library_of`.
    """

    def __init__(self, number: int, cameras: int, height: int, width: int, config: MeshSceneConfig) -> None:
        if number < 0 or cameras < 1:
            raise UserError(f"scenes need a number >= 0 and at least one camera, got {number}, {cameras} cameras")
        rng = np.random.default_rng((number, cameras, _SCENE))
        self._library, self._config, self._size = library_of(config.sources), config, (height, width)
        self._photo = (number, cameras, _PHOTO)
        self._scene = moving_mesh_scene(rng, config, cameras)
        low, high = config.movement.moments
        self.moments: np.ndarray = np.linspace(0.0, 1.0, min(int(log_uniform(rng, low, high + 1)), high))
        """the times, ascending from 0 to 1, at which it is photographed"""

    @property
    def c2w(self) -> np.ndarray:
        """[camera 4 4]"""
        return self._scene.c2w

    @property
    def scene(self) -> MeshScene:
        """What the tracer takes, without times."""
        return self._scene

    def views(self, cameras: Sequence[int], times: Sequence[float], threads: int = 1) -> Views:
        """Photos by those cameras, each at its time, with exact depths; those of one call are by one photographer."""
        scene, config = self._at(cameras, times), self._config
        rgb, depth = traced(self._library, scene, *self._size, config, threads)
        photos = as_photographed(rgb, np.random.default_rng(self._photo), config.photo)
        return replace(views_of(scene, photos, depth), times=torch.tensor(times, dtype=torch.float32))

    def flow(self, cameras: Sequence[int], times: Sequence[float], others: Sequence[float]) -> SceneFlow:
        """How what those cameras see at `times` has moved, or will have, by the time in `others` for each."""
        displacement, moving = trace_flow_on_cpu(self._library, self._at(cameras, times), others, *self._size)
        return SceneFlow(torch.from_numpy(displacement), torch.from_numpy(moving)[:, None])

    def _at(self, cameras: Sequence[int], times: Sequence[float]) -> MeshScene:
        return replace(self._scene, c2w=self._scene.c2w[list(cameras)], times=np.array(times, float))


def moving_mesh_scene(rng: Generator, config: MeshSceneConfig, cameras: int) -> MeshScene:
    """As `mesh_scene`, a scene in which something moves where it is seen, without times; errors as in `library_of`."""
    library, (fewest, most) = library_of(config.sources), config.movement.seen

    def attempt() -> tuple[MeshScene, bool]:
        scene = random_moving_scene(rng, config, library, cameras)
        times = rng.permutation(np.linspace(0.0, 1.0, cameras))
        scene, good = attempted(replace(scene, times=times), rng, config, library)
        if not good:
            return scene, False
        _, moving = trace_flow_on_cpu(library, scene, times, PROBE_SIZE, PROBE_SIZE)
        return scene, fewest <= float(moving.mean()) <= most

    return replace(first_good(attempt), times=None)


def trace_flow_on_cpu(
    library: MeshLibrary, scene: MeshScene, others: Sequence[float] | np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Displacements [view 3 height width] float32 from each view's time to another, and what ever moves [view height
    width] bool. UserError for a scene without times."""
    from tokengs_nerfstudio.data.procedural.meshes import flow_kernels

    movement, times = scene.movement, scene.times
    if movement is None or times is None:
        raise UserError("there is no flow in a scene that stands still")
    views, moves = len(scene.c2w), movement.moves
    displacement = np.empty((views, 3, height, width), np.float32)
    moving = np.empty((views, height, width), bool)
    intrinsics = np.repeat(view_intrinsics(scene.fov, height, width)[None], views, 0)
    outputs = (scene.c2w, intrinsics, displacement, moving)
    for view, parts in enumerate(scene.parts_by_view()):
        changes = movement.changes(float(times[view]), float(others[view]))
        flow_kernels.trace_flow(view, view + 1, library.meshes, library.textures, parts, changes, moves, *outputs)
    return displacement, moving
