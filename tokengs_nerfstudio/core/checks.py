"""What comes in from Python, checked once where it does: shapes, types, ranges, poses. Not for use in loops."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.harmonics import degree_of
from tokengs_nerfstudio.core.types import Gaussians, Views

# What float32 makes of rotations and of colours at the ends of their range.
_RIGID, _BEYOND = 1e-3, 1e-3


def check_views(views: Any, name: str, dtype: torch.dtype) -> None:
    """UserError for photos of one scene that are not as `Views` says; `dtype` is that of the network's numbers."""
    if not isinstance(views, Views):
        raise UserError(f"{name} must be Views, got {type(views).__name__}")
    images = views.images
    if views.in_memory:
        _check_tensor(images, f"{name}.images", None, images)
    if images.dtype != dtype:
        raise UserError(f"{name}.images must be {dtype} as the network is, got {images.dtype}; .to() changes it")
    if images.ndim != 4 or images.shape[1] != 3:
        raise UserError(f"{name}.images must be one scene's, [view 3 height width], got {list(images.shape)}")
    count, _, height, width = images.shape
    if min(count, height, width) < 1:
        raise UserError(f"{name}.images holds nothing: {list(images.shape)}")
    shapes = {"images": list(images.shape), "c2w": [count, 4, 4], "intrinsics": [count, 3, 3], "times": [count]}
    like = images if views.in_memory else views.c2w  # whose pixels come later, on the cameras' device
    for field in (entry.name for entry in fields(Views) if views.in_memory or entry.name != "images"):
        value = getattr(views, field)
        if value is not None or field in ("c2w", "intrinsics"):
            _check_tensor(value, f"{name}.{field}", shapes.get(field, [count, 1, height, width]), like)
            if field not in shapes and value is not None:
                _check_finite(value, f"{name}.{field}")
    if views.in_memory:
        _check_range(images, f"{name}.images", "RGB in [0, 1]; divide 8-bit values by 255")
    check_poses(views.c2w, f"{name}.c2w")
    check_intrinsics(views.intrinsics, f"{name}.intrinsics")
    if views.times is not None:
        _check_range(views.times, f"{name}.times", "times in [0, 1]")
    if views.depths is not None and bool((views.depths < 0).any()):
        raise UserError(f"{name}.depths must be z-depths, 0 where there is no surface, got {_span(views.depths)}")
    if views.alphas is not None:
        _check_range(views.alphas, f"{name}.alphas", "opacities in [0, 1]")
    if views.masks is not None and not bool(((views.masks == 0) | (views.masks == 1)).all()):
        raise UserError(
            f"{name}.masks must be 1 where a pixel counts and 0 where it does not, got {_span(views.masks)}"
        )


def check_poses(c2w: Tensor, name: str) -> None:
    """UserError for camera-to-world matrices [*batch 4 4] that are no rigid motions of right-handed axes."""
    _check_tensor(c2w, name, None, c2w)
    _check_finite(c2w, name)
    axes = c2w[..., :3, :3].detach().double()
    off = (axes.mT @ axes - torch.eye(3, dtype=axes.dtype, device=axes.device)).abs().amax((-1, -2))
    bottom = c2w[..., 3, :].detach().double() - axes.new_tensor([0.0, 0.0, 0.0, 1.0])
    for wrong, what in (
        (bottom.abs().amax(-1) > 0, "has a last row other than 0 0 0 1 (is it transposed?)"),
        (off > _RIGID, "is no rotation with a position: its axes are not unit vectors at right angles"),
        (torch.linalg.det(axes) < 0, "mirrors: its axes are left-handed"),
    ):
        if bool(wrong.any()):
            raise UserError(f"{name}: camera {_first(wrong)} {what}; OpenCV camera-to-world matrices are needed")


def check_intrinsics(intrinsics: Tensor, name: str) -> None:
    """UserError for matrices [*batch 3 3] that are not of the form fx 0 cx, 0 fy cy, 0 0 1 with fx, fy above 0."""
    _check_tensor(intrinsics, name, None, intrinsics)
    _check_finite(intrinsics, name)
    focal = torch.stack([intrinsics[..., 0, 0], intrinsics[..., 1, 1]], dim=-1)
    rest = torch.stack([intrinsics[..., 0, 1], intrinsics[..., 1, 0], intrinsics[..., 2, 0], intrinsics[..., 2, 1]])
    for wrong, what in (
        ((focal <= 0).any(-1), "has a focal length that is not above 0"),
        ((rest.abs() > 1e-3).any(0), "has entries where none are: fx 0 cx, 0 fy cy, 0 0 1 in pixels, without skew"),
        (intrinsics[..., 2, 2] != 1, "has a last entry other than 1"),
    ):
        if bool(wrong.any()):
            raise UserError(f"{name}: camera {_first(wrong)} {what}; got {_matrix(intrinsics, wrong)}")


def check_gaussians(splats: Any, name: str) -> None:
    """UserError for Gaussians whose values are not what `Gaussians` says: finite, lengths, opacities, colours."""
    if not isinstance(splats, Gaussians):
        raise UserError(f"{name} must be Gaussians, got {type(splats).__name__}")
    means = splats.means
    for field in ("means", "quats", "scales", "opacities", "colors"):
        _check_tensor(getattr(splats, field), f"{name}.{field}", None, means)
        _check_finite(getattr(splats, field), f"{name}.{field}")
    if splats.scales.numel() and float(splats.scales.min()) < 0:
        raise UserError(f"{name}.scales are lengths, not below 0, got {_span(splats.scales)}; give no logarithms")
    _check_range(splats.opacities, f"{name}.opacities", "opacities in [0, 1]; give no logits")
    _check_range(splats.colors, f"{name}.colors", "RGB in [0, 1]; divide 8-bit values by 255")
    if splats.harmonics is not None:
        _check_tensor(splats.harmonics, f"{name}.harmonics", None, means)
        _check_finite(splats.harmonics, f"{name}.harmonics")
        degree_of(splats.harmonics.shape[-2])


def all_finite(tree: Any) -> bool:
    """Whether every tensor in nested dictionaries, lists and tuples has finite values alone."""
    if isinstance(tree, Tensor):
        return bool(tree.isfinite().all())
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return all(all_finite(part) for part in parts)


def _check_tensor(value: Any, name: str, shape: Sequence[int] | None, like: Any) -> None:
    """A tensor of floating numbers; of the shape, and on the device of `like`, the record's first."""
    if not isinstance(value, Tensor):
        raise UserError(f"{name} must be a torch tensor, got {type(value).__name__}")
    if value.device.type == "meta":
        raise UserError(f"{name} is a meta tensor: it has no values")
    if value.dtype not in (torch.float32, torch.float64):
        raise UserError(f"{name} must be of floating numbers, float32, got {value.dtype}")
    if shape is not None and list(value.shape) != list(shape):
        raise UserError(f"{name} must be {list(shape)}, got {list(value.shape)}")
    if value.device != like.device:
        raise UserError(f"{name} is on {value.device}, other tensors are on {like.device}: move them to one device")


def _check_finite(value: Tensor, name: str) -> None:
    if not bool(value.isfinite().all()):
        raise UserError(f"{name} holds {int((~value.isfinite()).sum())} values that are not finite")


def _check_range(value: Tensor, name: str, needed: str) -> None:
    if value.numel() == 0:
        return
    low, high = value.detach().aminmax()  # either is nan where any value is
    if not bool((low - high).isfinite()):
        _check_finite(value, name)
    if low < -_BEYOND or high > 1 + _BEYOND:
        raise UserError(f"{name} must be {needed}, got {_span(value)}")


def _span(value: Tensor) -> str:
    return f"values from {float(value.min()):.4g} to {float(value.max()):.4g}"


def _first(wrong: Tensor) -> int:
    """The number of the first camera of its scene that something is wrong with."""
    return int(wrong.nonzero()[0, -1]) if wrong.ndim else 0


def _matrix(matrices: Tensor, wrong: Tensor) -> list[list[float]]:
    return matrices[tuple(wrong.nonzero()[0])].tolist()
