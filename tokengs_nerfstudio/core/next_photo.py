"""Where another photo would help most: the camera near those there are that sees most of what is not sure."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.resize import fitted_size, resized_cameras
from tokengs_nerfstudio.core.geometry.turntable import focus_point
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.rotation import rigid_motion
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig, Renders

_LARGEST_SIDE = 96
# Whoever photographs walks around what the cameras look at, or holds the camera higher or lower: degrees.
_TURNS = {"to the left of": (-25.0, 0.0), "to the right of": (25.0, 0.0), "above": (0.0, 20.0), "below": (0.0, -20.0)}


@dataclass(frozen=True)
class Place:
    """A camera that does not exist yet."""

    camera: Cameras
    beside: int
    """the index of the camera that it is found from"""
    where: str
    """in words, seen from that camera"""
    unsure: float
    """share of its picture that shows what is not sure"""


def best_place(
    gaussians: Gaussians, confidence: Float[Tensor, " gaussian"], cameras: Cameras, rendering: RenderConfig
) -> Place:
    """Of places a step away from the cameras (OpenCV, one scene), the one whose picture is the least sure.

    A place counts by what it sees: pixels that show nothing at all are no reason to go there.
    """
    places = [
        replace(place, unsure=unsure_share(gaussians, confidence, place.camera, rendering))
        for index in range(len(cameras.c2w))
        for place in places_beside(gaussians, cameras, index)
    ]
    return max(places, key=lambda place: place.unsure)


def unsure_share(
    gaussians: Gaussians, confidence: Float[Tensor, " gaussian"], camera: Cameras, rendering: RenderConfig
) -> float:
    """Mean over a small picture of how solid a pixel is times how little it can be believed."""
    height, width = fitted_size(camera.height, camera.width, _LARGEST_SIDE)
    shown = drawn_confidence(gaussians, confidence, resized_cameras(camera, height, width), rendering)
    return float((shown.alpha - shown.rgb[..., :1, :, :]).clamp(min=0).mean())


def drawn_confidence(
    gaussians: Gaussians, confidence: Float[Tensor, " gaussian"], cameras: Cameras, rendering: RenderConfig
) -> Renders:
    """The confidence that each pixel has, in every channel: none where nothing is."""
    values = confidence[:, None].expand(-1, 3).to(gaussians.colors)
    grey = replace(gaussians, colors=values, harmonics=None)
    return render_cameras(grey, cameras, replace(rendering, background=0.0), depth=False)


def places_beside(gaussians: Gaussians, cameras: Cameras, index: int) -> list[Place]:
    """Places a step to the sides of one camera, above and below, that look where it does."""
    c2w = cameras.c2w[index]
    pivot = _looked_at(gaussians, cameras, index)
    places = []
    for where, (around, up) in _TURNS.items():
        # Axes of a camera: x to the right, y down. Turned about the pivot, it still looks there.
        turn = c2w.new_tensor([[math.radians(-up), math.radians(-around), 0.0]])
        rotation = c2w[:3, :3] @ rigid_motion(turn, torch.zeros_like(turn))[0, :3, :3] @ c2w[:3, :3].mT
        moved = c2w.clone()
        moved[:3, :3] = rotation @ c2w[:3, :3]
        moved[:3, 3] = pivot + rotation @ (c2w[:3, 3] - pivot)
        camera = Cameras(moved[None], cameras.intrinsics[index : index + 1], cameras.width, cameras.height)
        places.append(Place(camera, index, where, 0.0))
    return places


def _looked_at(gaussians: Gaussians, cameras: Cameras, index: int) -> Float[Tensor, "3"]:
    """The point on a camera's axis at the distance of where all look, or of the scene where that is behind it."""
    position, axis = cameras.c2w[index, :3, 3], cameras.c2w[index, :3, 2]
    ahead = float((focus_point(cameras.c2w) - position) @ axis)
    if not ahead > 0:
        ahead = float((gaussians.means.to(position) - position).norm(dim=-1).median())
    return position + ahead * axis
