"""What of a finished run is handed on, and in which frame: the same for every format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Gaussians, Similarity
from tokengs_nerfstudio.data.finished_run import FRAMES, FinishedRun, Frame

# Of the size of an ordinary Gaussian: by how much rounding to 32 bits may displace it.
_MOST_DISPLACED = 0.1


@dataclass(frozen=True)
class Choice:
    """Which Gaussians are handed on."""

    least_opacity: float = 0.0
    """more transparent ones are left out"""
    box: tuple[float, ...] | None = None
    """least x, y, z and greatest x, y, z of their centres; None for everywhere"""

    def of(self, states: Sequence[Gaussians]) -> Bool[Tensor, " gaussian"]:
        """Those of a scene, in its states at several times, that are finite always and, at one time at least, neither
        too transparent nor outside of the box."""
        finite = torch.stack([state.finite for state in states]).all(0)
        return finite & torch.stack([self._wanted(state) for state in states]).any(0)

    def _wanted(self, state: Gaussians) -> Bool[Tensor, " gaussian"]:
        wanted = state.opacities >= self.least_opacity
        if self.box is not None:
            low, high = state.means.new_tensor(self.box).reshape(2, 3)
            wanted &= ((state.means >= low) & (state.means <= high)).all(-1)
        return wanted


@dataclass(frozen=True)
class Exported:
    """Gaussians of one scene at `times` (none: it stands still, or is as at the first time), 32 bits, in `frame`."""

    run: FinishedRun
    frame: Frame
    states: list[Gaussians]
    times: list[float]
    of: int
    """how many Gaussians the run has"""

    @property
    def count(self) -> int:
        return self.states[0].count

    def moved(self, similarity: Similarity) -> list[Gaussians]:
        """The states in the frame that `similarity` leads to from nerfstudio's world."""
        change = similarity.compose(self.run.from_nerfstudio(self.frame).inverse())
        return [state.transformed(change).to(torch.float32) for state in self.states]

    def description(self) -> dict[str, Any]:
        """Where the file's coordinates are in each frame that the run knows, as 4x4 matrices for columns x y z 1, and
        how the Gaussians were meant to be rendered (lengths in nerfstudio's frame): numbers for a JSON file."""
        from_file = self.run.from_nerfstudio(self.frame).inverse()
        known = {frame: _known(self.run, frame) for frame in FRAMES}
        matrices = {
            f"to_{frame}": None if there is None else _matrix(there.compose(from_file)).tolist()
            for frame, there in known.items()
        }
        rendering = self.run.baked.rendering.as_numbers()
        return {"frame": self.frame, **matrices, "gaussians": self.count, "times": self.times, "rendering": rendering}


def _known(run: FinishedRun, frame: Frame) -> Similarity | None:
    try:
        return run.from_nerfstudio(frame)
    except UserError:
        return None


def _matrix(similarity: Similarity) -> Float[Tensor, "4 4"]:
    upper = torch.cat([similarity.rotation, similarity.translation[:, None]], dim=1) * similarity.scale
    return torch.cat([upper, upper.new_tensor([[0.0, 0.0, 0.0, 1.0]])])


def exported(run: FinishedRun, frame: Frame, times: Sequence[float], choice: Choice) -> Exported:
    """The chosen Gaussians of a run in `frame`, at `times`; without any, as at first.

    UserError where none is left, where `frame` is not known, and where 32 bits are too few for where they are.
    """
    to_frame = run.from_nerfstudio(frame)
    states = [run.baked.at(time).detach().transformed(to_frame) for time in times or (None,)]
    chosen = choice.of(states)
    if not chosen.any():
        raise UserError(
            f"none of the {len(chosen):,} Gaussians is left: their centres are {_extent(states[0])} in this frame, "
            f"their opacities up to {float(states[0].opacities.amax()):.2g}; widen the box or lower the least opacity"
        )
    if not chosen.all():
        states = [state.select(chosen) for state in states]
    for state in states:
        _check_precision(state, frame)
    return Exported(run, frame, [state.to(torch.float32) for state in states], list(times), len(chosen))


def _extent(state: Gaussians) -> str:
    means = state.means[state.finite]
    if not len(means):
        return "not finite"
    return " to ".join(" ".join(f"{value:.3g}" for value in end(0).values.tolist()) for end in (means.min, means.max))


def _check_precision(state: Gaussians, frame: Frame) -> None:
    middle = state.means.median(0).values.abs().amax()
    step = float(torch.finfo(torch.float32).eps * middle)
    size = float(state.scales.amax(-1).median())
    if step > _MOST_DISPLACED * size:
        raise UserError(
            f"the scene lies {float(middle):.4g} units from the origin of the {frame}'s frame, where 32 bits are "
            f"{step:.2g} apart and Gaussians {size:.2g} large: give --frame nerfstudio, and use the transform that is "
            "written beside the file"
        )
