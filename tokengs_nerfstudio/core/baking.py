"""A scene that moves, as Gaussians at several times: each keeps its identity, so in between they are interpolated."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tokengs_nerfstudio.core.types import Gaussians

MOST_TIMES = 32


def spread_times(times: Float[Tensor, " view"], most: int = MOST_TIMES) -> list[float]:
    """The distinct times, ascending; where there are more than `most`, evenly chosen ones with both ends."""
    distinct = times.unique()
    chosen = torch.linspace(0, len(distinct) - 1, min(len(distinct), most)).round().long()
    return distinct[chosen.to(distinct.device)].tolist()


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
        for field in fields(Gaussians):
            values = getattr(stacked, field.name)
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
        mixed = {}
        for field in fields(Gaussians):
            states = getattr(self.states, field.name)
            between = torch.lerp(states[after - 1], states[after], weight)
            between = F.normalize(between, dim=-1) if field.name == "quats" else between
            mixed[field.name] = getattr(still, field.name).index_copy(0, self.moving, between)
        return Gaussians(**mixed)


def _turning_shortly(states: Gaussians) -> Gaussians:
    """q and -q are one rotation: signs such that neighbours in time are on one side."""
    quats = states.quats
    side = (quats[1:] * quats[:-1]).sum(-1, keepdim=True).sign()
    side = torch.where(side == 0, torch.ones_like(side), side).cumprod(0)
    turned = torch.cat([quats[:1], quats[1:] * side])
    return Gaussians(states.means, turned, states.scales, states.opacities, states.colors)
