"""Cameras as the photos want them, if they do: features, tracks and bundle adjustment, checked on tracks left out."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.twins import same_cameras
from tokengs_nerfstudio.core.poses.bundle import Bundle, Uncertainty, bundled, sighting_errors
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
_FEWEST_VIEWS, _MOST_VIEWS = 3, 300
"""of more the equations, which are solved as one, take minutes"""


@dataclass(frozen=True)
class Adjustment:
    """Cameras as they were found to be, or as given."""

    c2w: Float[Tensor, "view 4 4"]
    before: float
    """pixels: median error of the points left out with the cameras as given; not a number where there were too few"""
    after: float
    """with adjusted cameras"""
    accepted: bool
    """whether `c2w` are these; else they are as given, to the bit"""

    @property
    def text(self) -> str:
        """What a person wants to know."""
        if self.before != self.before:
            return f"the poses are as given: too few shared features to tell, or more than {_MOST_VIEWS} photos"
        moved = "the poses were adjusted" if self.accepted else "the poses are as given, which adjusting would not mend"
        return f"{moved}: points that it did not see lie {self.after:.2f} px off instead of {self.before:.2f}"


@torch.no_grad()
def adjusted_poses(views: Views) -> Adjustment:
    """The cameras of views of one scene, corrected where points that several views show ask for it.

    Every camera may be wrong by two degrees or so. They move no more than their own errors seem to be large, which is
    estimated along with them, and stay exactly as given where a quarter of the points, which the adjustment has not
    seen, does not agree much better with moved cameras: so photos with good cameras lose nothing. The frame
    stays that of the given cameras in the mean. Of photos with few features, of several moments, of
    fewer than 3 or more than 300, nothing is known.
    """
    moving = views.times is not None and bool((views.times != views.times[0]).any())
    unknown = Adjustment(views.c2w, float("nan"), float("nan"), accepted=False)
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
    tried = _round(_started(given), tracks.of_points(~left_out), intrinsics, 0)
    before, after = (float(sighting_errors(check, c2w, intrinsics).median()) for c2w in (given, tried.c2w))
    if not after < _BETTER * before:
        return Adjustment(views.c2w, before, after, accepted=False)
    final = _sharpened(tried, found, intrinsics, longest)
    return Adjustment(final.c2w.to(views.c2w), before, after, accepted=True)


def _started(given: Float[Tensor, "view 4 4"]) -> Bundle:
    return Bundle(given, given, given.new_zeros(0, 3), Uncertainty.before(given))


def _round(bundle: Bundle, tracks: Tracks, intrinsics: Float[Tensor, "view 3 3"], number: int) -> Bundle:
    bundle = replace(bundle, points=triangulated(tracks, bundle.c2w, intrinsics))
    return bundled(bundle, tracks, intrinsics, _SHARP[number], _STEPS[number])


def _sharpened(bundle: Bundle, found: list[Features], intrinsics: Float[Tensor, "view 3 3"], longest: int) -> Bundle:
    """The rounds after the first, each with matches nearer to where they should be, of all points."""
    for number in range(1, len(_BANDS)):
        band = max(_BANDS[number] * longest, _NARROWEST)
        bundle = _round(bundle, tracks_between(found, bundle.c2w, intrinsics, band), intrinsics, number)
    return bundle


def with_adjusted_poses(example: Example) -> tuple[Example, Adjustment]:
    """An example whose targets have adjusted cameras, and so has its context where it shows the same cameras."""
    found = adjusted_poses(example.target)
    if not found.accepted:
        return example, found
    same = same_cameras(example.context.c2w, example.target.c2w)
    moved = found.c2w[same.long().argmax(1)]
    context = torch.where(same.any(1)[:, None, None], moved, example.context.c2w)
    return Example(replace(example.context, c2w=context), replace(example.target, c2w=found.c2w)), found
