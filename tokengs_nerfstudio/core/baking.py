"""What is shown, exported and saved: Gaussians in the world frame, still or moving.

A scene that moves is Gaussians at several times: each keeps its identity, so in between they are interpolated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig


@dataclass(frozen=True)
class Motion:
    """What moves in a scene: the Gaussians at `moving`, in the states [time, moving] they have at `times` (ascending).

    The quaternions of a Gaussian lie in one half of their sphere from each time to the next.
    """

    times: Float[Tensor, " time"]
    moving: Int[Tensor, " moving"]
    states: Gaussians

    @classmethod
    def between(cls, times: Sequence[float], bakes: Sequence[Gaussians]) -> "Motion | None":
        """The motion through the same Gaussians at several times; None where all of them stand still."""
        stacked = Gaussians.stack(bakes)
        moves = torch.zeros_like(stacked.opacities[0], dtype=torch.bool)
        for _, values in stacked.tensors():
            moves |= (values != values[0]).reshape(*stacked.opacities.shape, -1).any(-1).any(0)
        if not moves.any():
            return None
        moving = moves.nonzero()[:, 0]
        states = stacked.select(moving)
        return cls(torch.tensor(times).to(states.means), moving, _turning_shortly(states))

    def applied(self, still: Gaussians, time: float) -> Gaussians:
        """`still`, with the Gaussians that move as they are at `time`; before the first and after the last: as there.

        Linear between the two neighbouring times in all values, quaternions normalised again.
        """
        after = int(torch.searchsorted(self.times, time).clamp(1, len(self.times) - 1))
        first, last = float(self.times[after - 1]), float(self.times[after])
        weight = min(max((time - first) / (last - first), 0.0), 1.0)
        between = self.states[after - 1].zip(self.states[after], lambda a, b: torch.lerp(a, b, weight))
        between = replace(between, quats=F.normalize(between.quats, dim=-1))
        return still.zip(between, lambda rest, moved: rest.index_copy(0, self.moving, moved))


def _turning_shortly(states: Gaussians) -> Gaussians:
    """q and -q are one rotation: signs such that neighbours in time are on one side."""
    quats = states.quats
    side = (quats[1:] * quats[:-1]).sum(-1, keepdim=True).sign()
    side = torch.where(side == 0, torch.ones_like(side), side).cumprod(0)
    turned = torch.cat([quats[:1], quats[1:] * side])
    return replace(states, quats=turned)


@dataclass(frozen=True)
class BakedScene:
    """Gaussians in the world frame, and how to render them there."""

    still: Gaussians
    """at the first time, where the scene moves"""
    motion: Motion | None = None
    rendering: RenderConfig = field(default_factory=RenderConfig)

    @property
    def times(self) -> list[float]:
        """When the Gaussians are known, ascending; none for a scene that stands still."""
        return [] if self.motion is None else self.motion.times.tolist()

    def at(self, time: float | None = None) -> Gaussians:
        """The Gaussians at `time`; without one, a scene that moves is as it is at the first time."""
        return self.still if time is None or self.motion is None else self.motion.applied(self.still, time)


def bake(splats_at: Callable[[float | None], Gaussians], scene: PreparedScene, rendering: RenderConfig) -> BakedScene:
    """The scene that `splats_at` gives in the canonical frame of `scene`, in the world.

    `rendering` is the network's, in canonical units. Gaussians with a value that is not finite, at any time, are left
    out.
    """
    to_world = scene.to_canonical.inverse()
    bakes = [splats_at(time).detach().transformed(to_world) for time in scene.times or (None,)]
    finite = torch.stack([gaussians.finite for gaussians in bakes]).all(dim=0)
    if not finite.all():
        bakes = [gaussians.select(finite) for gaussians in bakes]
    motion = Motion.between(scene.times, bakes) if len(bakes) > 1 else None
    return BakedScene(bakes[0], motion, rendering.scaled(float(to_world.scale)))
