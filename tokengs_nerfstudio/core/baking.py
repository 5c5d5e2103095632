"""What is shown, exported and saved: Gaussians in the world frame, still or moving.

A scene that moves is Gaussians at several times: each keeps its identity, so in between they are interpolated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.rotation import slerp
from tokengs_nerfstudio.core.types import Gaussians, RenderConfig

# Times nearer than this are one: what a slider or a file of 32 bits makes of one another.
_SAME_TIME = 1e-5


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

        Between the two neighbouring times every Gaussian goes its own way: evenly in position, size, opacity and
        colour, and turning evenly about one axis (slerp, Shoemake 1985).
        """
        after = int(torch.searchsorted(self.times, time).clamp(1, len(self.times) - 1))
        first, last = float(self.times[after - 1]), float(self.times[after])
        weight = min(max((time - first) / (last - first), 0.0), 1.0)
        start, end = self.states[after - 1], self.states[after]
        between = start.zip(end, lambda a, b: torch.lerp(a, b, weight))
        between = replace(between, quats=slerp(start.quats, end.quats, weight))
        return still.zip(between, lambda rest, moved: rest.index_copy(0, self.moving, moved))

    @property
    def memory(self) -> int:
        """Bytes that the states take."""
        return sum(values.nbytes for _, values in self.states.tensors())


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
    focal: float = 1.0
    """what the focal lengths of the capture's cameras, as given, are to be multiplied by"""

    @property
    def times(self) -> list[float]:
        """When the Gaussians are known, ascending; none for a scene that stands still."""
        return [] if self.motion is None else self.motion.times.tolist()

    def at(self, time: float | None = None) -> Gaussians:
        """The Gaussians at `time`; without one, a scene that moves is as it is at the first time."""
        return self.still if time is None or self.motion is None else self.motion.applied(self.still, time)

    @property
    def memory(self) -> int:
        """Bytes that the motion takes beside the Gaussians themselves."""
        return 0 if self.motion is None else self.motion.memory

    @property
    def moving(self) -> Bool[Tensor, " gaussian"]:
        """Which of the Gaussians move, ever."""
        found = torch.zeros_like(self.still.opacities, dtype=torch.bool)
        if self.motion is not None:
            found[self.motion.moving] = True
        return found

    def next_time(self, time: float | None = None) -> float | None:
        """The first of `times` after `time` (without one: after the first of them); None where there is none."""
        known = self.times
        now = known[0] if known and time is None else time
        return next((one for one in known if now is not None and one > now + _SAME_TIME), None)

    def displacement(self, time: float | None, other: float | None) -> Float[Tensor, "gaussian 3"]:
        """What is added to the centres on their way from `time` to `other`, in the world."""
        return self.at(other).means - self.at(time).means


def bake(
    splats_at: Callable[[float | None], Gaussians],
    scene: PreparedScene,
    rendering: RenderConfig,
    times: Sequence[float] | None = None,
) -> BakedScene:
    """The scene that `splats_at` gives in the canonical frame of `scene`, in the world.

    A scene that moves is baked at its own times, or at any number of other `times`, in any order. `rendering` is the
    network's, in canonical units. Gaussians with a value that is not finite, at any time, are left out.
    """
    to_world = scene.to_canonical.inverse()
    wanted = scene.times if times is None or not scene.times else sorted(set(times))
    bakes = [splats_at(time).detach().transformed(to_world) for time in wanted or (None,)]
    finite = torch.stack([gaussians.finite for gaussians in bakes]).all(dim=0)
    if not finite.all():
        bakes = [gaussians.select(finite) for gaussians in bakes]
    motion = Motion.between(wanted, bakes) if len(bakes) > 1 else None
    return BakedScene(bakes[0], motion, rendering.scaled(float(to_world.scale)))
