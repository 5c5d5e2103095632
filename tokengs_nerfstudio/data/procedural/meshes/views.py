"""Scenes of meshes as `Views`."""

import numpy as np
import torch

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.procedural.cameras import view_intrinsics
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import library_of
from tokengs_nerfstudio.data.procedural.meshes.mesh_scene import MeshScene
from tokengs_nerfstudio.data.procedural.meshes.photos import as_photographed
from tokengs_nerfstudio.data.procedural.meshes.tracing import mesh_scene, traced


def mesh_views(seed: int, num_views: int, height: int, width: int, config: MeshSceneConfig, threads: int = 1) -> Views:
    """The scene of one seed seen by `num_views` cameras, as photographed, in its world frame (z up).

    Depths are exact z-depths of the pixels' centres, 0 where the surroundings are seen. The first views spread over the
    whole path. ValueError for a negative seed or fewer than one view, errors as in `library_of`.
    """
    if seed < 0 or num_views < 1:
        raise UserError(f"scenes need a seed >= 0 and at least one view, got {seed}, {num_views} views")
    rng = np.random.default_rng((seed, num_views))
    scene = mesh_scene(rng, config, num_views)
    rgb, depth = traced(library_of(config.sources), scene, height, width, config, threads)
    return views_of(scene, as_photographed(rgb, rng, config.photo), depth)


def views_of(scene: MeshScene, photos: np.ndarray, depth: np.ndarray) -> Views:
    """Photos [view 3 height width] of a scene and z-depths [view height width], with its cameras."""
    intrinsics = torch.from_numpy(view_intrinsics(scene.fov, *depth.shape[1:])).float().repeat(len(photos), 1, 1)
    c2w, depths = torch.from_numpy(scene.c2w).float(), torch.from_numpy(depth)[:, None]
    return Views(torch.from_numpy(photos), c2w, intrinsics, depths=depths)
