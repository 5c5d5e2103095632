"""Endless random scenes made on the fly: textured primitives, ray-traced on CPU (numba) or GPU (torch), exact depth."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data import procedural_layout as at
from tokengs_nerfstudio.data.procedural_config import ProceduralConfig
from tokengs_nerfstudio.data.procedural_generation import SceneArrays, random_scene


@dataclass(frozen=True)
class ProceduralItem:
    """Views of one scene in its world frame (z up), with the exact z-depth of every pixel's centre."""

    views: Views
    depth: Float[Tensor, "view 1 height width"]
    """In world units; zero where the backdrop is seen."""


@dataclass(frozen=True)
class SceneBatch:
    """Scenes stacked for the tracers, padded to the largest number of primitives; float64."""

    primitives: np.ndarray
    counts: np.ndarray
    materials: np.ndarray
    environments: np.ndarray
    c2w: np.ndarray
    intrinsics: np.ndarray


def make_scene(seed: int, num_views: int, config: ProceduralConfig = ProceduralConfig()) -> SceneArrays:  # noqa: B008
    """The scene of a seed; ValueError for a negative seed or fewer than one view."""
    if seed < 0 or num_views < 1:
        raise ValueError(
            f"a procedural scene needs a seed >= 0 and at least one view, got seed {seed}, {num_views} views"
        )
    return random_scene(np.random.default_rng((seed, num_views)), config, num_views)


def view_intrinsics(fov: float, height: int, width: int) -> np.ndarray:
    """Pinhole intrinsics [3 3] of a field of view (radians) along the shorter side of the image."""
    focal = 0.5 * min(height, width) / math.tan(0.5 * fov)
    return np.array([[focal, 0.0, 0.5 * width], [0.0, focal, 0.5 * height], [0.0, 0.0, 1.0]])


def stack_scenes(scenes: Sequence[SceneArrays], height: int, width: int) -> SceneBatch:
    """Scenes of equally many views, for images of the given size."""
    most = max(len(scene.primitives) for scene in scenes)
    views = len(scenes[0].c2w)
    primitives = np.zeros((len(scenes), most, at.PRIMITIVE))
    materials = np.zeros((len(scenes), at.ENVIRONMENT_MATERIALS + 2 * most, at.MATERIAL))
    for row, scene in enumerate(scenes):
        primitives[row, : len(scene.primitives)] = scene.primitives
        materials[row, : len(scene.materials)] = scene.materials
    intrinsics = np.stack([view_intrinsics(scene.fov, height, width) for scene in scenes])
    return SceneBatch(
        primitives=primitives,
        counts=np.array([len(scene.primitives) for scene in scenes]),
        materials=materials,
        environments=np.stack([scene.environment for scene in scenes]),
        c2w=np.stack([scene.c2w for scene in scenes]),
        intrinsics=np.repeat(intrinsics[:, None], views, 1),
    )


def trace_on_cpu(
    batch: SceneBatch, height: int, width: int, antialias: bool, threads: int = 1
) -> tuple[Float[Tensor, "batch view 3 height width"], Float[Tensor, "batch view 1 height width"]]:
    """Images and depth of a batch by the numba kernels; the pixels do not depend on the number of threads."""
    from tokengs_nerfstudio.data import _trace_kernels

    scenes, views = batch.c2w.shape[:2]
    rgb = np.empty((scenes, views, 3, height, width), np.float32)
    depth = np.empty((scenes, views, height, width), np.float32)
    arrays = (batch.primitives, batch.counts, batch.materials, batch.environments, at.noise_table())
    arrays += (batch.c2w, batch.intrinsics, antialias, rgb, depth)
    if threads <= 1:
        _trace_kernels.trace_views(0, scenes * views, *arrays)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda i: _trace_kernels.trace_views(i, i + 1, *arrays), range(scenes * views)))
    return torch.from_numpy(rgb), torch.from_numpy(depth)[:, :, None]


def procedural_batch(
    seeds: Sequence[int],
    num_views: int,
    height: int,
    width: int,
    config: ProceduralConfig = ProceduralConfig(),  # noqa: B008
    device: str | torch.device = "cpu",
    threads: int = 1,
) -> tuple[Views, Float[Tensor, "batch view 1 height width"]]:
    """One scene for each seed, in its world frame, and the z-depth (zero where the backdrop is seen).

    Views are ordered so that any first few of them spread over the whole path: take those as context. On CPU `threads`
    Python threads trace; the GIL is free meanwhile, so this runs well beside a training step.
    """
    batch = stack_scenes([make_scene(seed, num_views, config) for seed in seeds], height, width)
    rgb, depth = trace_on_cpu(batch, height, width, config.antialias, threads)
    c2w, intrinsics = torch.from_numpy(batch.c2w).float(), torch.from_numpy(batch.intrinsics).float()
    return Views(rgb, c2w, intrinsics).to(device), depth.to(device)


def procedural_views(
    seed: int,
    num_views: int,
    height: int,
    width: int,
    config: ProceduralConfig = ProceduralConfig(),  # noqa: B008
    device: str | torch.device = "cpu",
    threads: int = 1,
) -> ProceduralItem:
    """The scene of a seed seen by `num_views` cameras."""
    views, depth = procedural_batch([seed], num_views, height, width, config, device, threads)
    return ProceduralItem(views.squeeze(), depth[0])


def procedural_stream(
    first_seed: int,
    batch: int,
    num_views: int,
    height: int,
    width: int,
    config: ProceduralConfig = ProceduralConfig(),  # noqa: B008
    ahead: int = 2,
) -> Iterator[tuple[Views, Float[Tensor, "batch view 1 height width"]]]:
    """Batches of the seeds first_seed, first_seed + 1, ... without end, made ahead by one background thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="procedural") as pool:

        def submit(index: int):
            seeds = range(first_seed + index * batch, first_seed + (index + 1) * batch)
            return pool.submit(procedural_batch, seeds, num_views, height, width, config)

        queue = [submit(index) for index in range(ahead)]
        while True:
            yield queue[0].result()
            queue = [*queue[1:], submit(ahead)]
            ahead += 1
