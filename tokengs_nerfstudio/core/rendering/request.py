"""What a backend is asked for: checked, in one precision, with one batch axis of scenes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.constants import constant
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.harmonics import seen_colors
from tokengs_nerfstudio.core.ranges import Count, check_value
from tokengs_nerfstudio.core.rotation import invert_rigid
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig


@dataclass(frozen=True)
class Request:
    """Gaussians and cameras of `scene` scenes; `viewmats` are world-to-camera, OpenCV, intrinsics in pixels."""

    splats: Gaussians
    viewmats: Float[Tensor, "scene view 4 4"]
    intrinsics: Float[Tensor, "scene view 3 3"]
    background: Float[Tensor, "scene view 3"]
    width: int
    height: int
    near: float
    far: float
    depth: bool
    antialiased: bool
    """each opacity times sqrt(det of the projected covariance / det of the blurred one)"""
    backend: str
    """gsplat, numba or torch"""
    leading: tuple[int, ...]
    """the caller's batch axes and that of the views, whose product is that of `scene` and `view`"""

    @property
    def scenes(self) -> int:
        return self.viewmats.shape[0]

    @property
    def views(self) -> int:
        return self.viewmats.shape[1]


def checked(splats: Gaussians, cameras: Cameras, config: RenderConfig, depth: bool, backend: str = "auto") -> Request:
    """The request for these Gaussians and cameras; ValueError names what does not fit."""
    c2w, intrinsics = cameras.c2w, cameras.intrinsics
    backend = chosen_backend(backend, c2w.device)
    dtype = splats.means.dtype if backend == "torch" else torch.float32
    batch = _checked_batch(splats, c2w, intrinsics)
    _check_numbers(cameras.width, cameras.height, config.near, config.far)
    views = c2w.shape[-3]
    if dtype == torch.float32 and torch.float64 in (splats.means.dtype, c2w.dtype):
        splats, c2w = _near_the_first_camera(splats, c2w)

    def flat(tensor: Tensor) -> Tensor:
        return tensor.to(dtype).reshape(batch.numel(), *tensor.shape[len(batch) :])

    request = Request(
        splats=splats.map(flat),
        viewmats=flat(_world_to_camera(c2w.to(dtype))),
        intrinsics=flat(intrinsics),
        background=flat(_background(config.background, [*batch, views], c2w).to(dtype)),
        width=cameras.width,
        height=cameras.height,
        near=config.near,
        far=config.far,
        depth=depth,
        antialiased=config.antialiased,
        backend=backend,
        leading=(*batch, views),
    )
    return request if splats.harmonics is None else _seen_by_each_view(request)


def _seen_by_each_view(request: Request) -> Request:
    """Gaussians whose colours change with the direction: for every view a scene of its own, in the colours it sees."""
    views = request.views
    splats = request.splats.map(lambda tensor: tensor[:, None].expand(-1, views, *tensor.shape[1:]).flatten(0, 1))
    assert splats.harmonics is not None  # asked by the caller
    viewmats, intrinsics, background = (
        tensor.flatten(0, 1)[:, None] for tensor in (request.viewmats, request.intrinsics, request.background)
    )
    eyes = invert_rigid(viewmats)[..., :3, 3]
    colors = seen_colors(splats.colors, splats.harmonics, F.normalize(splats.means - eyes, dim=-1))
    splats = replace(splats, colors=colors, harmonics=None)
    return replace(request, splats=splats, viewmats=viewmats, intrinsics=intrinsics, background=background)


def _near_the_first_camera(splats: Gaussians, c2w: Tensor) -> tuple[Gaussians, Tensor]:
    """Positions of 64 bits relative to the first camera, before they become 32, too coarse far from the origin."""
    origin = c2w[..., :1, :3, 3].detach().double()
    position = (c2w[..., :3, 3] - origin)[..., None]
    upper = torch.cat([c2w[..., :3, :3].double(), position], dim=-1)
    return replace(splats, means=splats.means - origin), torch.cat([upper, c2w[..., 3:, :].double()], dim=-2)


def chosen_backend(backend: str, device: torch.device) -> str:
    """The backend by name, where it can run on `device`."""
    if backend == "auto":
        return "gsplat" if device.type == "cuda" else "numba"
    if backend not in ("gsplat", "numba", "torch"):
        raise UserError(f"unknown rendering backend '{backend}'; there are 'auto', 'gsplat', 'numba' and 'torch'")
    if backend == "gsplat" and device.type != "cuda":
        raise UserError(f"backend 'gsplat' needs CUDA tensors, these are on {device}; use 'auto' or 'numba' there")
    if backend == "numba" and device.type != "cpu":
        raise UserError(f"backend 'numba' needs CPU tensors, these are on {device}; use 'auto' or 'gsplat' there")
    return backend


def _world_to_camera(c2w: Tensor) -> Tensor:
    with torch.autocast(c2w.device.type, enabled=False):
        return invert_rigid(c2w)


def _checked_batch(splats: Gaussians, c2w: Tensor, intrinsics: Tensor) -> torch.Size:
    """The batch axes of a call whose tensors agree on batch, views, Gaussians and device."""
    if c2w.ndim < 3 or c2w.shape[-2:] != (4, 4):
        raise UserError(f"c2w must be [*batch view 4 4] camera-to-world matrices, got {list(c2w.shape)}")
    batch, count = c2w.shape[:-3], splats.means.shape[-2] if splats.means.ndim > 1 else 0
    expected = {
        "means": [*batch, count, 3],
        "quats": [*batch, count, 4],
        "scales": [*batch, count, 3],
        "opacities": [*batch, count],
        "colors": [*batch, count, 3],
    }
    tensors = {f"splats.{name}": (getattr(splats, name), shape) for name, shape in expected.items()}
    if splats.harmonics is not None:
        tensors["splats.harmonics"] = (splats.harmonics, [*batch, count, *splats.harmonics.shape[-2:-1], 3])
    tensors["intrinsics"] = (intrinsics, [*c2w.shape[:-2], 3, 3])
    for name, (tensor, shape) in tensors.items():
        if list(tensor.shape) != shape:
            raise UserError(
                f"{name} has shape {list(tensor.shape)}, expected {shape} beside c2w {list(c2w.shape)}: "
                "Gaussians and cameras need the same batch axes"
            )
        if tensor.device != c2w.device:
            raise UserError(f"{name} is on {tensor.device}, c2w on {c2w.device}: move them to one device")
    return batch


def _check_numbers(width: int, height: int, near: float, far: float) -> None:
    check_value(width, Count, "width")
    check_value(height, Count, "height")
    if not 0 < near < far:
        raise UserError(f"near and far are distances with 0 < near < far; got near {near}, far {far}")


def _background(background: float | Tensor, leading: Sequence[int], like: Tensor) -> Tensor:
    fill = background if isinstance(background, Tensor) else constant(np.asarray(background).tolist(), like)
    if fill.device != like.device:
        raise UserError(f"background is on {fill.device}, c2w on {like.device}: move them to one device")
    if list(fill.shape) not in ([], [3], [*leading[:-1], 1, 3], [*leading, 3]):
        raise UserError(f"background must be a number, [3] or {[*leading, 3]}; got shape {list(fill.shape)}")
    return fill.expand(*leading, 3)
