"""Which parameters are moved by which rule, and how fast."""

from collections.abc import Sequence
from typing import Any, Literal

import torch

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.muon import Muon

Highest = Literal["configured", "saved", "last"]
"""Where the highest learning rates come from: this run's configuration, those of a state, or its last step's."""


def optimizers(network: TokenGSNetwork, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the matrices of encoder, latent and decoder blocks and AdamW for the rest.

    Every parameter group keeps its highest learning rate as `base`: see `set_rates`.
    """
    groups = parameter_groups(network, config.weight_decay)
    inner: set[int] = set()
    result: list[torch.optim.Optimizer] = []
    for blocks in (network.encoder, network.latent_blocks, network.decoder) if config.matrix_rate > 0 else ():
        matrices = [p for p in blocks.parameters() if p.ndim == 2]
        inner |= {id(p) for p in matrices}
        if matrices:
            result.append(Muon(matrices, lr=config.matrix_rate, weight_decay=config.weight_decay))
    groups[0]["params"] = [p for p in groups[0]["params"] if id(p) not in inner]
    fused = network.tokens.device.type in ("cpu", "cuda")
    result.insert(0, torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=fused))
    for optimizer in result:
        for group in optimizer.param_groups:
            group["base"] = group["lr"]
    return result


def set_rates(optimizers: Sequence[torch.optim.Optimizer], share: float) -> None:
    """Every group's learning rate as a share of its highest one."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = share * group["base"]


def continue_from(optimizer: torch.optim.Optimizer, saved: dict[str, Any], highest: Highest = "configured") -> None:
    """Moments and counters of a saved state; the highest rates stay those of this run's configuration, or become those
    of the state, or of the last step before it. The way to compute is that of this device.
    """
    kept = [{key: group[key] for key in ("base", "fused") if key in group} for group in optimizer.param_groups]
    if highest != "configured":
        bases = [group["base" if highest == "saved" else "lr"] for group in saved["param_groups"]]
        kept = [{**ours, "base": base} for ours, base in zip(kept, bases)]
    optimizer.load_state_dict(saved)
    for group, ours in zip(optimizer.param_groups, kept):
        group.update(ours)


def parameter_groups(network: TokenGSNetwork, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices with weight decay; vectors, the Gaussian head, tokens, their anchors and latents without."""
    spared = {id(parameter) for parameter in network.head.parameters()}
    anchors = () if network.anchors is None else (network.anchors.positions, network.anchors.radii)
    learned = (network.tokens, network.dynamic_tokens, network.latents, *anchors)
    spared |= {id(p) for p in learned if p is not None}
    decayed = [p for p in network.parameters() if p.ndim > 1 and id(p) not in spared]
    others = [p for p in network.parameters() if p.ndim <= 1 or id(p) in spared]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
