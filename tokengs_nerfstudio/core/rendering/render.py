"""`render`: Gaussians and cameras in, pictures out, whichever backend does the work."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.types import Gaussians, Renders

Backend = Literal["auto", "gsplat", "numba", "torch"]


@dataclass(frozen=True)
class Request:
    """What a backend is asked for: one batch axis of scenes, world-to-camera poses, float32 on one device."""

    splats: Gaussians
    viewmats: Float[Tensor, "scene view 4 4"]
    intrinsics: Float[Tensor, "scene view 3 3"]
    background: Float[Tensor, "scene view 3"]
    width: int
    height: int
    near: float
    far: float
    depth: bool


def render(
    splats: Gaussians,
    c2w: Float[Tensor, "*batch view 4 4"],
    intrinsics: Float[Tensor, "*batch view 3 3"],
    width: int,
    height: int,
    near: float = 0.01,
    far: float = 1e10,
    background: float | Float[Tensor, "*#background 3"] = 0.5,
    backend: Backend = "auto",
    depth: bool = True,
) -> Renders:
    """Pictures of `splats` from every camera, differentiable in the Gaussians, the cameras and the background."""
    batch = c2w.shape[:-3]
    views = c2w.shape[-3]
    flat = Gaussians(
        **{k: getattr(splats, k).float().reshape(-1, *getattr(splats, k).shape[len(batch):])
           for k in ("means", "quats", "scales", "opacities", "colors")}
    )
    fill = torch.as_tensor(background, dtype=torch.float32, device=c2w.device)
    with torch.autocast(c2w.device.type, enabled=False):
        rotation = c2w[..., :3, :3].float().transpose(-1, -2)
        translation = -rotation @ c2w[..., :3, 3:].float()
        bottom = torch.tensor([0.0, 0.0, 0.0, 1.0], device=c2w.device).expand(*c2w.shape[:-2], 1, 4)
        viewmats = torch.cat([torch.cat([rotation, translation], -1), bottom], -2)
        request = Request(
            splats=flat,
            viewmats=viewmats.reshape(-1, views, 4, 4),
            intrinsics=intrinsics.float().reshape(-1, views, 3, 3),
            background=fill.expand(*batch, views, 3).reshape(-1, views, 3),
            width=width, height=height, near=near, far=far, depth=depth,
        )
        if backend == "auto":
            backend = "gsplat" if c2w.is_cuda else "numba"
        if backend != "numba":
            raise ValueError(f"backend '{backend}' is not at hand; ask for 'numba' or 'auto' with CPU tensors")
        from tokengs_nerfstudio.core.rendering import numba_backend

        image, alpha, _ = numba_backend.rasterize(request)

    def channels_first(pixels: Tensor) -> Tensor:
        return pixels.movedim(-1, -3).reshape(*batch, views, -1, height, width)

    expected = channels_first(image[..., 3:] / alpha.clamp(min=1e-10)) if depth else None
    return Renders(rgb=channels_first(image[..., :3]), alpha=channels_first(alpha), depth=expected)
