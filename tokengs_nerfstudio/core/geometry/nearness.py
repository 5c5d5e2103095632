"""How far cameras are apart, in place and in viewing direction."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def apart(c2w: Float[Tensor, "view 4 4"], direction: float) -> Float[Tensor, "view view"]:
    """Distances of cameras in units of their spread, to which their unit axes add `direction` times; infinite to
    themselves."""
    centers = c2w[:, :3, 3]
    spread = (centers - centers.mean(0)).norm(dim=1).mean().clamp(min=1e-12)
    pose = torch.cat([centers / spread, direction * c2w[:, :3, 2]], dim=1)
    return torch.cdist(pose, pose).fill_diagonal_(math.inf)
