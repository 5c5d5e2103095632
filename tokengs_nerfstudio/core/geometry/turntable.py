"""An object and cameras around it: where it is, and how large."""

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Views

# Cameras look at one point if it lies before them by more than this share of how far they are apart.
_LEAST_AHEAD = 0.1
_PARALLEL_AXES = 1e-4
# Opacity from which a pixel shows the object.
_SHOWN = 0.5


def focus_point(c2w: Float[Tensor, "*batch view 4 4"]) -> Float[Tensor, "*batch 3"]:
    """The point nearest to all cameras' axes (least squares); of a line of them, the one nearest to the origin."""
    axes, centers = c2w[..., :3, 2], c2w[..., :3, 3]
    eye = torch.eye(3, dtype=c2w.dtype, device=c2w.device)
    across = eye - axes[..., :, None] * axes[..., None, :]
    system = across.sum(-3) + _PARALLEL_AXES * eye
    return torch.linalg.solve(system, (across @ centers[..., None]).sum(-3))[..., 0]


def object_center(c2w: Float[Tensor, "*batch view 4 4"]) -> Float[Tensor, "*batch 3"]:
    """Where the cameras look; UserError where they do not look at one point before them."""
    axes, centers = c2w[..., :3, 2], c2w[..., :3, 3]
    middle = centers.mean(-2, keepdim=True)
    near = c2w.clone()
    near[..., :3, 3] = centers - middle
    center = focus_point(near) + middle[..., 0, :]
    ahead = ((center[..., None, :] - centers) * axes).sum(-1).median(-1).values
    apart = (centers - middle).norm(dim=-1).amax(-1)
    if not bool((ahead > _LEAST_AHEAD * apart).all()):
        raise UserError(
            "these weights are for an object that was photographed from around it, but the context cameras do not look "
            "at one point: choose others, or take other weights"
        )
    return center


def object_size(views: Views) -> float:
    """The longest side of what cut-out views of one scene show, along the axes of any picture, in the cameras' units.

    At the depth of `object_center`. An object in opaque photos counts as large as the shorter sides of these. UserError
    where no view shows anything.
    """
    away = object_center(views.c2w) - views.c2w[:, :3, 3]
    depth = einsum(away, views.c2w[:, :3, 2], "view i, view i -> view")
    per_pixel = depth[:, None] / views.intrinsics.diagonal(dim1=-2, dim2=-1)[:, :2]
    if views.alphas is None:
        return float((per_pixel * per_pixel.new_tensor([views.width, views.height])).amin(-1).amax())
    shown = views.alphas[:, 0] > _SHOWN
    sides = torch.stack([_span(shown.any(-2)), _span(shown.any(-1))], dim=-1)
    size = float((per_pixel * sides).amax())
    if not size > 0:
        raise UserError("no context photo shows anything of the object: all of it is cut away or masked")
    return size


def _span(lines: Tensor) -> Tensor:
    """From the first to the last line [view line] that shows something, these two included; 0 where none does."""
    count = lines.shape[-1]
    ones = lines.to(torch.int8)
    first, last = ones.argmax(-1), count - ones.flip(-1).argmax(-1)
    return torch.where(lines.any(-1), last - first, 0)
