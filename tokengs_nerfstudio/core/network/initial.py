"""What a network's parameters are before it has learned anything: it matters once in its life."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import PRESETS


@dataclass(frozen=True)
class InitialValues:
    """Starting values of what torch's own initialisation does not set well; the defaults are the published ones."""

    encoder_scale: float = 0.01
    """of the branches of encoder and latent blocks"""
    decoder_scale: float = 5e-5
    """of the branches of decoder blocks"""
    token_std: float = 0.01
    latent_std: float = 0.02
    head_std: float = 0.002
    z: float = 0.0
    """distance along z that is added to the Gaussians' positions"""
    quaternion_w: float = 0.0
    cluster: float = 1.0
    """how far a token's Gaussians lie from each other, relative to how far tokens do; 1 for unrelated"""
    scale: float | None = None
    """size of the Gaussians; None for what a head without bias gives, its cap / e"""
    update_scale: float = 1.0
    """of the last layers of what moves anchors and radii, relative to torch's own values"""

    @torch.no_grad()
    def set_head(self, project: nn.Linear, channels: int, scale_cap: float) -> None:
        """The Gaussian head, whose output is `channels` raw values for each Gaussian of a token."""
        nn.init.trunc_normal_(project.weight, std=self.head_std)
        if self.cluster < 1.0:
            position = project.weight.view(-1, channels, project.in_features)[:, :3]
            position.mul_(self.cluster).add_(torch.randn_like(position[:1]), alpha=self.head_std)
        nn.init.zeros_(project.bias)
        bias = project.bias.view(-1, channels)
        bias[:, 2] = torch.tensor(self.z).log1p()
        bias[:, 9] = self.quaternion_w
        if self.scale is not None:
            bias[:, 6:9] = 1.0 + math.log(self.scale / scale_cap)


SCRATCH = InitialValues(
    encoder_scale=0.1, decoder_scale=0.1, token_std=0.5, head_std=0.05, quaternion_w=1.0, cluster=0.25, scale=0.04,
    update_scale=0.1,
)  # fmt: skip
"""For networks of ours, which are trained from scratch in hours."""
_LATENT = InitialValues(decoder_scale=0.01, token_std=0.02, z=0.1)


def initial_values(preset: str) -> InitialValues:
    """How networks of a preset start; ValueError for an unknown one."""
    if preset not in PRESETS:
        raise UserError(f"unknown preset '{preset}'; there are {', '.join(PRESETS)}")
    if preset.startswith(("tiny", "small")):
        return SCRATCH
    return InitialValues() if preset.startswith(("base", "locus", "object")) else _LATENT
