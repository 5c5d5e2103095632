"""Endless random scenes made on the fly: textured primitives, ray-traced on CPU (numba) or GPU (torch), exact depth."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.procedural import layout as at
from tokengs_nerfstudio.data.procedural.cameras import view_intrinsics
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig
from tokengs_nerfstudio.data.procedural.generation import SceneArrays, random_scene

DEFAULT = ProceduralConfig()
PROBE_SIZE, PROBE_VIEWS, PROBE_EXPOSURE = 12, 3, 0.3
"""Exposure is measured on a few tiny, dark renders, in which nothing saturates."""


@dataclass(frozen=True)
class StackedScenes:
    """Scenes as the tracers take them, padded to the largest number of primitives; float64."""

    primitives: np.ndarray
    counts: np.ndarray
    materials: np.ndarray
    environments: np.ndarray
    c2w: np.ndarray
    intrinsics: np.ndarray


@dataclass(frozen=True)
class Tracer:
    """Who traces: numba kernels on `threads` Python threads of the CPU, torch on any other device.

    The GIL is free while the kernels run, so tracing goes well beside a training step.
    """

    threads: int = 1
    device: str | torch.device = "cpu"

    def views(self, scenes: Sequence[SceneArrays], height: int, width: int, antialias: bool) -> Views:
        """Pictures [scene view 3 height width] of scenes with equally many cameras, with their depths."""
        stacked = stack_scenes(scenes, height, width)
        if torch.device(self.device).type == "cpu":
            rgb, depth = trace_on_cpu(stacked, height, width, antialias, self.threads)
        else:
            rgb, depth = trace_in_torch(stacked, height, width, antialias, self.device)
        c2w, intrinsics = (torch.from_numpy(array).float() for array in (stacked.c2w, stacked.intrinsics))
        return Views(rgb, c2w.to(self.device), intrinsics.to(self.device), depths=depth)


CPU = Tracer()


def make_scenes(seeds: Sequence[int], num_views: int, config: ProceduralConfig = DEFAULT) -> list[SceneArrays]:
    """The scenes of some seeds, exposed; ValueError for a negative seed, none at all, or fewer than one view."""
    if not seeds or min(seeds) < 0 or num_views < 1:
        raise UserError(
            f"procedural scenes need seeds >= 0 and at least one view, got {list(seeds)}, {num_views} views"
        )
    return exposed([random_scene(np.random.default_rng((seed, num_views)), config, num_views) for seed in seeds])


def exposed(scenes: Sequence[SceneArrays]) -> list[SceneArrays]:
    """Scenes with exposures that bring their mean brightness to `SceneArrays.brightness`, highlights permitting."""
    # The first views spread over the whole path, so they stand for all.
    probe = stack_scenes([replace(s, c2w=s.c2w[:PROBE_VIEWS]) for s in scenes], PROBE_SIZE, PROBE_SIZE)
    probe.environments[:, at.EXPOSURE] = PROBE_EXPOSURE
    rgb, depth = trace_on_cpu(probe, PROBE_SIZE, PROBE_SIZE, antialias=False)
    surfaces, values = depth[:, :, 0].numpy() > 0, rgb.numpy().transpose(0, 1, 3, 4, 2)
    return [_with_exposure(scene, v[hit]) for scene, v, hit in zip(scenes, values, surfaces)]


def _with_exposure(scene: SceneArrays, values: np.ndarray) -> SceneArrays:
    """`values` [N 3] are the colours of the scene's surfaces at the probe's exposure."""
    if len(values) == 0:
        return scene
    highlight = np.partition(values.max(-1), len(values) * 19 // 20)[len(values) * 19 // 20]
    gain = min(scene.brightness / max(float(values.mean()), 0.02), 1.0 / max(float(highlight), 0.02))
    environment = scene.environment.copy()
    # Brightness goes with the square root of the exposure.
    environment[at.EXPOSURE] = PROBE_EXPOSURE * gain**2
    return replace(scene, environment=environment)


def stack_scenes(scenes: Sequence[SceneArrays], height: int, width: int) -> StackedScenes:
    """Scenes of equally many views, for images of the given size."""
    most = max(len(scene.primitives) for scene in scenes)
    primitives = np.zeros((len(scenes), most, at.PRIMITIVE))
    materials = np.zeros((len(scenes), at.ENVIRONMENT_MATERIALS + 2 * most, at.MATERIAL))
    for row, scene in enumerate(scenes):
        primitives[row, : len(scene.primitives)] = scene.primitives
        materials[row, : len(scene.materials)] = scene.materials
    intrinsics = np.stack([view_intrinsics(scene.fov, height, width) for scene in scenes])
    return StackedScenes(
        primitives=primitives,
        counts=np.array([len(scene.primitives) for scene in scenes]),
        materials=materials,
        environments=np.stack([scene.environment for scene in scenes]),
        c2w=np.stack([scene.c2w for scene in scenes]),
        intrinsics=np.repeat(intrinsics[:, None], len(scenes[0].c2w), 1),
    )


def trace_on_cpu(
    scenes: StackedScenes, height: int, width: int, antialias: bool, threads: int = 1
) -> tuple[Float[Tensor, "scene view 3 height width"], Float[Tensor, "scene view 1 height width"]]:
    """Images and depth by the numba kernels; the pixels do not depend on the number of threads."""
    from tokengs_nerfstudio.data.procedural import trace_kernels  # importing numba takes a third of a second

    count, views = scenes.c2w.shape[:2]
    rgb = np.empty((count, views, 3, height, width), np.float32)
    depth = np.empty((count, views, height, width), np.float32)
    arrays = (scenes.primitives, scenes.counts, scenes.materials, scenes.environments, at.noise_table())
    arrays += (scenes.c2w, scenes.intrinsics, antialias, rgb, depth)
    if threads <= 1:
        trace_kernels.trace_views(0, count * views, *arrays)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda i: trace_kernels.trace_views(i, i + 1, *arrays), range(count * views)))
    return torch.from_numpy(rgb), torch.from_numpy(depth)[:, :, None]


def trace_in_torch(
    scenes: StackedScenes,
    height: int,
    width: int,
    antialias: bool,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> tuple[Float[Tensor, "scene view 3 height width"], Float[Tensor, "scene view 1 height width"]]:
    """The same by the torch tracer, on any device; in float32 a few pixels at grazing surfaces differ visibly."""
    from tokengs_nerfstudio.data.procedural.torch_tracing import World, trace_views

    def tensor(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device, dtype)

    world = World(
        primitives=tensor(scenes.primitives),
        counts=torch.from_numpy(scenes.counts).to(device),
        materials=tensor(scenes.materials),
        environments=tensor(scenes.environments),
        table=tensor(at.noise_table()),
    )
    return trace_views(world, tensor(scenes.c2w), tensor(scenes.intrinsics), height, width, antialias)


def procedural_batch(
    seeds: Sequence[int],
    num_views: int,
    height: int,
    width: int,
    config: ProceduralConfig = DEFAULT,
    tracer: Tracer = CPU,
) -> Views:
    """One scene for each seed [batch view], in its world frame (z up), with the exact z-depth of every pixel's centre.

    Depths are 0 where the backdrop is seen. Views are ordered so that any first few of them spread over the whole
    path: take those as context. Errors as in `make_scenes`.
    """
    return tracer.views(make_scenes(seeds, num_views, config), height, width, config.antialias)


def procedural_views(
    seed: int,
    num_views: int,
    height: int,
    width: int,
    config: ProceduralConfig = DEFAULT,
    tracer: Tracer = CPU,
) -> Views:
    """The scene of one seed seen by `num_views` cameras; as `procedural_batch`."""
    return procedural_batch([seed], num_views, height, width, config, tracer).squeeze()


class ProceduralScene:
    """One random scene as a `Scene`: cameras at once, images and depths traced when asked for."""

    def __init__(
        self,
        seed: int,
        num_views: int,
        height: int,
        width: int,
        config: ProceduralConfig = DEFAULT,
        tracer: Tracer = CPU,
    ) -> None:
        self._scene = make_scenes([seed], num_views, config)[0]
        self._tracer, self._antialias = tracer, config.antialias
        self.name = f"procedural-{seed}"
        self.image_size = (height, width)
        self.c2w: Float[Tensor, "frame 4 4"] = torch.from_numpy(self._scene.c2w).float()
        focal = torch.from_numpy(view_intrinsics(self._scene.fov, height, width)).float()
        self.intrinsics: Float[Tensor, "frame 3 3"] = focal.repeat(num_views, 1, 1)
        self.times: Float[Tensor, " frame"] | None = None

    def load(self, indices: Sequence[int]) -> Views:
        """The frames at `indices`, in that order, with depths; IndexError for an index the scene does not have."""
        wrong = [index for index in indices if not 0 <= index < len(self.c2w)]
        if wrong:
            raise IndexError(f"{self.name} has frames 0 to {len(self.c2w) - 1}, asked for {wrong}")
        some = replace(self._scene, c2w=self._scene.c2w[list(indices)])
        return self._tracer.views([some], *self.image_size, self._antialias).squeeze()
