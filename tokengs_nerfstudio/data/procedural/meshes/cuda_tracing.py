"""Pictures of scenes of meshes on CUDA, by numba; the same as on the CPU but for rounding."""

from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np

from tokengs_nerfstudio.core.compiled import cuda_target
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.procedural.cameras import view_intrinsics
from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary
from tokengs_nerfstudio.data.procedural.meshes.mesh_scene import MeshScene

# Threads of a block along rows and columns: pixels beside each other, whose rays go much the same ways.
_SIDE = 8


def trace_on_cuda(
    library: MeshLibrary, scene: MeshScene, height: int, width: int, antialias: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Clean renders [view 3 height width] and z-depths [view height width] (0: surroundings), float32, on the host.

    Meshes and textures are copied to the GPU once a process. UserError without a GPU that numba can use.
    """
    if not cuda_target().is_available():
        raise UserError("there is no GPU that numba can use: scenes of meshes are traced on the CPU (tracer cpu)")
    world, pictures, first = _placed(library), [], 0
    (intrinsics,) = _on_gpu((view_intrinsics(scene.fov, height, width),))
    for _, same in groupby(scene.parts_by_view(), id):
        moment = list(same)
        (c2w,) = _on_gpu((scene.c2w[first : first + len(moment)],))
        placed = (*world, _on_gpu(moment[0]), c2w, intrinsics)
        pictures.append(_traced(placed, (len(moment), height, width), antialias))
        first += len(moment)
    rgb, depth = zip(*((rgb.copy_to_host(), depth.copy_to_host()) for rgb, depth in pictures))
    return np.concatenate(rgb), np.concatenate(depth)


def _traced(placed: tuple[Any, ...], shape: tuple[int, int, int], antialias: bool) -> tuple[Any, Any]:
    """Renders and depths, on the GPU, of so many views at so many rows and columns."""
    from tokengs_nerfstudio.data.procedural.meshes import cuda_kernels as kernels

    new = cuda_target().device_array
    views, rows, columns = shape
    rgb, depth, surfaces = new((views, 3, rows, columns), np.float32), new(shape, np.float32), new(shape, np.int64)
    kernels.trace_centres[_threads(*shape)](*placed, rgb, depth, surfaces)
    if antialias:
        edges, corners = new(shape, np.bool_), new((views, 3, rows + 1, columns + 1), np.float64)
        kernels.mark_edges[_threads(*shape)](rgb, surfaces, edges)
        kernels.trace_corners[_threads(views, rows + 1, columns + 1)](*placed, edges, corners)
        kernels.soften[_threads(*shape)](edges, corners, rgb)
    return rgb, depth


@lru_cache(maxsize=2)
def _placed(library: MeshLibrary) -> tuple[Any, Any]:
    return _on_gpu(library.meshes), _on_gpu(library.textures)


def _on_gpu(record: tuple[Any, ...]) -> Any:
    """The same kind of tuple with its arrays on the GPU."""
    copy = cuda_target().to_device
    parts = [copy(np.ascontiguousarray(part)) if isinstance(part, np.ndarray) else part for part in record]
    return type(record)(*parts) if hasattr(record, "_fields") else tuple(parts)


def _threads(views: int, rows: int, columns: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Blocks, and threads of a block, that are enough for so many pixels."""
    return (-(-columns // _SIDE), -(-rows // _SIDE), views), (_SIDE, _SIDE, 1)
