"""New Gaussians where the decoded ones do not show: behind pixels that are wrong, at depths the photos agree on.

A network that meets a capture unlike its training scenes leaves many of its Gaussians where no photo looks. They would
have to fade and be split off from the others before they help; here they are given a new place at once. Of several
depths along a pixel's ray, one is drawn by how well the other photos show the pixel's colour there; what the network
has rendered is one of the candidates.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.tuning.budget import seen_weights
from tokengs_nerfstudio.core.tuning.plane_sweep import disagreement, focus_distance, pixel_ways, small_views
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig, Views

# New ones for each Gaussian of a known point.
_BESIDE = 1 / 3
# A Gaussian that covers less than this share of what one has in the mean, over all views, can be spared.
_SPARED = 0.2
_OPACITY = 0.2
# Seeds are so large that, all at one depth, they would cover every pixel about this many times.
_COVER = 1.5
# Depths tried along a ray, from half to one and a half times the distance of what the cameras look at.
_DEPTHS, _NEAREST, _FARTHEST = 24, 0.5, 1.5
# Colour difference by which a depth becomes e times less likely.
_TEMPERATURE = 0.02
_DEPTH_NOISE = 0.02
# A shell this many times farther than what the cameras look at, for photos whose borders differ so much from grey.
_DOME, _DOME_RADIUS, _GREY, _UNLIKE_GREY = 600, 20.0, 0.5, 0.2


def replacements(
    gaussians: Gaussians,
    views: Views,
    rendering: RenderConfig,
    seed: int,
    impossible: Bool[Tensor, " gaussian"] | None = None,
    known: int = 0,
) -> tuple[Bool[Tensor, " gaussian"], Gaussians]:
    """Which Gaussians the views would not miss, the `impossible` ones among them, and as many new ones for them.

    Where the photos' borders are far from grey, some of the new ones are a far dome in their colour.
    So many fewer come where others, of `known` places, are to stand there; the dome stays.
    No new one comes from a masked pixel, nor from one that shows nothing; cut-out photos have no dome around them.
    """
    weights = seen_weights(gaussians, views, rendering)
    if impossible is not None:
        weights = weights.where(~impossible, 0.0)
    dropped = weights <= _SPARED * weights.mean()
    masks = small_views(views).masks
    if masks is not None and not masks.any():
        return torch.zeros_like(dropped), gaussians.select(slice(0, 0))
    count, generator = int(dropped.sum()), torch.Generator().manual_seed(seed)
    far = dome(views)
    if count < 2 * far.count or not _wanted(far, views):
        return dropped, seeds(gaussians, views, max(count - known, 0), rendering, generator)
    new = seeds(gaussians, views, max(count - far.count - known, 0), rendering, generator)
    return dropped, Gaussians.cat([new, far])


def surroundings(points: Gaussians, views: Views, rendering: RenderConfig, seed: int) -> Gaussians:
    """What stands beside Gaussians of known points where nothing else does: a third as many behind pixels that these
    leave wrong, and the dome, if any."""
    generator = torch.Generator().manual_seed(seed)
    new, far = seeds(points, views, math.ceil(_BESIDE * points.count), rendering, generator), dome(views)
    return Gaussians.cat([new, far]) if _wanted(far, views) else new


def _wanted(far: Gaussians, views: Views) -> bool:
    """Whether the photos have borders that the dome is needed for."""
    return not views.cut_out and float((far.colors[0] - _GREY).abs().max()) >= _UNLIKE_GREY


def dome(views: Views) -> Gaussians:
    """A closed shell far around the cameras, in the median colour of the photos' borders.

    Directions that no photo shows would else be what the weights or somebody else's viewer put behind the Gaussians, in
    a capture before black cloth too.
    """
    small = small_views(views)
    # Not a number where masked: left out of the median below.
    images = small.images if small.masks is None else small.images.where(small.masks > 0, torch.nan)
    rim = max(1, min(images.shape[-2:]) // 10)
    edges = torch.cat([images[..., :rim].flatten(2), images[..., -rim:].flatten(2), images[..., :rim, :].flatten(2)], 2)
    color = edges.movedim(1, -1).reshape(-1, 3).nanmedian(0).values.nan_to_num(0.5)
    # Points of equal area on a sphere (Fibonacci lattice).
    step = (torch.arange(_DOME).to(color) + 0.5) / _DOME
    angle, height = math.pi * (1 + 5**0.5) * torch.arange(_DOME).to(color), 1 - 2 * step
    across = (1 - height * height).sqrt()
    centers = views.c2w[:, :3, 3]
    radius = _DOME_RADIUS * focus_distance(views.c2w)
    directions = torch.stack([across * angle.cos(), across * angle.sin(), height], dim=-1)
    quats = torch.tensor([1.0, 0.0, 0.0, 0.0]).to(color).repeat(_DOME, 1)
    scales = torch.full_like(directions, radius * (4 * math.pi / _DOME) ** 0.5)
    opacities = torch.full_like(step, 0.95)
    return Gaussians(centers.mean(0) + radius * directions, quats, scales, opacities, color.repeat(_DOME, 1))


@torch.no_grad()
def seeds(
    gaussians: Gaussians, views: Views, count: int, rendering: RenderConfig, generator: torch.Generator
) -> Gaussians:
    """`count` Gaussians in the true colours of pixels that are drawn by how wrong they are rendered."""
    views = small_views(views)
    renders = render_cameras(gaussians, views.cameras, rendering)
    assert renders.depth is not None  # asked for by default
    chance = (renders.rgb - views.images).abs().mean(1) + 0.01
    chance = (chance if views.masks is None else chance * views.masks[:, 0]).flatten().cpu()
    index = torch.multinomial(chance, max(count, 1), replacement=True, generator=generator)[:count]
    index = index.to(views.images.device)
    span = torch.linspace(_NEAREST, _FARTHEST, _DEPTHS).to(views.images)
    candidates = focus_distance(views.c2w) * span.expand(count, _DEPTHS)
    candidates = torch.cat([candidates, renders.depth.flatten()[index, None]], dim=1).clamp(min=2 * rendering.near)
    cost = disagreement(views, index, candidates)
    chosen = torch.multinomial((-cost / _TEMPERATURE).softmax(-1).cpu(), 1, generator=generator).to(index.device)
    depth = candidates.gather(1, chosen)[:, 0]
    depth = depth * (1 + _DEPTH_NOISE * torch.randn(count, generator=generator).to(depth))
    return _behind_pixels(views, index, depth, generator)


def random_gaussians(views: Views, count: int, seed: int) -> Gaussians:
    """`count` Gaussians behind random pixels of what is shown, at random depths about the point the cameras look at."""
    generator = torch.Generator().manual_seed(seed)
    shown = torch.ones_like(views.images[:, :1]) if views.shown is None else views.shown
    valid = shown.flatten().nonzero()[:, 0]
    index = valid[torch.randint(len(valid), (count,), generator=generator).to(valid.device)]
    depth = _NEAREST + (_FARTHEST - _NEAREST) * torch.rand(count, generator=generator).to(views.images)
    return _behind_pixels(views, index, focus_distance(views.c2w) * depth, generator)


def _behind_pixels(
    views: Views, index: Int[Tensor, " seed"], depth: Float[Tensor, " seed"], generator: torch.Generator
) -> Gaussians:
    """Round Gaussians at z-depth `depth` behind the pixels `index` of all views, as large as their share of a view."""
    pixels, count = views.height * views.width, len(index)
    origins, per_depth = pixel_ways(views, index)
    scales = _COVER * (pixels / max(count, 1)) ** 0.5 * depth / views.intrinsics[index // pixels, 0, 0]
    return Gaussians(
        means=origins + per_depth * depth[:, None],
        quats=F.normalize(torch.randn(count, 4, generator=generator).to(depth), dim=-1),
        scales=scales[:, None].expand(-1, 3),
        opacities=torch.full_like(depth, _OPACITY),
        colors=views.images.movedim(1, -1).reshape(-1, 3)[index],
    )
