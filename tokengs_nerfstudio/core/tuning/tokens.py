"""What the network reads as the variables of an optimisation: its tokens or its scene latents."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.types import Gaussians, Views

Decode = Callable[[Tensor, float | None], Gaussians]
"""(tokens or latents `[1 token dim]`, target time) -> one scene's Gaussians with a batch axis of one."""


class TokenVariables:
    """One trainable tensor, the frozen network's `decode` behind it, and Adam (spec 6: test-time scaling)."""

    def __init__(self, start: Tensor, decode: Decode, rate: float, decay: float):
        self._decode = decode
        self._rate, self._decay = rate, decay
        self._tokens = start.detach().clone().requires_grad_()
        self._optimizer = torch.optim.Adam([self._tokens], lr=rate)
        self._decoded: dict[float | None, Gaussians] = {}

    def splats(self, time: float | None = None) -> Gaussians:
        """The Gaussians of now at `time`, with gradient where gradients are recorded.

        Without, they are kept until the tokens move: for large weights each decode takes a while.
        """
        if torch.is_grad_enabled():
            return self._decode(self._tokens, time).squeeze()
        if time not in self._decoded:
            self._decoded[time] = self._decode(self._tokens, time).squeeze()
        return self._decoded[time]

    def step(self, progress: float) -> None:
        """One Adam step on the gradients at hand; `progress` from 0 to 1 sets the rate."""
        self._decoded.clear()
        self._optimizer.param_groups[0]["lr"] = self._rate * self._decay**progress
        self._optimizer.step()
        self._optimizer.zero_grad()

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


@torch.no_grad()
def token_variables(network: TokenGSNetwork, context: Views, rate: float, decay: float) -> TokenVariables:
    """The network's tokens, read against what it remembers of `context` (a batch of one scene, encoded once).

    `rate` is a fraction of the tokens' root mean square.
    """
    memory, tokens = network.encode(context), network.initial_tokens(1)
    size = float(tokens.square().mean().sqrt())
    return TokenVariables(tokens, lambda tuned, time: network.decode(memory, tuned, time=time), rate * size, decay)


@torch.no_grad()
def latent_variables(network: TokenGSNetwork, context: Views, rate: float, decay: float) -> TokenVariables:
    """The latents that a network with a bottleneck makes of `context` (a batch of one scene)."""

    def decode(latents: Tensor, time: float | None) -> Gaussians:
        return network.decode(network.memory_from_latents(latents), time=time)

    return TokenVariables(network.encode_latents(context), decode, rate, decay)
