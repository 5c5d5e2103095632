"""Surfaces: how far away what each context photo shows is, and Gaussians drawn to it.

Ours. A plane sweep has candidates for every pixel's depth, the encoder knows what it looks at: together they say a
depth. Tokens still put their Gaussians wherever they like; a Gaussian before or behind what a photo shows at its place
may then slide along that photo's ray.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tokengs_nerfstudio.core.network.sweep import DEPTHS, SHRINK, TEMPERATURE, ladder
from tokengs_nerfstudio.core.types import Surfaces, Views

_OF_PATCH = 8
_HIDDEN = 32
_FAR_OFF = 10.0
_LARGEST = 3.0
_LEAST_SPREAD = 0.03
_NEAREST = 1e-3
_NOT_SEEN = -1e4


def surface_error(surfaces: Surfaces, depths: Float[Tensor, "*batch view 1 height width"]) -> Float[Tensor, "*batch"]:
    """Negative log-likelihood (Laplace, up to constants) of exact depths per scene, where these are above 0."""
    exact = depths[..., 0, ::SHRINK, ::SHRINK]
    known = exact > 0
    difference = (surfaces.log_depths - exact.clamp(min=_NEAREST).log()).abs()
    unlikely = difference / surfaces.spreads + surfaces.spreads.log()
    total = torch.where(known, unlikely, torch.zeros_like(unlikely)).flatten(-3).sum(-1)
    return total / known.flatten(-3).sum(-1).clamp(min=1)


def cost_logits(
    costs: Float[Tensor, "batch view depth rows columns"],
) -> Float[Tensor, "batch view depth rows columns"]:
    """Logits of the depths by the costs of a sweep: 0 for the best one, never below -10."""
    logits = costs / -TEMPERATURE
    return (logits - logits.amax(2, keepdim=True)).clamp(min=-_FAR_OFF)


class SurfaceHead(nn.Module):
    """Depths from the costs of a plane sweep and the encoder's features.

    Two convolutions correct the logits that the costs are; depth and spread are moments of their softmax.
    """

    def __init__(self, width: int, patch_size: int) -> None:
        super().__init__()
        self.side = patch_size // SHRINK
        self.embedding = nn.Linear(DEPTHS * self.side**2, width)
        nn.init.zeros_(self.embedding.weight)
        nn.init.zeros_(self.embedding.bias)
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, _OF_PATCH * self.side**2)
        self.mix = nn.Conv2d(DEPTHS + _OF_PATCH, _HIDDEN, 3, padding=1)
        self.spread = nn.Conv2d(_HIDDEN, _HIDDEN, 3, padding=2, dilation=2)
        self.correct = nn.Conv2d(_HIDDEN, DEPTHS, 3, padding=1)
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)

    def told(self, costs: Float[Tensor, "batch view depth rows columns"]) -> Float[Tensor, "batch view patch dim"]:
        """What the encoder's patches are told of the costs."""
        with torch.autocast(costs.device.type, enabled=False):
            patches = rearrange(
                cost_logits(costs) / _FAR_OFF, "b v d (r p) (c q) -> b v (r c) (d p q)", p=self.side, q=self.side
            )
            return self.embedding(patches)

    def forward(
        self,
        features: Float[Tensor, "batch memory dim"],
        costs: Float[Tensor, "batch view depth rows columns"],
    ) -> Surfaces:
        """`features` of the encoder, patches of all views one after another; `costs` as `sweep` has them."""
        batch, views, _, rows, columns = costs.shape
        told = self.project(self.norm(features)).unflatten(1, (views, rows // self.side, columns // self.side))
        told = told.flatten(0, 1).permute(0, 3, 1, 2)
        with torch.autocast(features.device.type, enabled=False):
            logits = cost_logits(costs).flatten(0, 1)
            seen = torch.cat([logits / _FAR_OFF, F.pixel_shuffle(told.to(logits.dtype), self.side)], dim=1)
            mixed = F.gelu(self.mix(seen))
            logits = logits + self.correct(F.gelu(mixed + self.spread(mixed)))
            share, steps = logits.softmax(1), ladder(costs)[:, None, None]
            mean = (share * steps).sum(1)
            spread = ((share * (steps - mean[:, None]).square()).sum(1) + _LEAST_SPREAD**2).sqrt()
            return Surfaces(mean.unflatten(0, (batch, views)), spread.unflatten(0, (batch, views)))


class SurfacePull(nn.Module):
    """Draws Gaussians to the surfaces that the context photos show where they are.

    Each view that sees a Gaussian proposes the point of its ray that lies on the surface there. What happens is a mean
    of the proposals and of staying, with softmax weights: a view's logit falls with the spread of its depth and with
    how far its surface is away (in logarithms), that of staying is a linear function of the token.
    """

    def __init__(self, width: int, gaussians_per_token: int) -> None:
        super().__init__()
        self.stay = nn.Linear(width, gaussians_per_token)
        self.doubts = nn.Parameter(torch.tensor([0.5, 0.5]))
        nn.init.zeros_(self.stay.weight)
        nn.init.constant_(self.stay.bias, 2.0)

    def forward(
        self,
        means: Float[Tensor, "batch gaussian 3"],
        tokens: Float[Tensor, "batch token dim"],
        photos: Views,
        surfaces: Surfaces,
    ) -> Float[Tensor, "batch gaussian 3"]:
        """The drawn means, in the frame of means and cameras."""
        with torch.autocast(tokens.device.type, enabled=False):
            stay = self.stay(tokens.to(self.stay.weight.dtype)).flatten(1)
            of_spread, of_distance = F.softplus(self.doubts).mul(4.0)
            rotation, position = photos.c2w[..., :3, :3], photos.c2w[..., :3, 3]
            ways = means[:, None] - position[:, :, None]
            own = ways @ rotation
            depth = own[..., 2].clamp(min=_NEAREST)
            grid = (own @ photos.intrinsics.mT)[..., :2] / depth[..., None]
            grid = 2.0 * grid.detach() / grid.new_tensor([photos.width, photos.height]) - 1.0
            seen = (own[..., 2] > _NEAREST) & (grid.abs() < 1.0).all(-1)
            maps = torch.stack([surfaces.log_depths, surfaces.spreads], dim=2).flatten(0, 1)
            # Nearest: between a near and a far pixel there is nothing.
            there = F.grid_sample(maps, grid.clamp(-1.0, 1.0).flatten(0, 1)[:, :, None], "nearest", "border", False)
            there = there[..., 0].unflatten(0, means.shape[:1] + seen.shape[1:2])
            log_depth, spread = there[:, :, 0], there[:, :, 1]
            change = log_depth - depth.log()
            logits = -of_spread * spread - of_distance * change.abs()
            logits = torch.where(seen, logits, logits.new_tensor(_NOT_SEEN))
            weights = torch.cat([logits, stay[:, None]], dim=1).softmax(dim=1)[:, :-1]
            slide = weights * change.clamp(-_LARGEST, _LARGEST).expm1()
            return means + (slide[..., None] * ways).sum(1)
