"""Which parameters are moved by which rule."""

from typing import Any

import torch

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.muon import Muon


def optimizers(network: TokenGSNetwork, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the matrices of encoder, latent and decoder blocks and AdamW for the rest."""
    groups = parameter_groups(network, config.weight_decay)
    if config.matrix_rate <= 0:
        return [torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)]
    inner: set[int] = set()
    result: list[torch.optim.Optimizer] = []
    for blocks in (network.encoder, network.latent_blocks, network.decoder):
        matrices = [p for p in blocks.parameters() if p.ndim == 2]
        inner |= {id(p) for p in matrices}
        if matrices:
            result.append(Muon(matrices, lr=config.matrix_rate, weight_decay=config.weight_decay))
    groups[0]["params"] = [p for p in groups[0]["params"] if id(p) not in inner]
    return [torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas), *result]


def parameter_groups(network: TokenGSNetwork, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices with weight decay; vectors, the Gaussian head, tokens and latents without."""
    spared = {id(parameter) for parameter in network.head.parameters()}
    spared |= {id(p) for p in (network.tokens, network.dynamic_tokens, network.latents) if p is not None}
    decayed = [p for p in network.parameters() if p.ndim > 1 and id(p) not in spared]
    others = [p for p in network.parameters() if p.ndim <= 1 or id(p) in spared]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
