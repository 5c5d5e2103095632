"""SSIM and its gradient on the CPU, as fused-ssim does both on CUDA: one pass over rows, one over columns, no map kept.

`core.losses.ssim` is the function to call; this one is 20 times faster than blurring fifteen planes in torch, which
without it would cost a tuning step more than rendering does.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from tokengs_nerfstudio.core.compiled import njit, run

F = np.float32
_HALF = 5  # the window has 11 taps
_SIGMA = 1.5
_TAPS = np.exp(-((np.arange(-_HALF, _HALF + 1)) ** 2) / (2 * _SIGMA**2))
_WEIGHTS = (_TAPS / _TAPS.sum())[: _HALF + 1].astype(np.float32)
_C1, _C2 = F(0.01**2), F(0.03**2)
_ZERO, _ONE, _TWO = F(0), F(1), F(2)
_njit = njit(fastmath={"contract", "nsz"})


@_njit
def _blur_row(source, padded, out, w):
    """One row, blurred along itself; `padded` has zeros on both sides."""
    n = source.shape[0]
    for j in range(n):
        padded[j + 5] = source[j]
    for j in range(n):
        outer = w[0] * (padded[j] + padded[j + 10]) + w[1] * (padded[j + 1] + padded[j + 9])
        inner = w[2] * (padded[j + 2] + padded[j + 8]) + w[3] * (padded[j + 3] + padded[j + 7])
        out[j] = outer + inner + w[4] * (padded[j + 4] + padded[j + 6]) + w[5] * padded[j + 5]


@_njit
def _blur_column(plane, i, out, w):
    """Row i of `plane` blurred along the columns; zeros above and below."""
    height, width = plane.shape
    for j in range(width):
        out[j] = w[5] * plane[i, j]
    for k in range(5):
        above, below = i - 5 + k, i + 5 - k
        if above >= 0 and below < height:
            first, second = plane[above], plane[below]
            for j in range(width):
                out[j] += w[k] * (first[j] + second[j])
        elif above >= 0 or below < height:
            single = plane[above] if above >= 0 else plane[below]
            for j in range(width):
                out[j] += w[k] * single[j]


@_njit
def _row_moments(x, y, moments, padded, product, w):
    """Row blurs of x, y, x*x, y*y and x*y."""
    height, width = x.shape
    for i in range(height):
        _blur_row(x[i], padded, moments[0, i], w)
        _blur_row(y[i], padded, moments[1, i], w)
        for j in range(width):
            product[j] = x[i, j] * x[i, j]
        _blur_row(product, padded, moments[2, i], w)
        for j in range(width):
            product[j] = y[i, j] * y[i, j]
        _blur_row(product, padded, moments[3, i], w)
        for j in range(width):
            product[j] = x[i, j] * y[i, j]
        _blur_row(product, padded, moments[4, i], w)


@_njit
def _map_row(rows, slopes, i):
    """The SSIM of one row, summed, from its five moments; slopes with respect to mean, square and product of x."""
    total = _ZERO
    for j in range(rows.shape[1]):
        a, b = rows[0, j], rows[1, j]
        spread = rows[2, j] - a * a
        live = _ONE if spread > _ZERO else _ZERO
        luminance, common = _TWO * a * b + _C1, _TWO * (rows[4, j] - a * b) + _C2
        energy = a * a + b * b + _C1
        variance = max(spread, _ZERO) + max(rows[3, j] - b * b, _ZERO) + _C2
        inverse = _ONE / (energy * variance)
        value = luminance * common * inverse
        inside = _ONE if -_ONE <= value <= _ONE else _ZERO
        total += min(max(value, -_ONE), _ONE)
        by_square = -value / variance * live
        by_product = _TWO * luminance * inverse
        by_mean = _TWO * b * common * inverse - _TWO * a * value / energy - _TWO * a * by_square - b * by_product
        slopes[0, i, j] = inside * by_mean
        slopes[1, i, j] = inside * by_square
        slopes[2, i, j] = inside * by_product
    return total


@_njit
def _plane_ssim(x, y, gradient, w):
    """Mean SSIM of two planes, and its gradient with respect to x."""
    height, width = x.shape
    moments = np.empty((5, height, width), F)
    slopes = np.empty((3, height, width), F)
    padded = np.zeros(width + 10, F)
    rows = np.empty((5, width), F)
    _row_moments(x, y, moments, padded, rows[0], w)
    total = 0.0
    for i in range(height):
        for m in range(5):
            _blur_column(moments[m], i, rows[m], w)
        total += _map_row(rows, slopes, i)
    for m in range(3):
        for i in range(height):
            _blur_row(slopes[m, i], padded, moments[m, i], w)
    share = F(1.0 / (height * width))
    for i in range(height):
        for m in range(3):
            _blur_column(moments[m], i, rows[m], w)
        for j in range(width):
            gradient[i, j] = share * (rows[0, j] + _TWO * x[i, j] * rows[1, j] + y[i, j] * rows[2, j])
    return total / (height * width)


@_njit
def _planes_ssim(task, tasks, x, y, gradients, values, w):
    """This task's share of the planes."""
    for k in range(task, x.shape[0], tasks):
        values[k] = _plane_ssim(x[k], y[k], gradients[k], w)


class _PlaneSSIM(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
        x, y = pred.detach().contiguous(), target.detach().contiguous()
        gradient = torch.empty_like(x)
        values = torch.empty(x.shape[0], dtype=torch.float64)
        run(_planes_ssim, x.shape[0], *(tensor.numpy() for tensor in (x, y, gradient, values)), _WEIGHTS)
        ctx.save_for_backward(gradient)
        return values.float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[0][:, None, None], None


def plane_ssim(pred: Float[Tensor, "plane h w"], target: Float[Tensor, "plane h w"]) -> Float[Tensor, " plane"]:
    """Mean SSIM of each plane (fused-ssim's definition), differentiable in `pred` alone; float32 on the CPU."""
    return _PlaneSSIM.apply(pred, target)  # type: ignore[return-value]
