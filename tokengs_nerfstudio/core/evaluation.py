"""Rendered beside true: the only place where the two meet to be scored."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.metrics import lpips, psnr, ssim
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig, Views


@dataclass(frozen=True)
class Scores:
    """How near pictures come to photos, one value for each of them."""

    psnr: Float[Tensor, "*image"]
    """dB"""
    ssim: Float[Tensor, "*image"]
    """by scikit-image's definition"""
    lpips: Float[Tensor, "*image"] | None = None
    """None where its weights are not at hand"""

    def means(self) -> dict[str, float]:
        """The mean of each score that is known."""
        return {name: float(value.mean()) for name, value in vars(self).items() if value is not None}


@torch.no_grad()
def shown(splats: Gaussians, views: Views, rendering: RenderConfig) -> Float[Tensor, "*batch view 3 height width"]:
    """The views as the Gaussians show them."""
    return render_cameras(splats, views.cameras, rendering, depth=False).rgb.to(views.images.dtype)


def view_psnr(splats: Gaussians, views: Views, rendering: RenderConfig) -> Float[Tensor, "*batch view"]:
    """PSNR in dB of each view as the Gaussians show it."""
    return psnr(shown(splats, views, rendering), views.images)


def score(
    pictures: Float[Tensor, "*image 3 height width"],
    photos: Float[Tensor, "*image 3 height width"],
    lpips_network: str = "alex",
) -> Scores:
    """All scores of pictures against photos of at least 11x11 pixels, colours cut to [0, 1]; LPIPS by alex or vgg."""
    return Scores(psnr(pictures, photos), ssim(pictures, photos), lpips(pictures, photos, lpips_network))


def trivial_answers(known: Views, asked: Views) -> dict[str, float]:
    """Mean PSNR in dB over one scene's `asked` views of two answers that need no method.

    The mean colour of the `known` photos, and the known photo that was taken nearest by.
    """
    mean = known.images.mean((0, 2, 3))[:, None, None].expand_as(asked.images)
    nearest = torch.cdist(asked.c2w[:, :3, 3], known.c2w[:, :3, 3]).argmin(dim=1)
    answers = {"mean colour": mean, "nearest photo": known.images[nearest]}
    return {name: float(psnr(pictures, asked.images).mean()) for name, pictures in answers.items()}
