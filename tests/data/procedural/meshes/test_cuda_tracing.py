"""Scenes of meshes traced on CUDA: in numba's simulator anywhere, and on a GPU where there is one."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.movers import random_moving_scene
from tokengs_nerfstudio.data.procedural.meshes.tracing import mesh_scene, trace_on_cpu, traced

SIMULATED = """
import sys
import numpy as np
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources, library_of
from tokengs_nerfstudio.data.procedural.meshes.movers import random_moving_scene
from tokengs_nerfstudio.data.procedural.meshes.tracing import mesh_scene, trace_on_cpu, traced
from pathlib import Path
from dataclasses import replace

sources = MeshSources(Path(sys.argv[1]), Path(sys.argv[2]))
config, library = MeshSceneConfig(sources, tracer="cuda"), library_of(sources)
moving = random_moving_scene(np.random.default_rng(1), config, library, 3)
for scene in (mesh_scene(np.random.default_rng(0), config, 2), replace(moving, times=np.array([0.0, 0.0, 1.0]))):
    shown, expected = traced(library, scene, 9, 7, config), trace_on_cpu(library, scene, 9, 7, True)
    for ours, theirs in zip(shown, expected):
        np.testing.assert_array_equal(ours, theirs)
    assert shown[0].std() > 0.02
print("equal")
"""


def test_simulated_threads_trace_what_the_processor_does(sources):
    """In numba's simulator, with kernels and what they call in plain Python."""
    plain = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", SIMULATED, str(sources.pack), str(sources.textures)]
    done = subprocess.run(command, env=plain, capture_output=True, text=True)
    assert done.stdout == "equal\n", done.stderr


def test_without_a_gpu_that_is_said(library, sources):
    from tokengs_nerfstudio.core.compiled import cuda_target

    if cuda_target().is_available():
        pytest.skip("there is a GPU that numba can use")
    config = MeshSceneConfig(sources, tracer="cuda")
    scene = mesh_scene(np.random.default_rng(0), config, 1)
    with pytest.raises(UserError, match="no GPU that numba can use"):
        traced(library, scene, 9, 7, config)


@pytest.mark.gpu
def test_a_gpu_traces_what_the_processor_does(library, sources):
    """But for rays that graze a border: sums are fused otherwise."""
    config = MeshSceneConfig(sources, tracer="cuda")
    still = [mesh_scene(np.random.default_rng(number), config, 3) for number in range(4)]
    moving = random_moving_scene(np.random.default_rng(1), config, library, 3)
    for scene in (*still, replace(moving, times=np.array([0.0, 0.5, 0.5]))):
        (rgb, depth), (expected, far) = (
            traced(library, scene, 64, 48, config),
            trace_on_cpu(library, scene, 64, 48, True),
        )
        assert (np.abs(rgb - expected).max(1) > 1e-4).mean() < 1e-3
        assert (np.abs(depth - far) > 1e-4 * (1 + far)).mean() < 1e-3
