"""Scenes of meshes with exact depth: drawn, exposed, traced, photographed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from tokengs_nerfstudio.data.procedural.cameras import view_intrinsics
from tokengs_nerfstudio.data.procedural.meshes import layout as at
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.cuda_tracing import trace_on_cuda
from tokengs_nerfstudio.data.procedural.meshes.kinds import FEWEST, MOST, random_mesh_scene
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary, library_of
from tokengs_nerfstudio.data.procedural.meshes.mesh_scene import MeshScene

PROBE_SIZE, PROBE_EXPOSURE, ATTEMPTS = 10, 0.1, 12
BLOCKED, PLAIN, CLIPPED, CLIPPED_IN_STUDIO = 0.35, 0.035, 0.15, 0.02
"""A view is blocked where half of it is nearer than this share of the usual distance, plain where colours deviate from
their mean by less; exposures leave all but this share of the pixels below the highest value: fewer where an object is
but a small part of a dark picture."""


def mesh_scene(rng: Generator, config: MeshSceneConfig, views: int) -> MeshScene:
    """A random scene whose cameras see something, exposed; the last of a dozen attempts if none is good.

    Errors as in `library_of`.
    """
    library = library_of(config.sources)
    return first_good(lambda: attempted(random_mesh_scene(rng, config, library, views), rng, config, library))


def first_good(attempt: Callable[[], tuple[MeshScene, bool]]) -> MeshScene:
    """The first scene that is said to be good, or the last of a dozen."""
    scene, good = attempt()
    for _ in range(ATTEMPTS - 1):
        if good:
            break
        scene, good = attempt()
    return scene


def attempted(
    scene: MeshScene, rng: Generator, config: MeshSceneConfig, library: MeshLibrary
) -> tuple[MeshScene, bool]:
    """The scene, exposed, and whether it is worth its pictures."""
    scene = _with_exposure(scene, PROBE_EXPOSURE)
    rgb, depth = trace_on_cpu(library, scene, PROBE_SIZE, PROBE_SIZE, antialias=False)
    light = rgb.astype(np.float64) ** 2 / PROBE_EXPOSURE
    clipped = CLIPPED_IN_STUDIO if scene.kind == "studio" else CLIPPED
    exposure = _exposure(light, rng.uniform(*config.brightness), clipped)
    seen = np.sqrt(np.minimum(light * exposure, 1.0))
    good = FEWEST <= len(scene.parts.instances) <= MOST and _worth_it(seen, depth, scene.reach)
    return _with_exposure(scene, exposure), good


def _with_exposure(scene: MeshScene, exposure: float) -> MeshScene:
    environment = scene.parts.environment.copy()
    environment[at.EXPOSURE] = exposure
    return replace(scene, parts=scene.parts._replace(environment=environment))


def _exposure(light: np.ndarray, brightness: float, clipped: float) -> float:
    """What makes linear light as bright as that in the mean, this share of it clipped at most."""
    exposure = brightness**2 / max(float(light.mean()), 1e-6)
    for _ in range(4):
        exposure *= (brightness / max(float(np.sqrt(np.minimum(light * exposure, 1.0)).mean()), 1e-6)) ** 2
    return min(exposure, 1.0 / max(float(np.quantile(light.max(1), 1.0 - clipped)), 1e-6))


def _worth_it(rgb: np.ndarray, depth: np.ndarray, reach: float) -> bool:
    """Whether no view [view 3 h w] is blocked or plain."""
    near = (depth > 0) & (depth < BLOCKED * reach)
    deviation = np.abs(rgb - rgb.mean((2, 3), keepdims=True)).mean((1, 2, 3))
    return bool(near.mean((1, 2)).max() < 0.5 and deviation.min() > PLAIN)


def traced(
    library: MeshLibrary, scene: MeshScene, height: int, width: int, config: MeshSceneConfig, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Clean renders and z-depths as `trace_on_cpu` has them, by what the scenes are to be traced with."""
    if config.tracer == "cuda":
        return trace_on_cuda(library, scene, height, width, config.antialias)
    return trace_on_cpu(library, scene, height, width, config.antialias, threads)


def trace_on_cpu(
    library: MeshLibrary, scene: MeshScene, height: int, width: int, antialias: bool, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Clean renders [view 3 height width] and z-depths [view height width] (0: surroundings), float32.

    They do not depend on the number of threads.
    """
    from tokengs_nerfstudio.data.procedural.meshes import trace_kernels

    views = len(scene.c2w)
    rgb = np.empty((views, 3, height, width), np.float32)
    depth = np.empty((views, height, width), np.float32)
    intrinsics = np.repeat(view_intrinsics(scene.fov, height, width)[None], views, 0)
    instances, others = scene.parts_by_view(), (scene.c2w, intrinsics, antialias, rgb, depth)

    def trace(stretch: tuple[int, int]) -> None:
        first, stop = stretch
        trace_kernels.trace_views(first, stop, library.meshes, library.textures, instances[first], *others)

    one_by_one = [(view, view + 1) for view in range(views)]
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(trace, one_by_one))
    else:
        for stretch in [(0, views)] if scene.movement is None else one_by_one:
            trace(stretch)
    return rgb, depth
