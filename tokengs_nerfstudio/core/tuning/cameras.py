"""What may be wrong with the photos themselves: their poses and their exposures, tuned beside the scene."""

from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.rotation import rigid_motion

# Exposures and poses that the photos do not ask for are pulled back to none at all.
_EXPOSURE_PULL = 0.01


class CameraVariables:
    """Small corrections of every supervised view: a rigid motion of its camera, gain and offset of its colours.

    The first camera does not move, and the others stay as far from it in the root mean square: these hold the frame
    and the scale that the Gaussians live in.
    """

    def __init__(self, c2w: Float[Tensor, "view 4 4"], extent: float, pose_rate: float, exposure_rate: float):
        views = c2w.shape[0]
        self.c2w = c2w
        self._extent = extent
        self._spread = (c2w[:, :3, 3] - c2w[0, :3, 3]).norm()
        self._motions = c2w.new_zeros(views, 6).requires_grad_(pose_rate > 0)
        self._exposures = c2w.new_zeros(views, 2, 3).requires_grad_(exposure_rate > 0)
        self._moves = torch.ones(views, 1, device=c2w.device)
        self._moves[0] = 0
        rated = [(self._motions, pose_rate), (self._exposures, exposure_rate)]
        groups = [{"params": [value], "lr": rate, "base": rate} for value, rate in rated if rate > 0]
        self._optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99)) if groups else None

    @property
    def active(self) -> bool:
        return self._optimizer is not None

    def cameras(self, indices: Int[Tensor, " view"] | None = None) -> Float[Tensor, "view 4 4"]:
        """Camera-to-world matrices as corrected so far, of all views or of those at `indices`."""
        c2w = self.c2w if indices is None else self.c2w[indices]
        if not self._motions.requires_grad:
            return c2w
        motions = self._motions * self._moves
        moved = self.c2w @ rigid_motion(motions[:, :3], motions[:, 3:] * self._extent)
        moved = self._as_far_apart(moved)
        return moved if indices is None else moved[indices]

    def exposed(
        self, rgb: Float[Tensor, "view 3 height width"], indices: Int[Tensor, " view"]
    ) -> Float[Tensor, "view 3 height width"]:
        """Rendered colours as the cameras at `indices` would have exposed them."""
        if not self._exposures.requires_grad:
            return rgb
        gain, offset = self._exposures[indices].unbind(1)
        return rgb * gain.exp()[..., None, None] + offset[..., None, None]

    def penalty(self) -> Float[Tensor, ""]:
        """Keeps the exposures about none on average, so that the scene and not the cameras holds the colours."""
        return _EXPOSURE_PULL * (self._exposures.mean(0).square().sum() + self._exposures.square().mean())

    def step(self, progress: float) -> None:
        if self._optimizer is None:
            return
        for group in self._optimizer.param_groups:
            group["lr"] = group["base"] * 0.1**progress
        self._optimizer.step()
        self._optimizer.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        optimizer = None if self._optimizer is None else deepcopy(self._optimizer.state_dict())
        return {
            "motions": self._motions.detach().clone(),
            "exposures": self._exposures.detach().clone(),
            "optimizer": optimizer,
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._motions.copy_(state["motions"])
        self._exposures.copy_(state["exposures"])
        if self._optimizer is not None:
            self._optimizer.load_state_dict(deepcopy(state["optimizer"]))

    def _as_far_apart(self, moved: Float[Tensor, "view 4 4"]) -> Float[Tensor, "view 4 4"]:
        """Cameras scaled about the first one: pictures do not tell the scale, which would drift."""
        first = self.c2w[0, :3, 3]
        offsets = moved[:, :3, 3] - first
        scale = self._spread / offsets.norm().clamp(min=1e-9)
        places = (first + torch.where(scale > 0, scale, torch.ones_like(scale)) * offsets)[..., None]
        return torch.cat([torch.cat([moved[:, :3, :3], places], dim=2), moved[:, 3:]], dim=1)
