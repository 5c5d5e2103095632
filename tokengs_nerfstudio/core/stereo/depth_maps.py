"""Depths of the pixels of posed photos: PatchMatch stereo (Bleyer et al. 2011) among several views.

Every pixel guesses a plane at random; good guesses spread to the pixels about it on a checkerboard (Galliani et al.
2015), on small photos first, whose planes larger ones begin with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.compiled import run
from tokengs_nerfstudio.core.geometry.nearness import apart
from tokengs_nerfstudio.core.geometry.rays import pixel_points
from tokengs_nerfstudio.core.geometry.resize import level_size, resized
from tokengs_nerfstudio.core.rotation import invert_rigid
from tokengs_nerfstudio.core.types import Views

# Photos that each is compared with; a viewing direction counts so many times as much as a place, in spreads of cameras.
PARTNERS, _DIRECTION = 4, 2.0
# Shorter side of the photos; rounds at that size; by how much planes vary at first, as a share, and less each round.
_SMALL, _LARGE = (64.0, 5, 0.5), (128.0, 3, 0.03)
_CALMER = 0.5
# Nothing is nearer than this share of how far a photo is from its partners.
_NEAREST = 0.05
# Less is nothing, in any unit of length and inverse length.
_TINY = 1e-30
# What photos do not show, and what is masked, is as bright as this.
_GREY = 0.5
_BRIGHTNESS = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class DepthMaps:
    """What photos say of how far away everything is that they show."""

    views: Views
    """the photos, as small as they were looked at"""
    partners: Int[Tensor, "view partner"]
    """which of them each was compared with"""
    planes: Float[Tensor, "view row column 3"]
    """inverse z-depth at a pixel's centre, and its change for a pixel to the right and for one down"""
    costs: Float[Tensor, "view row column"]
    """1 - correlation with what the better half of the partners show, in [0, 2]"""

    @property
    def points(self) -> Float[Tensor, "view 3 row column"]:
        """Where the pixels' surfaces are, in the frame of the cameras; very far where they are infinitely far."""
        depths = 1 / self.planes[..., 0].clamp(min=_TINY)
        return pixel_points(self.views.c2w, self.views.intrinsics, depths[:, None])


def partners(c2w: Float[Tensor, "view 4 4"]) -> Int[Tensor, "view partner"]:
    """For each camera those that are nearest to it and look the same way."""
    return apart(c2w, _DIRECTION).topk(min(PARTNERS, len(c2w) - 1), largest=False).indices


@torch.no_grad()
def depth_maps(views: Views, seed: int) -> DepthMaps:
    """Of two views or more, on the CPU whatever their device; the same to the bit on any number of threads."""
    photos = [_shrunk(views.select([place]), _LARGE[0]) for place in range(views.num_views)]
    small = Views.cat(photos).to("cpu").to(torch.float32)
    others = partners(small.c2w)
    first = Matching.of(_shrunk(small, _SMALL[0]), others, seed)
    planes = first.guessed()
    first.improved(planes, *_SMALL[1:], anew=True)
    matching = Matching.of(small, others, seed + 1000)
    planes = _enlarged(planes, *matching.size)
    costs = matching.improved(planes, *_LARGE[1:], anew=False)
    return DepthMaps(small, others, planes, costs)


def seconds_of_photo(views: Views, clock: Callable[[], float]) -> float:
    """About how long `depth_maps` takes for each of many such photos: from a look at a few small ones."""
    few = views.select(list(range(min(views.num_views, PARTNERS))))
    small = _shrunk(few, _SMALL[0])
    matching = Matching.of(small.to("cpu").to(torch.float32), partners(few.c2w.cpu()), 0)
    planes = matching.guessed()
    matching.assessed(planes)  # compiled, and its memory known
    began = clock()
    matching.assessed(planes)
    looks = sum((1 + rounds * tries) * side**2 for (side, rounds, _), tries in ((_SMALL, 8), (_LARGE, 7)))
    missing = PARTNERS / matching.partners.shape[1]
    return (clock() - began) / few.num_views * looks / _SMALL[0] ** 2 * missing


@dataclass(frozen=True)
class Matching:
    """Photos of one size, and how their pixels lie in each other."""

    pictures: Float[Tensor, "view row column"]
    partners: Int[Tensor, "view partner"]
    turns: Float[Tensor, "view partner 3 3"]
    """from a pixel of a photo to the partner's of what is infinitely far away"""
    shifts: Float[Tensor, "view partner 3"]
    """what is added to that for each inverse depth"""
    largest: Float[Tensor, " view"]
    """inverse depth"""
    seed: int

    @classmethod
    def of(cls, views: Views, others: Int[Tensor, "view partner"], seed: int) -> "Matching":
        images = views.images if views.shown is None else views.images.where(views.shown > 0, _GREY)
        pictures = (images * images.new_tensor(_BRIGHTNESS)[:, None, None]).sum(1)
        motion = invert_rigid(views.c2w)[others] @ views.c2w[:, None]
        lens = views.intrinsics
        turns = lens[others] @ motion[..., :3, :3] @ torch.linalg.inv(lens)[:, None]
        shifts = (lens[others] @ motion[..., :3, 3:])[..., 0]
        baseline = motion[..., :3, 3].norm(dim=-1).median(dim=1).values
        largest = 1 / (_NEAREST * baseline.clamp(min=_TINY))
        pictures, turns, shifts = pictures.contiguous(), turns.contiguous(), shifts.contiguous()
        return cls(pictures, others.contiguous(), turns, shifts, largest, seed)

    @property
    def size(self) -> tuple[int, int]:
        return self.pictures.shape[1], self.pictures.shape[2]

    def guessed(self) -> Float[Tensor, "view row column 3"]:
        """Planes at random."""
        from tokengs_nerfstudio.core.stereo.stereo_kernels import guess

        planes = self.pictures.new_empty(*self.pictures.shape, 3)
        self._run(guess, self.turns, self.shifts, self.largest, planes, self.seed)
        return planes

    def assessed(self, planes: Float[Tensor, "view row column 3"]) -> Float[Tensor, "view row column"]:
        """What the planes cost."""
        from tokengs_nerfstudio.core.stereo.stereo_kernels import assess

        costs = torch.empty_like(self.pictures)
        self._run(assess, *self._photos, planes, costs)
        return costs

    def improved(
        self, planes: Float[Tensor, "view row column 3"], rounds: int, vary: float, anew: bool
    ) -> Float[Tensor, "view row column"]:
        """Betters the planes in place, and says what they cost then."""
        from tokengs_nerfstudio.core.stereo.stereo_kernels import improve

        costs = self.assessed(planes)
        for number in range(2 * rounds):
            shrink = vary * _CALMER ** (number // 2)
            numbers = (self.largest, planes, costs, number % 2, np.float32(shrink), anew, self.seed + 1 + number)
            self._run(improve, *self._photos, *numbers)
        return costs

    @property
    def _photos(self) -> tuple[Tensor, ...]:
        return self.pictures, self.partners, self.turns, self.shifts

    def _run(self, kernel: Any, *values: Any) -> None:
        """The kernel, a task for every row of every photo."""
        arrays = (x.numpy() if isinstance(x, Tensor) else x for x in values)
        run(kernel, self.pictures.shape[0] * self.pictures.shape[1], *arrays)


def _shrunk(views: Views, side: float) -> Views:
    size = level_size(views.height, views.width, max(min(views.height, views.width) / side, 1.0))
    return views if size == (views.height, views.width) else resized(views, *size, "area")


def _enlarged(planes: Float[Tensor, "view _ _ 3"], height: int, width: int) -> Float[Tensor, "view {height} {width} 3"]:
    """The planes of a smaller photo, each for the pixels that its own has become."""
    rows, columns = planes.shape[1:3]
    larger = F.interpolate(planes.movedim(-1, 1), (height, width), mode="nearest-exact").movedim(1, -1)
    return larger * planes.new_tensor([1.0, columns / width, rows / height])


def torch_costs(matching: Matching, planes: Float[Tensor, "view row column 3"]) -> Float[Tensor, "view row column"]:
    """`Matching.assessed`, to be read: all windows at once."""
    from tokengs_nerfstudio.core.stereo import stereo_kernels as kernels

    pictures = matching.pictures
    count, rows, columns = pictures.shape
    offsets = torch.arange(-kernels.REACH, kernels.REACH + 1, kernels.STRIDE)
    down, right = (x.flatten() for x in torch.meshgrid(offsets, offsets, indexing="ij"))
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    windows = pictures[:, (y[..., None] + down).clamp(0, rows - 1), (x[..., None] + right).clamp(0, columns - 1)]
    likeness = -float(kernels.LIKE) * (windows - pictures[..., None]).abs()
    weights = (likeness - float(kernels.NEAR) * (right.square() + down.square())).softmax(-1)
    mean = (weights * windows).sum(-1)
    variance = (weights * (windows - mean[..., None]).square()).sum(-1)
    inverse = planes[..., :1] + planes[..., 1:2] * right + planes[..., 2:] * down
    pixels = torch.stack([x[..., None] + 0.5 + right, y[..., None] + 0.5 + down, torch.ones_like(inverse[0])], -1)
    found = []
    for number in range(matching.partners.shape[1]):
        other = pictures[matching.partners[:, number]][:, None]
        turn, shift = matching.turns[:, number], matching.shifts[:, number]
        place = torch.einsum("vij,yxsj->vyxsi", turn, pixels) + shift[:, None, None, None] * inverse[..., None]
        middle = torch.einsum("vij,yxj->vyxi", turn, _centres(rows, columns)) + shift[:, None, None] * planes[..., :1]
        size = pictures.new_tensor([columns, rows])
        depth = middle[..., 2:]
        seen = (depth[..., 0] > 0) & ((middle[..., :2] > 0) & (middle[..., :2] < size * depth)).all(-1)
        grid = 2 * place[..., :2] / place[..., 2:].clamp(min=1e-6) / size - 1
        shown = F.grid_sample(other, grid.flatten(2, 3), padding_mode="border", align_corners=False)
        shown = shown.view(count, rows, columns, -1)
        first = (weights * shown).sum(-1)
        spread = (weights * (shown - first[..., None]).square()).sum(-1)
        both = (weights * shown * windows).sum(-1) - first * mean
        noise = float(kernels.NOISE)
        unlike = 1 - both / ((variance + noise) * (spread + noise)).sqrt()
        found.append(unlike.where(seen, float(kernels.OUTSIDE)))
    ranked = torch.stack(found).sort(0).values
    seeing = (ranked < float(kernels.OUTSIDE)).sum(0)
    half = (len(ranked) + 1) // 2
    total = ranked[:half].where(ranked[:half] < float(kernels.OUTSIDE), float(kernels.UNSHARED)).mean(0)
    return total.where(seeing > 0, float(kernels.UNSEEN))


def _centres(rows: int, columns: int) -> Float[Tensor, "{rows} {columns} 3"]:
    y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)], -1)
