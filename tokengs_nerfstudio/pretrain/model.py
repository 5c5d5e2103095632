"""The network of a pretraining as nerfstudio's model: what it predicts of a held-out scene is what is seen."""

from dataclasses import dataclass, field
from typing import Any

import torch

from tokengs_nerfstudio.core.baking import bake
from tokengs_nerfstudio.core.geometry.placing import training_frame
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.training.gradients import predict
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.model import TokenGSModel
from tokengs_nerfstudio.splats import SplatsModelConfig


@dataclass
class PretrainModelConfig(SplatsModelConfig):
    """The network that is trained."""

    _target: type = field(default_factory=lambda: PretrainModel)
    preset: str | None = None
    """Architecture, one of the presets. If not set: that of the weights to start from, or tiny. Or a training of
    TokenGS, which sets what is at its default but for --max-num-iterations: base, latent (150,000 steps), kubric
    (50,000), finetune-2view, finetune-4view, finetune-6view (10,000)."""
    start: str | None = None
    """Weights to start from: a registered name, a .safetensors file, or hf://owner/repo/path. If not set: random ones.
    Tokens are grown or shrunk to the preset's number."""


class PretrainModel(TokenGSModel):
    """The averaged weights, and the Gaussians that they predict of the shown scene: rendered and exported like any."""

    config: PretrainModelConfig  # type: ignore[assignment]

    def __init__(self, *args: Any, network: TokenGSNetwork, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.network = network.eval().requires_grad_(False)

    @torch.no_grad()
    def look_at(self, example: Example) -> None:
        """Predict the only scene of a batch, given in the world frame, and show it there."""
        example = example.to(self.device)
        to_canonical = training_frame(self.network.config.rule, example.context)
        splats = predict(self.network, example.moved(to_canonical)).squeeze()
        scene = PreparedScene(example[0].moved(to_canonical.squeeze()), to_canonical.squeeze())
        self.show(bake(lambda _: splats, scene, self.network.config.rendering(scene.example)))
