"""Where a scene lies whose cameras were moved: the similarity from cameras to the same ones elsewhere."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.rotation import nearest_rotation, rotation_vector
from tokengs_nerfstudio.core.types import Similarity

_ROUNDS, _INNER = 30, 5
# The median length of three normal errors of unit size.
_MEDIAN_OF_THREE = 1.538
# Errors never count as smaller than this: radians, and shares of the cameras' extent.
_LEAST = 1e-6
# A pair's weight bends where its six errors together are so many times one usual error: three times as large as usual.
_BEND = 7.3
# Cameras that are no farther apart than this share of their coordinates are in one place.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Alignment:
    """A similarity between two sets of the same cameras, and how far it leads."""

    similarity: Similarity
    degrees: float
    """what it turns by"""
    shift: float
    """how far it moves the cameras' centre, as a share of their extent: the largest distance from it"""

    @property
    def text(self) -> str:
        """What a person wants to know."""
        return (
            f"turned by {self.degrees:.3f} degrees, moved by {100 * self.shift:.2f} % of the cameras' extent, "
            f"{float(self.similarity.scale):.4f} times as large"
        )


def alignment(before: Float[Tensor, "view 4 4"], after: Float[Tensor, "view 4 4"]) -> Alignment:
    """The similarity that takes cameras-to-world `before` to `after`, however wrong some of the pairs are; 64 bits.

    Centres and turns count by how large their errors are (Umeyama 1991 for the centres, with the chordal mean of the
    turns), pairs that fit badly by weights of Geman and McClure (1985). Cameras in one place have no scale: it is 1.
    """
    before, after = before.detach().double().cpu(), after.detach().double().cpu()
    given, found = before[:, :3, 3], after[:, :3, 3]
    turns = after[:, :3, :3] @ before[:, :3, :3].mT
    extent = float((given - given.mean(0)).norm(dim=1).max())
    apart = extent > _ROUNDING * float(given.abs().max())
    unit = extent if apart else 1.0
    weight = torch.ones_like(given[:, 0])
    turn_error, shift_error, scale, rotation = 1.0, 1.0, 1.0, nearest_rotation(turns.sum(0))
    start, end = given.mean(0), found.mean(0)
    for _ in range(_ROUNDS):
        share = (weight / weight.sum())[:, None]
        start, end = (share * given).sum(0), (share * found).sum(0)
        a, b = (given - start) / unit, (found - end) / unit
        for _ in range(_INNER):
            along = float((share * b * (a @ rotation.mT)).sum())
            scale = along / float((share * a.square()).sum()) if apart and along > 0 else 1.0
            pulled = (share[:, :, None] * turns).sum(0) / (2 * turn_error**2)
            rotation = nearest_rotation(pulled + scale * (share * b).mT @ a / shift_error**2)
        turned = rotation_vector(turns @ rotation.mT).norm(dim=1)
        shifted = (b - scale * a @ rotation.mT).norm(dim=1)
        turn_error, shift_error = (max(float(e.median()) / _MEDIAN_OF_THREE, _LEAST) for e in (turned, shifted))
        weight = 1 / (1 + ((turned / turn_error).square() + (shifted / shift_error).square()) / _BEND**2) ** 2
    similarity = Similarity(rotation, end / scale - rotation @ start, torch.tensor(scale).double())
    moved = similarity.points(given.mean(0)[None])[0] - given.mean(0)
    return Alignment(similarity, math.degrees(float(rotation_vector(rotation).norm())), float(moved.norm()) / unit)
