"""Colours looked up in the photos: each Gaussian wears what the context views show at its place.

Ours. The decoder says where Gaussians are and about which colour they have; the photos know the colour itself.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from tokengs_nerfstudio.core.constants import constant
from tokengs_nerfstudio.core.network.layers import doubted
from tokengs_nerfstudio.core.types import Views

SHARPNESS_UNIT = 20.0
"""How strongly a view whose colour differs is doubted, for a parameter of one; squared colour distances are up to 3."""
_NEAREST = 1e-3
_NOT_SEEN = -1e4


class PhotoColors(nn.Module):
    """Blends the decoded colour of each Gaussian with the colours of the photos where it is seen.

    Weights are a softmax over the views that see it and the decoded colour: a view's logit is -sharpness |difference of
    its colour from the decoded one|^2, the decoded colour's is a linear function of the token. So views before which
    something else stands are outvoted by what the token expects, and what no view sees keeps the decoded colour. With
    `timed` views are doubted by how far they are in time, too.
    """

    def __init__(self, width: int, gaussians_per_token: int, timed: bool = False) -> None:
        super().__init__()
        self.gate = nn.Linear(width, gaussians_per_token)
        self.sharpness = nn.Parameter(torch.zeros(()))
        self.time_doubt = nn.Parameter(torch.zeros(())) if timed else None
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(
        self,
        colors: Float[Tensor, "batch gaussian 3"],
        means: Float[Tensor, "batch gaussian 3"],
        tokens: Float[Tensor, "batch token dim"],
        photos: Views,
        apart: Float[Tensor, "batch view gaussian"] | None = None,
    ) -> Float[Tensor, "batch gaussian 3"]:
        """The blended colours of Gaussians at `means`; photos [batch view], means and cameras in one frame.

        `apart`: how far each photo is in time, if anything moves.
        """
        with torch.autocast(tokens.device.type, enabled=False):
            decoded = self.gate(tokens.to(self.gate.weight.dtype)).flatten(1)
            seen, colours = photo_colors(means, photos)
            sharpness = SHARPNESS_UNIT * F.softplus(self.sharpness)
            doubt = doubted(sharpness * (colours - colors[:, None]).square().sum(-1), self.time_doubt, apart)
            logits = torch.where(seen, -doubt, _NOT_SEEN)
            weights = torch.cat([logits, decoded[:, None]], dim=1).softmax(dim=1)[..., None]
            return (weights * torch.cat([colours, colors[:, None]], dim=1)).sum(1)


def photo_colors(
    points: Float[Tensor, "batch point 3"], photos: Views
) -> tuple[Bool[Tensor, "batch view point"], Float[Tensor, "batch view point 3"]]:
    """Which views have each point before them and within their picture, and the colour there (bilinear)."""
    seen, _, grid = places(points[:, None] - photos.c2w[..., None, :3, 3], photos)
    flat = F.grid_sample(
        photos.images.flatten(0, 1), grid.flatten(0, 1)[:, :, None], padding_mode="border", align_corners=False
    )
    return seen, flat[..., 0].mT.unflatten(0, photos.images.shape[:2])


def places(
    ways: Float[Tensor, "batch view point 3"], photos: Views
) -> tuple[Bool[Tensor, "batch view point"], Float[Tensor, "batch view point"], Float[Tensor, "batch view point 2"]]:
    """Where points at `ways` from the cameras are looked up: whether in the picture, z-depth, place in [-1, 1]."""
    own = ways @ photos.c2w[..., :3, :3]
    depth = own[..., 2].clamp(min=_NEAREST)
    pixels = (own @ photos.intrinsics.mT)[..., :2] / depth[..., None]
    grid = 2.0 * pixels / constant([photos.width, photos.height], pixels) - 1.0
    seen = (own[..., 2] > _NEAREST) & (grid.detach().abs() < 1.0).all(-1)
    return seen, depth, grid.clamp(-1.0, 1.0)
