"""Places that several photos show: features of each photo, and which of them are the same in two photos."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.rotation import invert_rigid
from tokengs_nerfstudio.core.types import Views

# Of each photo; small photos have few corners, so weak ones and those on edges count too (OpenCV's defaults: 0.04, 10).
_MOST, _CONTRAST, _EDGE = 800, 0.01, 20
# A match must be so much more alike than any other in the band (Lowe 2004, from both sides).
_RATIO = 0.75
# Unit descriptors farther apart than this are never the same.
_UNLIKE = 1.0


@dataclass(frozen=True)
class Features:
    """Of one photo."""

    places: Float[Tensor, "feature 2"]
    """pixels, 64 bits, the first pixel's centre at 0.5"""
    descriptors: Float[Tensor, "feature 128"]
    """unit"""


def features(views: Views) -> list[Features]:
    """SIFT features (Lowe 2004; RootSIFT descriptors, Arandjelovic 2012) of each view, of what may supervise alone."""
    return [_features_of(views.select([view])) for view in range(views.num_views)]


def _features_of(view: Views) -> Features:
    import cv2  # nerfstudio's commands start without it

    finder = cv2.SIFT.create(
        nfeatures=_MOST, contrastThreshold=_CONTRAST, edgeThreshold=_EDGE, enable_precise_upscale=True
    )
    grey = (view.images[0].mean(0) * 255).clamp(0, 255).byte().cpu().numpy()
    valid = torch.ones_like(view.images[0, 0]) if view.shown is None else view.shown[0, 0]
    shown = (valid > 0.5).byte().cpu().numpy()
    corners, found = finder.detectAndCompute(grey, shown)
    if found is None or len(corners) == 0:
        return Features(torch.zeros(0, 2, dtype=torch.float64), torch.zeros(0, 128))
    places = torch.tensor([corner.pt for corner in corners], dtype=torch.float64) + 0.5
    return Features(places, F.normalize(torch.from_numpy(found), p=1, dim=1).sqrt())


def fundamental(c2w: Float[Tensor, "2 4 4"], intrinsics: Float[Tensor, "2 3 3"]) -> Float[Tensor, "3 3"]:
    """The matrix that takes a homogeneous pixel of the first camera to its epipolar line in the second."""
    motion = invert_rigid(c2w[1]) @ c2w[0]
    x, y, z = motion[:3, 3]
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).view(3, 3)
    first, second = torch.linalg.inv(intrinsics)
    return second.mT @ cross @ motion[:3, :3] @ first


def matches(first: Features, second: Features, line: Float[Tensor, "3 3"], band: float) -> Int[Tensor, "match 2"]:
    """Features that two photos share: each other's most alike, by far, less than `band` pixels off the epipolar line.

    `line` is `fundamental` of their cameras as far as these are known.
    """
    if min(len(first.places), len(second.places)) < 2:
        return torch.zeros(0, 2, dtype=torch.long)
    here, there = (F.pad(some.places, (0, 1), value=1.0) for some in (first, second))
    lines, back = here @ line.mT, there @ line
    far = (lines @ there.mT).abs() / torch.minimum(_length(lines)[:, None], _length(back)[None])
    apart = (2 - 2 * first.descriptors @ second.descriptors.mT).clamp(min=0).sqrt()
    apart = apart.where(far < band, torch.full_like(apart, torch.inf))
    nearest, index = apart.topk(2, dim=1, largest=False)
    rival, mirrored = apart.topk(2, dim=0, largest=False)
    own = torch.arange(len(apart))
    best, chosen = nearest[:, 0], index[:, 0]
    most = _RATIO * torch.minimum(nearest[:, 1], rival[1][chosen]).clamp(max=_UNLIKE)
    kept = (mirrored[0][chosen] == own) & (best < most)
    return torch.stack([own[kept], chosen[kept]], dim=1)


def _length(lines: Float[Tensor, "line 3"]) -> Float[Tensor, " line"]:
    return lines[:, :2].norm(dim=1).clamp(min=1e-12)
