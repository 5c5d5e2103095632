"""How what pictures show moves: displacements of Gaussians, drawn as colours are.

A pixel's flow is the mean of the displacements of the Gaussians it shows, weighted as their colours are (alpha
blending) and divided by the weights' sum, so that it does not fade with opacity. A Gaussian is displaced as its centre
is: what it turns about that does not count.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.records import TensorRecord
from tokengs_nerfstudio.core.rendering.render import Backend, render_cameras
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig

# Pixels of flow, as a share of the longer side, whose colour is (1 - 1/e) of the way to the strongest.
_LIVELY = 0.02


@dataclass(frozen=True)
class Flow(TensorRecord):
    """How what the views show moves from one time to another while the cameras stand still; 0 where nothing is."""

    displacement: Float[Tensor, "view 3 height width"]
    """in the frame of the Gaussians"""
    pixels: Float[Tensor, "view 2 height width"]
    """to the right and down, in pixels"""


@torch.no_grad()
def render_flow(
    splats: Gaussians,
    displacement: Float[Tensor, "gaussian 3"],
    cameras: Cameras,
    config: RenderConfig,
    backend: Backend = "auto",
) -> Flow:
    """The flow of one scene's Gaussians, as they are at the time that is shown, whose centres move by `displacement`.

    What comes to lie before a camera's near plane, or behind it, has no flow in pixels there.
    """
    fields = [render_mean(splats, displacement, cameras, config, backend)]
    for view in range(len(cameras.c2w)):
        one = cameras[view : view + 1]
        across = pixel_displacement(splats.means, displacement, one, config.near)[0]
        fields.append(render_mean(splats, torch.nn.functional.pad(across, (0, 1)), one, config, backend)[:, :2])
    return Flow(fields[0], torch.cat(fields[1:]))


def render_mean(
    splats: Gaussians,
    values: Float[Tensor, "gaussian 3"],
    cameras: Cameras,
    config: RenderConfig,
    backend: Backend = "auto",
) -> Float[Tensor, "view 3 height width"]:
    """Values of Gaussians, of any size and sign, as the mean over what each pixel shows; 0 where nothing is."""
    valued = replace(splats, colors=values.to(splats.colors), harmonics=None)
    renders = render_cameras(valued, cameras, replace(config, background=0.0), depth=False, backend=backend)
    return torch.where(renders.alpha > 0, renders.rgb / renders.alpha.clamp(min=1e-6), 0.0)


def pixel_displacement(
    points: Float[Tensor, "point 3"], displacement: Float[Tensor, "point 3"], cameras: Cameras, near: float = 0.0
) -> Float[Tensor, "view point 2"]:
    """How far points move in the pictures of cameras, in pixels; 0 for what is not before both near planes."""
    (start, depth), (end, other) = (
        project(some, cameras.c2w, cameras.intrinsics) for some in (points, points + displacement)
    )
    seen = (depth > near) & (other > near)
    return torch.where(seen[..., None], end - start, 0.0)


def flow_colors(
    pixels: Float[Tensor, "*batch 2 height width"], longer_side: int | None = None
) -> Float[Tensor, "*batch 3 height width"]:
    """Flow as colours: the hue is the direction, white is no flow.

    Red to the right, yellowish green down, cyan to the left, violet up. How strong a colour is depends on the way as a
    share of the picture's longer side (`longer_side` pixels, for what is a part of a picture): on one scale for all.
    """
    side = max(pixels.shape[-2:]) if longer_side is None else longer_side
    x, y = pixels.unbind(-3)
    strength = 1 - torch.exp(-torch.hypot(x, y) / (_LIVELY * side))
    return hue_colors(torch.atan2(y, x) / (2 * torch.pi), strength).movedim(-1, -3)


def hue_colors(hue: Float[Tensor, "*batch"], strength: float | Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3"]:
    """Bright colours: red at every whole `hue`, green a third later; `strength` from 0 (white) to 1."""
    wave = ((hue % 1.0)[..., None] * 6 + hue.new_tensor([5.0, 3.0, 1.0])) % 6
    strength = torch.as_tensor(strength, dtype=hue.dtype, device=hue.device)
    return 1 - strength[..., None] * torch.minimum(wave, 4 - wave).clamp(0, 1)
