"""What nerfstudio's exporters of points and meshes ask a model: colours, depths and normals along bundles of rays."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from nerfstudio.cameras.rays import RayBundle
from scipy.spatial import KDTree
from torch import Tensor

from tokengs_nerfstudio.core.rendering.along_rays import RayGrid, render_along
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig
from tokengs_nerfstudio.outputs import Outputs

# Less of it is taken for empty space, as nerfstudio's point clouds do.
_SOLID = 0.5
_NEIGHBOURS = 8
_POINTS_AT_ONCE = 1 << 18


def outputs_along(gaussians: Gaussians, bundle: RayBundle, rendering: RenderConfig, background: Tensor) -> Outputs:
    """What the rays of a bundle meet.

    A picture's rays [H, W] give RGB, accumulation, the length to the surface (0 where there is none) and its normal
    (turned to the camera, brought from [-1, 1] to [0, 1]). Rays of a texture, which end a little behind the surface
    that they begin before, give the colour there. Single rays meet nothing: `ns-render --render-nearest-camera` asks
    whether something blocks a line of sight.
    """
    if bundle.origins.ndim == 2 or gaussians.count == 0:
        return _free(bundle.origins, background)
    if bundle.fars is not None:
        return _at_surface(gaussians, bundle.origins + 0.5 * bundle.fars * bundle.directions, background)
    rays = RayGrid(bundle.origins.float(), F.normalize(bundle.directions.float(), dim=-1))
    renders = render_along(gaussians, rays, replace(rendering, background=background))
    assert renders.depth is not None
    alpha, depth = (picture[0].movedim(0, -1) for picture in (renders.alpha, renders.depth))
    return Outputs(
        {
            "rgb": renders.rgb[0].movedim(0, -1).clamp(0, 1),
            "accumulation": alpha,
            "depth": torch.where(alpha > _SOLID, depth, torch.zeros_like(depth)),
            "normals": (normals(rays, depth) + 1) / 2,
            "background": background.expand(*alpha.shape[:-1], 3),
        }
    )


def normals(rays: RayGrid, depth: Float[Tensor, "height width 1"]) -> Float[Tensor, "height width 3"]:
    """Unit normals of the surface at `depth` along the rays, from its neighbours in the picture, towards the camera."""
    points = rays.origins + depth * rays.directions
    down, across = (_slope(points, axis) for axis in (0, 1))
    normal = F.normalize(torch.linalg.cross(across, down, dim=-1), dim=-1)
    away = (normal * rays.directions).sum(-1, keepdim=True) > 0
    return torch.where(away, -normal, normal)


def _slope(points: Tensor, axis: int) -> Tensor:
    if points.shape[axis] < 2:
        return torch.zeros_like(points)
    return torch.gradient(points, dim=axis)[0]


def surface_colors(gaussians: Gaussians, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
    """Colours where a mesh says that the surface is: of the nearest Gaussians, by opacity and depth in them."""
    tree = KDTree(gaussians.means.cpu().numpy())
    axes = matrix_from_quaternion(gaussians.quats)
    parts = []
    for part in points.split(_POINTS_AT_ONCE):
        nearest = tree.query(part.cpu().numpy(), k=min(_NEIGHBOURS, gaussians.count))[1]
        near = torch.from_numpy(np.asarray(nearest).reshape(len(part), -1)).to(points.device)
        offsets = part[:, None] - gaussians.means[near]
        inside = (offsets[..., None, :] @ axes[near])[..., 0, :] / gaussians.scales[near].clamp(min=1e-9)
        # Far from all of them the nearest still counts.
        weights = gaussians.opacities[near].clamp(min=1e-4).log() - 0.5 * inside.square().sum(-1)
        parts.append((weights.softmax(-1)[..., None] * gaussians.colors[near]).sum(1))
    return torch.cat(parts)


def _at_surface(gaussians: Gaussians, points: Float[Tensor, "*texel 3"], background: Tensor) -> Outputs:
    colors = surface_colors(gaussians, points.reshape(-1, 3).float()).reshape(points.shape)
    one = torch.ones_like(points[..., :1])
    return Outputs({"rgb": colors, "accumulation": one, "background": background.expand(points.shape)})


def _free(origins: Tensor, background: Tensor) -> Outputs:
    nothing = torch.zeros_like(origins[..., :1])
    return Outputs(
        {
            "rgb": background.expand(origins.shape),
            "accumulation": nothing,
            "depth": torch.full_like(nothing, torch.inf),
            "normals": torch.full_like(origins, 0.5),
            "background": background.expand(origins.shape),
        }
    )
