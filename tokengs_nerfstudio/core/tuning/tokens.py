"""What the network reads as the variables of an optimisation: its tokens or its scene latents."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.schedule import token_level
from tokengs_nerfstudio.core.tuning.stages import Drawing
from tokengs_nerfstudio.core.types import Example, Gaussians, Views

Decode = Callable[[Tensor, float | None], Gaussians]
"""(tokens or latents `[1 token dim]`, target time) -> one scene's Gaussians with a batch axis of one."""


@dataclass(frozen=True)
class TokenPlan:
    """How a tensor is tuned."""

    rate: float
    """Adam's at the start"""
    decay: float
    """what the rate has fallen to at the end, as a factor"""
    level: float = 1.0
    """how many times smaller than the photos the images of a step are"""
    views: int = 1
    """photos that a step looks at, all together"""


class TokenStage:
    """One trainable tensor, the frozen network's `decode` behind it, and Adam (arXiv 2604.15239, section 3.4)."""

    def __init__(self, name: str, start: Tensor, decode: Decode, plan: TokenPlan):
        self.name, self._decode, self._plan = name, decode, plan
        self._tokens = start.detach().clone().requires_grad_()
        self._optimizer = torch.optim.Adam([self._tokens], lr=plan.rate)
        self._decoded: dict[float | None, Gaussians] = {}

    def splats(self, time: float | None = None) -> Gaussians:
        """The Gaussians of now at `time`, with gradient where gradients are recorded.

        Without, they are kept until the tokens move: for large weights each decode takes a while.
        """
        if torch.is_grad_enabled():
            return self.decoded(time)
        if time not in self._decoded:
            self._decoded[time] = self.decoded(time)
        return self._decoded[time]

    def decoded(self, time: float | None = None) -> Gaussians:
        """As `splats`, decoded anew and not kept."""
        return self._decode(self._tokens, time).squeeze()

    @property
    def views_per_step(self) -> int:
        return self._plan.views

    def level(self, progress: float) -> float:
        return self._plan.level

    def drawing(self, step: int) -> Drawing:
        return Drawing(self.splats, self._plan.views)

    def begin(self) -> None:
        pass

    def step(self, progress: float) -> None:
        self._decoded.clear()
        self._optimizer.param_groups[0]["lr"] = self._plan.rate * self._plan.decay**progress
        self._optimizer.step()
        self._optimizer.zero_grad()

    def after_step(self, step: int, pictures: list[dict[str, Any]] | None, look_due: bool) -> None:
        pass

    def settle(self) -> None:
        """Tokens stay as their last step left them."""

    def state_dict(self) -> dict[str, Any]:
        return {"tokens": self._tokens.detach().clone(), "optimizer": deepcopy(self._optimizer.state_dict())}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._decoded.clear()
        self._tokens.copy_(state["tokens"])
        self._optimizer.load_state_dict(deepcopy(state["optimizer"]))

    def snapshot(self) -> Any:
        return self._tokens.detach().clone()

    @torch.no_grad()
    def restore(self, snapshot: Any) -> None:
        self._decoded.clear()
        self._tokens.copy_(snapshot)


def encoded_stage(network: TokenGSNetwork, example: Example, config: TuningConfig, space: str) -> TokenStage:
    """Tokens or latents of a scene: also where only Gaussians are tuned, for these start from what the tokens decode
    to.
    """
    height, width, context = example.target.height, example.target.width, example.context.unsqueeze()
    level = token_level(network.config, height, width, config.tokens.resolution)
    plan = TokenPlan(config.tokens.rate, config.tokens.rates_decay, level, config.views_per_step)
    if space == "latents":
        return latent_stage(network, context, replace(plan, rate=config.tokens.latent_rate))
    return token_stage(network, context, plan)


@torch.no_grad()
def token_stage(network: TokenGSNetwork, context: Views, plan: TokenPlan) -> TokenStage:
    """The network's tokens, read against what it remembers of `context` (a batch of one scene, encoded once).

    The plan's rate is a fraction of the tokens' root mean square.
    """
    memory, tokens = network.encode(context), network.initial_tokens(1)
    plan = replace(plan, rate=plan.rate * float(tokens.square().mean().sqrt()))

    def decode(tuned: Tensor, time: float | None) -> Gaussians:
        return network.decode(memory, tuned, time=time)

    return TokenStage("tokens", tokens, decode, plan)


@torch.no_grad()
def latent_stage(network: TokenGSNetwork, context: Views, plan: TokenPlan) -> TokenStage:
    """The latents that a network with a bottleneck makes of `context` (a batch of one scene)."""

    def decode(latents: Tensor, time: float | None) -> Gaussians:
        return network.decode(network.memory_from_latents(latents), time=time)

    return TokenStage("latents", network.encode_latents(context), decode, plan)
