"""Scenes in a mirror: twice as much training data from the same photos."""

from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from tokengs_nerfstudio.core.constants import constant
from tokengs_nerfstudio.core.types import Views


def mirrored(views: Views) -> Views:
    """The same world in a mirror, x -> -x: everything of the photos, cameras and principal points change together.

    With S = diag(-1, 1, 1, 1), camera-to-world matrices become S c2w S, which are proper rotations again; the principal
    point moves to width - cx. Mirroring twice gives the views back.
    """
    flip = constant([-1.0, 1.0, 1.0, 1.0], views.c2w)
    intrinsics = views.intrinsics.clone()
    intrinsics[..., 0, 2] = views.width - intrinsics[..., 0, 2]
    c2w = flip[:, None] * views.c2w * flip[None, :]
    pixels = {name: getattr(views, name) for name in ("images", "masks", "depths", "alphas", "moving")}
    flipped = {name: None if maps is None else maps.flip(-1) for name, maps in pixels.items()}
    return replace(views, c2w=c2w, intrinsics=intrinsics, **flipped)


def mirrored_scenes(views: Views, chosen: Bool[Tensor, " batch"]) -> Views:
    """Batched views with the scenes mirrored for which `chosen` is true."""

    def mixed(ours: Tensor, theirs: Tensor) -> Tensor:
        return torch.where(chosen.reshape(-1, *[1] * (ours.ndim - 1)), theirs, ours)

    return views.zip(mirrored(views), mixed)
