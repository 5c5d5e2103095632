"""What moves, beside Gaussians that are tuned one by one: the Gaussians of dynamic tokens."""

from typing import Any

import torch

from tokengs_nerfstudio.core.tuning.config import GaussianStageConfig
from tokengs_nerfstudio.core.tuning.gaussian_variables import GaussianVariables, activated
from tokengs_nerfstudio.core.tuning.tokens import TokenStage
from tokengs_nerfstudio.core.types import Gaussians


class MovingGaussians:
    """The last `count` Gaussians of `tokens` at any time, and what each of them is changed by, the same at all times.

    They go their ways as the tokens have them go, which stay as they are; what is tuned are changes of their raw
    parameters, zero at first: of place, turn, size, opacity and colour.
    """

    def __init__(self, tokens: TokenStage, count: int, extent: float, config: GaussianStageConfig):
        self._tokens, self.count = tokens, count
        self._changes = GaussianVariables(self._decoded(0.0), extent, config)
        with torch.no_grad():
            for change in self._changes.parameters.values():
                change.zero_()

    def splats(self, time: float | None) -> Gaussians:
        """Those of now at `time`, with gradient."""
        as_decoded = self._changes.raw(self._decoded(time))
        return activated({name: value + self._changes.parameters[name] for name, value in as_decoded.items()})

    def step(self, progress: float) -> None:
        """As `GaussianVariables.step`."""
        self._changes.step(progress)

    def snapshot(self) -> Any:
        return self._changes.snapshot()

    def restore(self, snapshot: Any) -> None:
        self._changes.restore(snapshot)

    def state_dict(self) -> dict[str, Any]:
        return {"tokens": self._tokens.state_dict(), "changes": self._changes.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._tokens.load_state_dict(state["tokens"])
        self._changes.load_state_dict(state["changes"])

    @torch.no_grad()
    def _decoded(self, time: float | None) -> Gaussians:
        return self._tokens.splats(time).select(slice(-self.count, None))
