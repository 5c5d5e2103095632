"""Where a capture's world lies in nerfstudio's, and what brings cameras from one such place to another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from torch import Tensor

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Similarity

# In nerfstudio's units and of rotations and scales: rounding of another machine or version.
_ROUNDING = 1e-5
# By how much the axes of a change of frame may miss being orthonormal, by rounding.
_MOST_BENT = 1e-3


@dataclass(frozen=True)
class WorldFrame:
    """Where a capture's world lies in nerfstudio's: the transform of a dataparser, and the scale that follows it."""

    transform: Float[Tensor, "3 4"]
    scale: float

    @classmethod
    def of(cls, outputs: DataparserOutputs) -> "WorldFrame":
        return cls(outputs.dataparser_transform.detach().cpu().double(), float(outputs.dataparser_scale))

    @classmethod
    def of_numbers(cls, numbers: Sequence[float]) -> "WorldFrame":
        """ValueError for others than those of `numbers`."""
        *rows, scale = numbers
        return cls(torch.tensor(rows, dtype=torch.float64).reshape(3, 4), float(scale))

    @property
    def numbers(self) -> tuple[float, ...]:
        """The transform row by row, then the scale."""
        return (*self.transform.flatten().tolist(), self.scale)

    def change_from(self, other: "WorldFrame") -> Similarity | None:
        """What brings those who are in nerfstudio's world by the `other` to where they are by this one, with 64 bits;
        None where that is where they are.

        UserError where the capture's world was sheared or mirrored in between.
        """
        change = _matrix(self) @ torch.linalg.inv(_matrix(other))
        if torch.allclose(change, torch.eye(4).double(), rtol=0, atol=_ROUNDING):
            return None
        scale = torch.linalg.det(change[:3, :3]).abs() ** (1 / 3)
        turn = change[:3, :3] / scale
        bent = float((turn @ turn.mT - torch.eye(3)).abs().max())
        if not bent < _MOST_BENT or torch.linalg.det(turn) < 0:
            raise UserError(
                "the capture's world was sheared or mirrored since the run began: put back the 'applied_transform' "
                "that it had, or train again"
            )
        return Similarity(turn, change[:3, 3] / scale, scale)

    def given_to(self, outputs: DataparserOutputs) -> DataparserOutputs:
        """The outputs of a dataparser, saying that the capture's world lies here; their cameras are what they were."""
        return replace(
            outputs, dataparser_transform=self.transform.to(outputs.dataparser_transform), dataparser_scale=self.scale
        )


def changed_poses(poses: Float[Tensor, "view 3 4"], change: Similarity) -> Float[Tensor, "view 3 4"]:
    """nerfstudio's camera-to-worlds after a change of its world, reckoned with 64 bits."""
    return bridge.nerfstudio_poses(change.cameras(bridge.opencv_poses(poses.double()))).to(poses)


def _matrix(frame: WorldFrame) -> Float[Tensor, "4 4"]:
    return torch.cat([frame.scale * frame.transform, frame.transform.new_tensor([[0.0, 0.0, 0.0, 1.0]])])
