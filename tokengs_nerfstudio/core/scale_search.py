"""The canonical frame of a capture in unknown units, for weights that were trained on data of one fixed unit.

Such weights know how large a scene is in their own data's units, which says nothing about another capture. So the
scale is searched: the scene is reconstructed at each size of a ladder, and the size whose renders match the context
photos best is kept. The sizes are relative to the cameras' baseline, so the capture's own units cancel.

Which size is best shows in photos of half the side as well, and in every second size with those beside the best of
them, at a fraction of the cost: on 16 procedural scenes and three captures the sizes so chosen were at most 0.02 dB
below the best (`tiny`, two trainings of it). Fewer tokens did not do: a quarter of them leaves holes, favours small
scenes, and cost up to 0.8 dB.
"""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.evaluation import view_psnr
from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.geometry.turntable import object_size
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.types import Example, Similarity, Views

LADDER = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Largest distance between two context cameras, in units of the canonical frame."""

_SEARCHED = ("constant", "pointmap")
# As many as any published weights were trained with.
_SEARCH_VIEWS = 6

_log = logging.getLogger(__name__)


def needs_search(network: TokenGSNetwork) -> bool:
    """Whether the network's scale rule depends on units or depth that a capture does not tell."""
    return network.config.scale in _SEARCHED


@torch.no_grad()
def choose_scale(network: TokenGSNetwork, context: Views, ladder: Sequence[float] = LADDER) -> Similarity:
    """World -> canonical for a network and its context views (one scene, world frame, a size the network takes).

    For weights whose scale follows from the cameras this is their own canonical frame. For those of an object on a
    turntable the scale follows from how large the cut-out photos show it. For other weights of a constant or point-map
    scale, each size that is tried costs one pass of a few reduced photos through the network and their render. With a
    single camera, or cameras in one place, there is no baseline and the sizes multiply the capture's units instead.

    Raises ValueError for an empty ladder or sizes that are not positive.
    """
    config = network.config
    if not needs_search(network):
        return config.rule.of(context.c2w)
    if config.frame == "orbit":
        return canonical_frame(context.c2w, "orbit", "constant", config.scale_value / object_size(context))
    if not ladder or min(ladder) <= 0:
        raise UserError(f"the ladder of scene sizes needs positive numbers, got {tuple(ladder)}")
    frames = {size: canonical_frame(context.c2w, config.frame, "max_baseline", size) for size in sorted(ladder)}
    looked_at = _reduced(context, config.patch_size)
    scores = _searched(list(frames), lambda size: _context_psnr(network, looked_at, frames[size]))
    best = max(scores, key=scores.__getitem__)
    tried = ", ".join(f"{size:g}: {scores[size]:.2f}" for size in sorted(scores))
    _log.info("scene scale: camera baseline %g of the ladder (context PSNR %s)", best, tried)
    return frames[best]


def _searched(sizes: list[float], score: Callable[[float], float]) -> dict[float, float]:
    """Scores of every second size, and of those beside the best of them."""
    scores = {size: score(size) for size in (sizes[1::2] or sizes)}
    best = sizes.index(max(scores, key=scores.__getitem__))
    beside = sizes[max(best - 1, 0) : best + 2]
    return scores | {size: score(size) for size in beside if size not in scores}


def _reduced(context: Views, patch: int) -> Views:
    """A few of the views, evenly chosen, at half their side; both sides stay multiples of the patch."""
    count = min(context.num_views, _SEARCH_VIEWS)
    chosen = torch.linspace(0, context.num_views - 1, count).round().long()
    height, width = (max(1, round(side / (2 * patch))) * patch for side in (context.height, context.width))
    return crop_and_resize(context.select(chosen), height, width)


def _context_psnr(network: TokenGSNetwork, context: Views, frame: Similarity) -> float:
    """PSNR of the context photos in dB, rendered from the scene reconstructed in `frame`; -inf where it is broken."""
    views = frame.views(context).unsqueeze()
    memory = network.encode(views)
    groups: list[slice | Tensor] = [slice(None)]
    if network.config.time_channels and views.times is not None:
        groups = [(views.times[0] == time).nonzero()[:, 0] for time in views.times[0].unique()]
    scores = []
    for group in groups:
        shown = views.select(group)
        splats = network.decode(memory, time=None if shown.times is None else shown.times[:, 0])
        scores.append(view_psnr(splats, shown, network.config.rendering(Example(views, shown))).flatten())
    return torch.cat(scores).nan_to_num(nan=-torch.inf).mean().item()
