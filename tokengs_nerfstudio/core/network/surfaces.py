"""Surfaces: how far away what each context photo shows is, and Gaussians drawn to it.

Ours. A plane sweep has candidates for every pixel's depth, the encoder knows what it looks at: together they say a
depth. Tokens still put their Gaussians wherever they like; a Gaussian before or behind what a photo shows at its place
may then slide along that photo's ray.
"""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from tokengs_nerfstudio.core.network.layers import doubted
from tokengs_nerfstudio.core.network.memory import Surfaces
from tokengs_nerfstudio.core.network.photo_colors import places
from tokengs_nerfstudio.core.network.sweep import DEPTHS, SHRINK, TEMPERATURE, ladder
from tokengs_nerfstudio.core.types import Views

_CHANNELS = 8
"""of each small pixel: what the encoder is told of its costs, and what its features become"""
_HIDDEN = 32
_LEAST_LOGIT = -10.0
_LEAST_SPREAD = 0.03
_FIRST_STAYING = 2.0
_DOUBT_UNIT = 4.0
_LONGEST_SLIDE = 3.0
_NEAREST = 1e-3
_NOT_SEEN = -1e4


class SurfaceHead(nn.Module):
    """Depths from the costs of a plane sweep and the encoder's features.

    Convolutions correct the logits that the costs are; depth and spread are moments of their softmax over the ladder.
    """

    def __init__(self, width: int, patch_size: int) -> None:
        super().__init__()
        self.side = patch_size // SHRINK
        self.reduce = nn.Linear(DEPTHS, _CHANNELS)
        self.embedding = nn.Linear(_CHANNELS * self.side**2, width)
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, _CHANNELS * self.side**2)
        self.mix = nn.Conv2d(DEPTHS + _CHANNELS, _HIDDEN, 3, padding=1)
        self.spread = nn.Conv2d(_HIDDEN, _HIDDEN, 3, padding=2, dilation=2)
        self.correct = nn.Conv2d(_HIDDEN, DEPTHS, 3, padding=1)
        for last in (self.embedding, self.correct):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def embedded(self, costs: Float[Tensor, "batch view depth rows columns"]) -> Float[Tensor, "batch view patch dim"]:
        """What the encoder's patches are told of the costs; nothing before training."""
        reduced = F.gelu(self.reduce((cost_logits(costs) / -_LEAST_LOGIT).movedim(2, -1)))
        return self.embedding(rearrange(reduced, "b v (r p) (c q) k -> b v (r c) (k p q)", p=self.side, q=self.side))

    def forward(
        self, features: Float[Tensor, "batch memory dim"], costs: Float[Tensor, "batch view depth rows columns"]
    ) -> Surfaces:
        """`features` of the encoder, the patches of all views one after another; `costs` as `sweep_costs` gives them.

        Before training the depths are those of the sweep alone.
        """
        views, rows = costs.shape[1], costs.shape[3]
        patches = self.project(self.norm(features))
        shape = {"v": views, "r": rows // self.side, "p": self.side, "q": self.side}
        known = rearrange(patches, "b (v r c) (k p q) -> (b v) k (r p) (c q)", **shape)
        # Depths are geometry: they keep the precision of the parameters.
        with torch.autocast(costs.device.type, enabled=False):
            logits = cost_logits(costs).flatten(0, 1)
            mixed = F.gelu(self.mix(torch.cat([logits / -_LEAST_LOGIT, known.to(logits.dtype)], dim=1)))
            logits = logits + self.correct(F.gelu(mixed + self.spread(mixed)))
            share, steps = logits.softmax(1), ladder(costs)[:, None, None]
            mean = (share * steps).sum(1)
            variance = (share * (steps - mean[:, None]).square()).sum(1)
            shaped = (-1, views)
            return Surfaces(mean.unflatten(0, shaped), (variance + _LEAST_SPREAD**2).sqrt().unflatten(0, shaped))


class SurfacePull(nn.Module):
    """Draws Gaussians to the surfaces that the context photos show where they are.

    Each view that sees a Gaussian proposes the point of its ray that lies on the surface there. What happens is a mean
    of the proposals and of staying, with softmax weights: a view's logit falls with the spread of its depth and with
    how far its surface is away (in logarithms), that of staying is a linear function of the token. With `timed` it
    falls with how far a view is in time, too.
    """

    def __init__(self, width: int, gaussians_per_token: int, timed: bool = False) -> None:
        super().__init__()
        self.stay = nn.Linear(width, gaussians_per_token)
        self.doubts = nn.Parameter(torch.full((2,), 0.5))
        self.time_doubt = nn.Parameter(torch.zeros(())) if timed else None
        nn.init.zeros_(self.stay.weight)
        nn.init.constant_(self.stay.bias, _FIRST_STAYING)

    def forward(
        self,
        means: Float[Tensor, "batch gaussian 3"],
        tokens: Float[Tensor, "batch token dim"],
        photos: Views,
        surfaces: Surfaces,
        apart: Float[Tensor, "batch view gaussian"] | None = None,
    ) -> Float[Tensor, "batch gaussian 3"]:
        """The drawn means; means and the photos' cameras in one frame, surfaces those of the photos.

        `apart`: how far each photo is in time, if anything moves.
        """
        with torch.autocast(tokens.device.type, enabled=False):
            stay = self.stay(tokens.to(self.stay.weight.dtype)).flatten(1)
            ways = means[:, None] - photos.c2w[..., None, :3, 3]
            seen, change, spread = proposals(ways, photos, surfaces)
            of_spread, of_change = _DOUBT_UNIT * F.softplus(self.doubts)
            logits = -doubted(of_spread * spread + of_change * change.abs(), self.time_doubt, apart)
            logits = torch.where(seen, logits, _NOT_SEEN)
            weights = torch.cat([logits, stay[:, None]], dim=1).softmax(dim=1)[:, :-1]
            slide = weights * change.clamp(-_LONGEST_SLIDE, _LONGEST_SLIDE).expm1()
            return means + (slide[..., None] * ways).sum(1)


def cost_logits(
    costs: Float[Tensor, "batch view depth rows columns"],
) -> Float[Tensor, "batch view depth rows columns"]:
    """Logits of the depths: 0 for the cheapest one, -10 for all that are out of the question."""
    logits = costs / -TEMPERATURE
    return (logits - logits.amax(2, keepdim=True)).clamp(min=_LEAST_LOGIT)


def proposals(
    ways: Float[Tensor, "batch view point 3"], photos: Views, surfaces: Surfaces
) -> tuple[Bool[Tensor, "batch view point"], Float[Tensor, "batch view point"], Float[Tensor, "batch view point"]]:
    """For points at `ways` from the cameras: who sees them, ln(depth of the surface there / own depth), its spread."""
    seen, depth, grid = places(ways, photos)
    maps = torch.stack([surfaces.log_depths, surfaces.spreads], dim=2).flatten(0, 1)
    grid = grid.detach().flatten(0, 1)[:, :, None]
    # Nearest: between a near pixel and a far one there is no surface.
    found = F.grid_sample(maps, grid, mode="nearest", padding_mode="border", align_corners=False)
    log_depth, spread = found[..., 0].unflatten(0, seen.shape[:2]).unbind(2)
    return seen, log_depth - depth.log(), spread


def surface_error(surfaces: Surfaces, depths: Float[Tensor, "*batch view 1 height width"]) -> Float[Tensor, "*batch"]:
    """How unlikely exact z-depths are, per scene: mean of |ln d - ln d'| / spread + ln spread where they are above 0.

    The negative logarithm of a Laplace distribution, up to a constant; may be negative.
    """
    exact = depths[..., 0, ::SHRINK, ::SHRINK]
    known = exact > 0
    difference = (surfaces.log_depths - exact.clamp(min=_NEAREST).log()).abs()
    unlikely = difference / surfaces.spreads + surfaces.spreads.log()
    total = torch.where(known, unlikely, torch.zeros_like(unlikely)).flatten(-3).sum(-1)
    return total / known.flatten(-3).sum(-1).clamp(min=1)
