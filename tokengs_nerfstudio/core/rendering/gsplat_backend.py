"""The CUDA backend: all cameras of all scenes in one rasterisation by gsplat, 1.4 or 1.5.

gsplat 1.5.3 takes scenes as a leading axis. Older ones project one scene at a time, but rasterise whatever cameras they
are given: there, scenes are projected one by one and meet in one sort and one kernel.
"""

import re
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.rendering.request import Request

TILE = 16
BLUR = 0.3
_FIRST_WITH_SCENES = (1, 5, 3)


@cache
def gsplat_version() -> tuple[int, ...]:
    """The installed gsplat's version, such as (1, 5, 3). ImportError where there is none."""
    from gsplat.version import __version__

    return tuple(int(part) for part in re.findall(r"\d+", __version__)[:3])


def rasterize(request: Request) -> tuple[Tensor, Tensor, Tensor | None, dict[str, Any]]:
    """rgb [scene view 3 height width], alpha and expected depth [scene view 1 height width], gsplat's dictionary.

    The dictionary is that of a request of one scene, with radii [view gaussian] whatever gsplat's version; that of
    several scenes is empty.
    """
    info: dict[str, Any] = {}
    if request.splats.count == 0 or request.scenes == 0:
        picture, alpha = _empty(request)
    elif request.scenes == 1:
        picture, alpha, info = _one_scene(request)
    elif gsplat_version() >= _FIRST_WITH_SCENES:
        picture, alpha, _ = _called(_arguments(request), request)
    else:
        picture, alpha = _together(request)
    picture, alpha = picture.movedim(-1, -3), alpha.movedim(-1, -3)
    return picture[..., :3, :, :], alpha, picture[..., 3:, :, :] if request.depth else None, info


def _empty(request: Request) -> tuple[Tensor, Tensor]:
    """What no Gaussians look like; gsplat's kernels do not take empty tensors."""
    shape = (request.scenes, request.views, request.height, request.width)
    rgb = request.background[:, :, None, None, :].expand(*shape, 3)
    picture = torch.cat([rgb, rgb.new_zeros(*shape, 1)], -1) if request.depth else rgb
    return picture, rgb.new_zeros(*shape, 1)


def _arguments(request: Request) -> dict[str, Any]:
    """The tensors of `rasterization`, by its names for them, each with the axis of scenes in front."""
    g = request.splats
    return {
        "means": g.means.contiguous(),
        "quats": g.quats.contiguous(),
        "scales": g.scales.contiguous(),
        "opacities": g.opacities.contiguous(),
        "colors": g.colors.contiguous(),
        "viewmats": request.viewmats.contiguous(),
        "Ks": request.intrinsics.contiguous(),
        "backgrounds": request.background.contiguous(),
    }


def _called(tensors: dict[str, Any], request: Request) -> tuple[Tensor, Tensor, dict[str, Any]]:
    from gsplat import rasterization

    return rasterization(
        **tensors,
        width=request.width,
        height=request.height,
        near_plane=request.near,
        far_plane=request.far,
        radius_clip=0.0,
        eps2d=BLUR,
        packed=False,
        tile_size=TILE,
        render_mode="RGB+ED" if request.depth else "RGB",
        rasterize_mode="antialiased" if request.antialiased else "classic",
    )


def _one_scene(request: Request) -> tuple[Tensor, Tensor, dict[str, Any]]:
    picture, alpha, info = _called({name: tensor[0] for name, tensor in _arguments(request).items()}, request)
    radii = info["radii"]
    # gsplat 1.5 has one radius along x and one along y; both are 0 where a Gaussian is not drawn.
    return picture[None], alpha[None], {**info, "radii": radii.amax(-1) if radii.ndim == 3 else radii}


def _together(request: Request) -> tuple[Tensor, Tensor]:
    """What `rasterization` does with one scene's cameras, done once with those of all scenes."""
    from gsplat import isect_offset_encode, isect_tiles, rasterize_to_pixels

    g, cameras = request.splats, request.scenes * request.views
    projected = [_projected(request, scene) for scene in range(request.scenes)]
    radii, means2d, depths, conics, opacities = (torch.cat(parts) for parts in zip(*projected))
    colors, background = _for_cameras(g.colors, request.views), request.background.flatten(0, 1)
    if request.depth:
        colors, background = torch.cat([colors, depths[..., None]], -1), F.pad(background, (0, 1))
    grid = -(-request.width // TILE), -(-request.height // TILE)
    _, intersections, order = isect_tiles(means2d, radii, depths, TILE, *grid, packed=False, n_cameras=cameras)
    offsets = isect_offset_encode(intersections, cameras, *grid)
    picture, alpha = rasterize_to_pixels(
        means2d, conics, colors, opacities, request.width, request.height, TILE, offsets, order,
        backgrounds=background, packed=False,
    )  # fmt: skip
    if request.depth:
        picture = torch.cat([picture[..., :3], picture[..., 3:] / alpha.clamp(min=1e-10)], -1)
    scenes = (request.scenes, request.views)
    return picture.unflatten(0, scenes), alpha.unflatten(0, scenes)


def _projected(request: Request, scene: int) -> tuple[Tensor, ...]:
    """Radii, means, depths, conics and opacities [view gaussian ..] of one scene's splats."""
    from gsplat import fully_fused_projection

    g = request.splats
    opacities = g.opacities[scene].contiguous()
    # 1.5 draws a splat as far as its opacity lets it be seen; 1.4 does not ask.
    asked: dict[str, Any] = {"opacities": opacities} if gsplat_version() >= (1, 5) else {}
    *splats, compensations = fully_fused_projection(
        g.means[scene].contiguous(), None, g.quats[scene].contiguous(), g.scales[scene].contiguous(),
        request.viewmats[scene].contiguous(), request.intrinsics[scene].contiguous(), request.width, request.height,
        eps2d=BLUR, near_plane=request.near, far_plane=request.far, radius_clip=0.0, packed=False,
        calc_compensations=request.antialiased, **asked,
    )  # fmt: skip
    shown = opacities.expand(request.views, -1)
    return *splats, shown * compensations if request.antialiased else shown


def _for_cameras(values: Float[Tensor, "scene gaussian *channel"], views: int) -> Float[Tensor, "camera gaussian *c"]:
    """Each scene's values once for every one of its cameras."""
    return values[:, None].expand(-1, views, *values.shape[1:]).flatten(0, 1)
