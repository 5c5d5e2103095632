"""What one training step sees: context and supervised views of several scenes in their canonical frames."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.types import Views


@dataclass(frozen=True)
class TrainingBatch:
    """Both with a batch axis; cameras in the frame that the scene's context views define."""

    context: Views
    """what the network sees"""
    target: Views
    """what is rendered and compared; may hold context views again"""
    depth: Float[Tensor, "batch view 1 height width"] | None = None
    """exact z-depth of the target views in their frame, 0 where there is no surface; None where it is not known"""

    @property
    def num_scenes(self) -> int:
        return self.context.images.shape[0]

    def scenes(self, selection: slice) -> "TrainingBatch":
        """Some of the scenes."""
        return TrainingBatch(
            self.context[selection],
            self.target[selection],
            None if self.depth is None else self.depth[selection],
        )

    def to(self, device: torch.device | str) -> "TrainingBatch":
        depth = None if self.depth is None else self.depth.to(device)
        return TrainingBatch(self.context.to(device), self.target.to(device), depth)


def canonical_batch(
    context: Views,
    target: Views,
    frame: str,
    scale: str,
    value: float,
    depth: Float[Tensor, "batch view 1 height width"] | None = None,
) -> TrainingBatch:
    """World-frame views of the same scenes, moved to the frame that `core.cameras.canonical_frame` takes from context.

    The similarity acts on all cameras and on the targets' depth, so context and targets stay consistent.
    """
    similarity = canonical_frame(context.c2w, frame, scale, value)
    return TrainingBatch(
        context=similarity.views(context),
        target=similarity.views(target),
        depth=None if depth is None else depth * similarity.scale[:, None, None, None, None],
    )
