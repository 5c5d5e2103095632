"""The fast tracer equals the readable one, and both equal geometry done by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tokengs_nerfstudio.data.procedural import layout as at
from tokengs_nerfstudio.data.procedural import torch_shapes as shapes
from tokengs_nerfstudio.data.procedural.tracing import (
    StackedScenes,
    make_scenes,
    stack_scenes,
    trace_in_torch,
    trace_on_cpu,
)

SEEDS = (36, 11, 0, 1, 2, 3, 4)


@pytest.fixture(scope="module")
def batch() -> StackedScenes:
    return stack_scenes(make_scenes(SEEDS, 2), 28, 20)


@pytest.mark.parametrize("antialias", [False, True])
def test_numba_equals_torch(batch: StackedScenes, antialias: bool):
    rgb, depth = trace_on_cpu(batch, 28, 20, antialias)
    expected_rgb, expected_depth = trace_in_torch(batch, 28, 20, antialias, dtype=torch.float64)
    # The kernels round to float32 at the end; fused multiply-adds may flip a ray that grazes a border.
    wrong = (rgb - expected_rgb).abs().amax(2) > 1e-4
    assert wrong.float().mean() < 1e-3
    assert ((depth - expected_depth).abs() > 1e-4 * (1 + depth)).float().mean() < 1e-3


def test_the_compared_scenes_hold_every_kind_and_family(batch: StackedScenes):
    real = np.arange(batch.primitives.shape[1]) < batch.counts[:, None]
    assert set(batch.primitives[real][:, at.KIND]) == set(range(8))
    assert set(batch.materials[..., at.FAMILY].ravel()) == set(range(9))


def single(kind: int, half: tuple[float, float, float], shape: tuple[float, float, float, float]) -> StackedScenes:
    """One primitive at the origin under a far camera that looks along -z; no floor, no room."""
    scene = stack_scenes(make_scenes([0], 1), 33, 33)
    primitives = np.zeros((1, 1, at.PRIMITIVE))
    primitives[0, 0, at.KIND] = kind
    primitives[0, 0, at.ROTATION : at.ROTATION + 9] = np.eye(3).reshape(9)
    primitives[0, 0, at.HALF : at.HALF + 3] = half
    primitives[0, 0, at.SHAPE : at.SHAPE + 4] = shape
    primitives[0, 0, at.RADIUS] = math.dist((0, 0, 0), half)
    environments = scene.environments.copy()
    environments[:, [at.ROOM, at.GROUND]] = 0.0
    c2w = np.diag([1.0, -1.0, -1.0, 1.0])
    c2w[2, 3] = 6.0
    intrinsics = np.array([[66.0, 0.0, 16.5], [0.0, 66.0, 16.5], [0.0, 0.0, 1.0]])
    return replace(
        scene,
        primitives=primitives,
        counts=np.array([1]),
        environments=environments,
        c2w=c2w[None, None],
        intrinsics=intrinsics[None, None],
    )


# Depth of the top of each shape below a camera at height 6, on its axis and at pixel (16, 26): 10 px aside.
SHAPES = {
    "sphere": (single(at.ELLIPSOID, (1.0, 1.0, 1.0), (2, 0, 0, 0)), 5.0),
    "box": (single(at.BOX, (1.2, 1.2, 0.5), (0, 0, 0, 0)), 5.5),
    "cylinder": (single(at.FRUSTUM, (1.1, 1.1, 0.7), (1, 0, 0, 0)), 5.3),
    "cone": (single(at.FRUSTUM, (1.1, 1.1, 0.7), (0.3, 0, 0, 0)), 5.3),
    "torus": (single(at.TORUS, (1.0, 1.0, 0.3), (0.3, 0.7, 0, 2)), 0.0),
    "rounded box": (single(at.ROUND_BOX, (1.0, 1.0, 0.6), (0.2, 0, 0, 2)), 5.4),
    "blob": (single(at.BLOB, (1.0, 1.0, 0.8), (0.0, 1.0, 0.0, 2)), 5.2),
    "arc": (single(at.ARC, (1.0, 1.0, 0.3), (0.3, 0.7, 1.0, 2)), 0.0),
    "relief": (single(at.RELIEF, (1.0, 1.0, 0.5), (0.0, 1.0, 0.0, 2)), 5.5),
}


@pytest.mark.parametrize("name", SHAPES)
def test_depth_on_the_axis_is_known(name: str):
    scene, expected = SHAPES[name]
    _, depth = trace_on_cpu(scene, 33, 33, antialias=False)
    assert depth[0, 0, 0, 16, 16].item() == pytest.approx(expected, abs=1e-5)
    assert 0.02 < (depth > 0).float().mean() < 0.9


def test_a_torus_is_hit_on_its_ring():
    scene, _ = SHAPES["torus"]
    _, depth = trace_on_cpu(scene, 33, 33, antialias=False)
    points = hit_points(scene, depth)
    distance = torch.hypot(torch.hypot(points[:, 0], points[:, 1]) - 0.7, points[:, 2])
    assert len(points) > 100
    away = (distance - 0.3).abs()
    # Rays that pass the silhouette this near count as hits there.
    assert away.max() < at.MARCH_PRECISION * scene.primitives[0, 0, at.RADIUS]
    assert (away < 1e-6).float().mean() > 0.8


def hit_points(scene: StackedScenes, depth: torch.Tensor) -> torch.Tensor:
    """Points in the world where the pixels of `single` scenes hit."""
    row, column = depth[0, 0, 0].nonzero().unbind(-1)
    z = depth[0, 0, 0, row, column].double()
    x, y = z * (column + 0.5 - 16.5) / 66.0, z * (row + 0.5 - 16.5) / 66.0
    return torch.stack([x, -y, 6.0 - z], -1)


@pytest.mark.parametrize("kind", [at.TORUS, at.ROUND_BOX, at.BLOB, at.ARC, at.RELIEF])
def test_marched_hits_lie_on_the_surface(kind: int):
    numbers = {at.BLOB: (0.15, 0.8, 0.3, 2.0), at.RELIEF: (0.12, 0.9, 0.4, 2.0)}.get(kind, (0.25, 0.7, 1.2, 2.0))
    scene = single(kind, (1.0, 1.0, 0.6 if kind > at.TORUS else 0.3), numbers)
    _, depth = trace_on_cpu(scene, 33, 33, antialias=False)
    points = hit_points(scene, depth)
    rows = torch.from_numpy(scene.primitives[0]).expand(len(points), -1)
    away = shapes.MARCHED[kind](rows, points).abs()
    assert len(points) > 50
    assert (away < 1e-4).float().mean() > 0.98


def test_a_lamp_casts_a_shadow_below_a_sphere():
    scene = single(at.ELLIPSOID, (0.4, 0.4, 0.4), (2, 0, 0, 0))
    env = scene.environments[0]
    env[at.GROUND], env[at.LOW + 2], env[at.HIGH] = 1.0, -1.0, 50.0
    env[at.LIGHT_POINT], env[at.FALLOFF], env[at.WRAP], env[at.EXPOSURE] = 0.0, 0.0, 0.0, 0.3
    env[at.LIGHT : at.LIGHT + 3], env[at.LIGHT_COLOUR : at.LIGHT_COLOUR + 3] = (1.0, 0.0, 1.0), 1.0
    scene.materials[:] = 0.0
    scene.materials[..., at.COLOURS : at.COLOURS + 9] = 0.8
    scene.materials[..., at.GRAIN_FREQUENCY] = 1.0
    env[at.SHADOW] = 0.0
    open_sky, _ = trace_on_cpu(scene, 33, 33, antialias=False)
    env[at.SHADOW] = 1.0
    shaded, depth = trace_on_cpu(scene, 33, 33, antialias=False)
    changed = (open_sky != shaded).any(2)[0, 0] & (depth[0, 0, 0] > 6.9)
    # Light from (1, 0, 1): the shadow of the sphere's centre falls one to the left, ten pixels at depth seven.
    _, column = changed.nonzero().float().mean(0)
    assert changed.any()
    assert column.item() == pytest.approx(16 - 66 / 7, abs=1.5)
    assert (shaded <= open_sky + 1e-6).all()
