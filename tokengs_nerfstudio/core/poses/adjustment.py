"""Cameras as the photos want them, if they do: features, tracks and bundle adjustment, checked on tracks left out."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.rays import with_focal
from tokengs_nerfstudio.core.geometry.twins import same_cameras
from tokengs_nerfstudio.core.poses.bundle import Bundle, Free, Uncertainty, bundled, sighting_errors
from tokengs_nerfstudio.core.poses.features import Features, features
from tokengs_nerfstudio.core.poses.tracks import Tracks, tracks_between, triangulated
from tokengs_nerfstudio.core.types import Example, Views

# How far off its epipolar line a feature is looked for, as a share of a photo's longer side: two cameras, each two or
# three degrees wrong. Then, with better cameras, nearer to it.
_BANDS = (0.08, 0.06, 0.04, 0.02, 0.0)
_NARROWEST = 1.6
"""pixels"""
# Robust scales that each round ends at, in pixels, and its steps.
_SHARP, _STEPS = (2.0, 1.5, 1.0, 0.6, 0.4), (10, 8, 8, 8, 14)
# One point in so many is left out, and tells whether the others have led to better cameras: its sightings must agree so
# much better, and there must be so many.
_LEFT_OUT, _BETTER, _ENOUGH = 4, 0.7, 40
# One number for all photos fits nothing by chance: less of a gain shows that it is wrong. But where poses are wrong, it
# shrinks, since in small pictures nothing lies far off: beyond this, a logarithm, it is not the focal length.
_BETTER_LENS, _FARTHEST = 0.85, 0.15
_FEWEST_VIEWS, _MOST_VIEWS = 3, 300
"""of more the equations, which are solved as one, take minutes"""


@dataclass(frozen=True)
class Adjustment:
    """Cameras as they were found to be, or as given."""

    c2w: Float[Tensor, "view 4 4"]
    focal: float
    """what the focal lengths of all photos, as given, are to be multiplied by; 1 where they stay"""
    before: float
    """pixels: median error of the points left out with the cameras as given; not a number where there were too few"""
    after: float
    """with adjusted cameras"""
    poses: bool
    """whether `c2w` are adjusted ones; else they are as given, to the bit"""

    @property
    def accepted(self) -> bool:
        """Whether anything is not as given."""
        return self.poses or self.focal != 1

    @property
    def text(self) -> str:
        """What a person wants to know."""
        if self.before != self.before:
            return f"the cameras are as given: too few shared features to tell, or more than {_MOST_VIEWS} photos"
        changes = ["the poses were adjusted"] if self.poses else []
        if self.focal != 1:
            changes.append(f"the focal lengths are {self.focal:.4f} times those given")
        said = " and ".join(changes) or "the cameras are as given, which adjusting would not mend"
        return f"{said}: points that it did not see lie {self.after:.2f} px off instead of {self.before:.2f}"


@torch.no_grad()
def adjusted_cameras(views: Views, poses: bool, focal: bool) -> Adjustment:
    """The cameras of views of one scene, corrected where points that several views show ask for it: their `poses`, one
    factor on all their `focal` lengths, or both.

    Every camera may be wrong by two degrees or so, focal lengths by a tenth. Cameras move no more than their own errors
    seem to be large, which is estimated along with them. What does not make a quarter of the points, which the
    adjustment has not seen, agree much better stays exactly as given: focal lengths alone are tried first, then poses
    alone, then both, each against the best so far. So photos with good cameras lose nothing. The frame stays that of
    the given cameras in the mean. Of photos with few features, of several moments, of fewer than 3 or more than
    300, nothing is known.
    """
    moving = views.times is not None and bool((views.times != views.times[0]).any())
    unknown = Adjustment(views.c2w, 1.0, float("nan"), float("nan"), poses=False)
    if moving or not _FEWEST_VIEWS <= views.num_views <= _MOST_VIEWS:
        return unknown
    found = features(views)
    given, intrinsics = views.c2w.double().cpu(), views.intrinsics.double().cpu()
    longest = max(views.height, views.width)
    tracks = tracks_between(found, given, intrinsics, _BANDS[0] * longest)
    left_out = torch.arange(tracks.points) % _LEFT_OUT == 0
    check = tracks.of_points(left_out)
    if check.points < _ENOUGH:
        return unknown
    before = _error(check, _started(given), intrinsics)
    fits: list[_Fit] = []
    for free in _candidates(poses, focal):
        bundle = _round(_started(given), tracks.of_points(~left_out), intrinsics, 0, free)
        fits.append(_Fit(free, bundle, _error(check, bundle, intrinsics)))
    best = _accepted(fits, before)
    if best is None:
        return Adjustment(views.c2w, 1.0, before, min(fit.error for fit in fits), poses=False)
    final = _sharpened(best.bundle, found, intrinsics, longest, best.free)
    c2w = final.c2w.to(views.c2w) if best.free.poses else views.c2w
    return Adjustment(c2w, final.focal, before, best.error, best.free.poses)


@dataclass(frozen=True)
class _Fit:
    """What was tried, and how far off the points are that it has not seen, in pixels."""

    free: Free
    bundle: Bundle
    error: float


def _accepted(fits: list[_Fit], before: float) -> _Fit | None:
    """The last that is much better than the best before it; None where the cameras as given are not much worse."""
    best, least = None, before
    for fit in fits:
        better = _BETTER if fit.free.poses else _BETTER_LENS
        if fit.error < better * least and abs(math.log(fit.bundle.focal)) < _FARTHEST:
            best, least = fit, fit.error
    return best


def _candidates(poses: bool, focal: bool) -> list[Free]:
    """What may be adjusted, the simplest first."""
    every = [Free(poses=False, focal=True), Free(poses=True, focal=False), Free(poses=True, focal=True)]
    return [free for free in every if free.poses <= poses and free.focal <= focal]


def _error(tracks: Tracks, bundle: Bundle, intrinsics: Float[Tensor, "view 3 3"]) -> float:
    """Median in pixels, with the bundle's cameras."""
    return float(sighting_errors(tracks, bundle.c2w, with_focal(intrinsics, bundle.focal)).median())


def _started(given: Float[Tensor, "view 4 4"]) -> Bundle:
    return Bundle(given, given, given.new_zeros(0, 3), Uncertainty.before(given))


def _round(bundle: Bundle, tracks: Tracks, intrinsics: Float[Tensor, "view 3 3"], number: int, free: Free) -> Bundle:
    bundle = replace(bundle, points=triangulated(tracks, bundle.c2w, with_focal(intrinsics, bundle.focal)))
    return bundled(bundle, tracks, intrinsics, _SHARP[number], _STEPS[number], free)


def _sharpened(
    bundle: Bundle, found: list[Features], intrinsics: Float[Tensor, "view 3 3"], longest: int, free: Free
) -> Bundle:
    """The rounds after the first, each with matches nearer to where they should be, of all points."""
    for number in range(1, len(_BANDS)):
        band = max(_BANDS[number] * longest, _NARROWEST)
        tracks = tracks_between(found, bundle.c2w, with_focal(intrinsics, bundle.focal), band)
        bundle = _round(bundle, tracks, intrinsics, number, free)
    return bundle


def with_adjusted_cameras(example: Example, poses: bool, focal: bool) -> tuple[Example, Adjustment]:
    """An example whose targets have adjusted cameras, as in `adjusted_cameras`: so has its context, its poses where it
    shows the same cameras, its focal lengths anyway."""
    found = adjusted_cameras(example.target, poses, focal)
    if not found.accepted:
        return example, found
    same = same_cameras(example.context.c2w, example.target.c2w)
    moved = found.c2w[same.long().argmax(1)]
    context = torch.where(same.any(1)[:, None, None], moved, example.context.c2w)

    def adjusted(views: Views, c2w: Float[Tensor, "view 4 4"]) -> Views:
        return replace(views, c2w=c2w, intrinsics=with_focal(views.intrinsics, found.focal))

    return Example(adjusted(example.context, context), adjusted(example.target, found.c2w)), found
