"""The CUDA backend: gsplat's `rasterization`, one call per scene, since gsplat 1.4 has no axis for scenes."""

from typing import Any

import torch
from torch import Tensor

from tokengs_nerfstudio.core.rendering.request import Request


def _empty(request: Request) -> tuple[Tensor, Tensor]:
    """What no Gaussians look like; gsplat's kernels do not take empty tensors."""
    shape = (request.scenes, request.views, request.height, request.width)
    rgb = request.background[:, :, None, None, :].expand(*shape, 3)
    picture = torch.cat([rgb, rgb.new_zeros(*shape, 1)], -1) if request.depth else rgb
    return picture, rgb.new_zeros(*shape, 1)


def _scene(request: Request, scene: int) -> tuple[Tensor, Tensor, dict[str, Any]]:
    from gsplat import rasterization

    g = request.splats
    return rasterization(
        means=g.means[scene].contiguous(),
        quats=g.quats[scene].contiguous(),
        scales=g.scales[scene].contiguous(),
        opacities=g.opacities[scene].contiguous(),
        colors=g.colors[scene].contiguous(),
        viewmats=request.viewmats[scene].contiguous(),
        Ks=request.intrinsics[scene].contiguous(),
        width=request.width,
        height=request.height,
        near_plane=request.near,
        far_plane=request.far,
        packed=False,
        backgrounds=request.background[scene].contiguous(),
        render_mode="RGB+ED" if request.depth else "RGB",
        rasterize_mode="classic",
    )


def rasterize(request: Request) -> tuple[Tensor, Tensor, Tensor | None, dict[str, Any]]:
    """rgb [scene view 3 height width], alpha and expected depth [scene view 1 height width], the last scene's info."""
    info: dict[str, Any] = {}
    if request.splats.count == 0 or request.scenes == 0:
        picture, alpha = _empty(request)
    else:
        pictures, alphas = [], []
        for scene in range(request.scenes):
            image, opacity, info = _scene(request, scene)
            pictures.append(image)
            alphas.append(opacity)
        picture, alpha = torch.stack(pictures), torch.stack(alphas)
    picture, alpha = picture.movedim(-1, -3), alpha.movedim(-1, -3)
    return picture[..., :3, :, :], alpha, picture[..., 3:, :, :] if request.depth else None, info
