"""Cameras that are a little wrong, as those of a capture may be."""

import math
from dataclasses import replace

import torch

from tokengs_nerfstudio.core.rotation import rigid_motion
from tokengs_nerfstudio.core.types import Views


def disturbed(views: Views, degrees: float, baselines: float, seed: int) -> Views:
    """One scene with every camera but the first turned by `degrees` and moved by `baselines`, in random directions.

    The unit of the shift is the largest distance between two cameras.
    """
    generator = torch.Generator().manual_seed(seed)
    axes = torch.nn.functional.normalize(torch.randn(2, views.num_views, 3, generator=generator), dim=-1)
    axes[:, 0] = 0.0
    turns, shifts = axes.to(views.c2w)
    centers = views.c2w[:, :3, 3]
    c2w = views.c2w @ rigid_motion(math.radians(degrees) * turns, torch.zeros_like(turns))
    c2w[:, :3, 3] += baselines * torch.cdist(centers, centers).max() * shifts
    return replace(views, c2w=c2w)
