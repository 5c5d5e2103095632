"""The CPU backend: numba's kernels behind one torch.autograd function. Tensors and arrays share memory."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tokengs_nerfstudio.core.compiled import run
from tokengs_nerfstudio.core.rendering.compositing_backward_kernels import composite_backward
from tokengs_nerfstudio.core.rendering.compositing_kernels import composite
from tokengs_nerfstudio.core.rendering.projection_backward_kernels import project_backward
from tokengs_nerfstudio.core.rendering.projection_kernels import project
from tokengs_nerfstudio.core.rendering.raster_kernels import POSE, RECORD, TILE, UNIT
from tokengs_nerfstudio.core.rendering.request import Request
from tokengs_nerfstudio.core.rendering.tile_kernels import list_tiles

# numpy instead of torch for everything between the kernels: torch's own thread pool stays asleep.


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().numpy())


def _camera_table(viewmats: np.ndarray, intrinsics: np.ndarray, width: int, height: int) -> np.ndarray:
    """[scene view CAMERA]; the limits keep the Jacobian tame for points outside the image by more than 30 %."""
    fx, fy, cx, cy = (intrinsics[..., i, j] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    margin_x, margin_y = np.float32(0.15) * width / fx, np.float32(0.15) * height / fy
    limits = (-cx / fx - margin_x, (width - cx) / fx + margin_x, -cy / fy - margin_y, (height - cy) / fy + margin_y)
    pose = viewmats[..., :3, :].reshape(*viewmats.shape[:-2], POSE)
    return np.concatenate([pose, np.stack([fx, fy, cx, cy, *limits], axis=-1)], axis=-1, dtype=np.float32)


def _grid(width: int, height: int) -> tuple[int, int]:
    return -(-width // TILE), -(-height // TILE)


def _units(gaussians: int) -> int:
    """Units of work in one scene."""
    return -(-gaussians // UNIT)


class _Tiled:
    """The splats of every view, and every tile's list of them: what `project` and `list_tiles` leave behind."""

    def __init__(self, gaussians: list[np.ndarray], request: Request):
        scenes, views, count = request.scenes, request.views, gaussians[0].shape[1]
        self.size = (request.width, request.height)
        self.antialiased = True if request.antialiased else None
        self.cameras = _camera_table(_array(request.viewmats), _array(request.intrinsics), *self.size)
        self.records = np.empty((scenes, views, count, RECORD), np.float32)
        self.boxes = np.empty((scenes, views, count, 4), np.int32)
        self.radii = np.empty((scenes, views, count), np.int32)
        units, planes = _units(count), (np.float32(request.near), np.float32(request.far))
        counts = np.zeros((scenes * units, views, 2), np.int64)
        run(
            project, scenes * units, *gaussians, self.cameras, self.size, planes, self.antialiased,
            self.records, self.boxes, self.radii, counts,
        )  # fmt: skip
        splats, pairs = counts.reshape(scenes, units, views, 2).sum(1).reshape(-1, 2).T.copy()
        across, down = _grid(*self.size)
        self.tiles, self.pairs = scenes * views * across * down, int(pairs.sum())
        self.first_pair = np.empty((scenes, views, count), np.int64)
        self.tile_start = np.empty((scenes * views, across * down + 1), np.int64)
        self.tile_items = np.empty(self.pairs, np.int32)
        run(
            list_tiles, scenes * views, self.records, self.boxes, splats, np.cumsum(pairs) - pairs, across,
            self.first_pair, self.tile_start, self.tile_items,
        )  # fmt: skip

    def info(self, means2d: Tensor) -> dict[str, Any]:
        """gsplat's dictionary for one scene; fills in the values of the tap `means2d`."""
        drawn = self.radii[0] > 0
        records = np.where(drawn[..., None], self.records[0], np.float32(0))
        means2d.detach().copy_(torch.from_numpy(records[..., :2]))
        across, down = _grid(*self.size)
        return {
            "camera_ids": None,
            "gaussian_ids": None,
            "radii": torch.from_numpy(self.radii[0]),
            "means2d": means2d,
            "depths": torch.from_numpy(records[..., 9]),
            "conics": torch.from_numpy(records[..., 2:5]),
            "opacities": torch.from_numpy(records[..., 5]),
            "width": self.size[0],
            "height": self.size[1],
            "tile_size": TILE,
            "tile_width": across,
            "tile_height": down,
            "n_cameras": records.shape[0],
        }


class _Rasterize(torch.autograd.Function):
    """(Gaussians, world-to-camera, background) -> (rgb, alpha, expected depth), and `_Tiled` put into `kept`.

    `means2d` is a tap: its values do not matter, its gradient is that of the projected means.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        means: Tensor,
        quats: Tensor,
        scales: Tensor,
        opacities: Tensor,
        colors: Tensor,
        viewmats: Tensor,
        background: Tensor,
        means2d: Tensor | None,
        request: Request,
        kept: list[_Tiled],
    ) -> tuple[Tensor, Tensor, Tensor]:
        gaussians = [_array(tensor) for tensor in (means, quats, scales, opacities, colors)]
        tiled = _Tiled(gaussians, request)
        leading, image = (request.scenes, request.views), (request.height, request.width)
        rgb = np.empty((*leading, 3, *image), np.float32)
        alpha = np.empty((*leading, 1, *image), np.float32)
        depth = np.empty((request.scenes if request.depth else 0, request.views, 1, *image), np.float32)
        transmittance = np.empty((*leading, *image), np.float32)
        last = np.empty((*leading, *image), np.int32)
        fill = _array(background)
        run(
            composite, tiled.tiles, tiled.records, tiled.boxes, tiled.tile_start, tiled.tile_items,
            fill, tiled.size, rgb, alpha, depth, transmittance, last,
        )  # fmt: skip
        kept.append(tiled)
        ctx.save_for_backward(means, quats, scales, opacities, colors)  # notices if they change before the way back
        ctx.tiled, ctx.pixels = tiled, (fill, depth, transmittance, last)
        ctx.set_materialize_grads(False)
        return torch.from_numpy(rgb), torch.from_numpy(alpha), torch.from_numpy(depth)

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, v_rgb: Tensor | None, v_alpha: Tensor | None, v_depth: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        gaussians = [_array(tensor) for tensor in ctx.saved_tensors]
        fill, depth, transmittance, last = ctx.pixels
        tiled: _Tiled = ctx.tiled
        scenes, views, height, width = transmittance.shape
        g_rgb = np.zeros((scenes, views, 3, height, width), np.float32) if v_rgb is None else _array(v_rgb)
        g_alpha = np.zeros((scenes, views, 1, height, width), np.float32) if v_alpha is None else _array(v_alpha)
        g_depth = np.zeros((0, views, 1, height, width), np.float32) if v_depth is None else _array(v_depth)
        pairs = np.empty((tiled.pairs, RECORD), np.float32)
        run(
            composite_backward, tiled.tiles, tiled.records, tiled.boxes, tiled.tile_start, tiled.tile_items,
            tiled.first_pair, fill, tiled.size, depth, transmittance, last, g_rgb, g_alpha, g_depth, pairs,
        )  # fmt: skip
        gradients, v_viewmats, v_means2d = _through_projection(gaussians, tiled, pairs, ctx.needs_input_grad)
        v_background = None
        if ctx.needs_input_grad[6]:
            v_background = torch.from_numpy((g_rgb * transmittance[:, :, None]).sum((-1, -2)))
        return *gradients, v_viewmats, v_background, v_means2d, None, None


def _through_projection(
    gaussians: list[np.ndarray], tiled: _Tiled, pairs: np.ndarray, wanted: tuple[bool, ...]
) -> tuple[list[Tensor], Tensor | None, Tensor | None]:
    """From the gradient rows of (splat, tile) pairs to the gradients of Gaussians, poses and projected means."""
    scenes, views, count, _ = tiled.records.shape
    units = _units(count)
    want_pose, want_means2d = wanted[5], wanted[7]
    v_pose = np.zeros((scenes * units if want_pose else 0, views, POSE), np.float32)
    v_means2d = np.zeros((scenes if want_means2d else 0, views, count, 2), np.float32)
    gradients = [np.empty_like(array) for array in gaussians]
    run(
        project_backward, scenes * units, *gaussians[:4], tiled.cameras, tiled.antialiased, tiled.records,
        tiled.boxes, tiled.first_pair, pairs, *gradients, v_means2d, v_pose,
    )  # fmt: skip
    v_viewmats = None
    if want_pose:
        summed = v_pose.reshape(scenes, units, views, 3, 4).sum(1)
        v_viewmats = torch.from_numpy(np.concatenate([summed, np.zeros_like(summed[..., :1, :])], axis=-2))
    tap = torch.from_numpy(v_means2d[0]) if want_means2d else None
    return [torch.from_numpy(gradient) for gradient in gradients], v_viewmats, tap


def rasterize(request: Request, tap: bool = False) -> tuple[Tensor, Tensor, Tensor | None, dict[str, Any]]:
    """rgb [scene view 3 height width], alpha and expected depth [scene view 1 height width].

    With `tap`, for a request of one scene, also gsplat's dictionary; without, an empty one.
    """
    g = request.splats
    means2d = torch.zeros(request.views, g.count, 2, requires_grad=True) if tap else None
    kept: list[_Tiled] = []
    rgb, alpha, depth = _Rasterize.apply(  # type: ignore[misc]
        g.means, g.quats, g.scales, g.opacities, g.colors, request.viewmats, request.background, means2d, request, kept
    )
    info = {} if means2d is None else kept[0].info(means2d)
    return rgb, alpha, depth if request.depth else None, info
