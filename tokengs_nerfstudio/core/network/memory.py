"""What passes between the parts of the network: what is encoded, and what is decoded of it."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.records import TensorRecord
from tokengs_nerfstudio.core.types import Gaussians, Views


@dataclass(frozen=True)
class Surfaces(TensorRecord):
    """What the context photos are believed to show, at half their size; depths along z, in canonical units."""

    log_depths: Float[Tensor, "*batch view rows columns"]
    spreads: Float[Tensor, "*batch view rows columns"]
    """standard deviation of the logarithm"""


@dataclass(frozen=True)
class SceneMemory(TensorRecord):
    """The keys (already normalised) and values every decoder block attends to.

    `rays` are Pluecker coordinates (moment, unit direction; canonical frame) of the patches that keys and values stand
    for: only for decoders with anchors. `photos` are the context views, for networks that look colours up in them.
    """

    keys: Float[Tensor, "*batch head memory dim"]
    values: Float[Tensor, "*batch head memory dim"]
    rays: Float[Tensor, "*batch memory 6"] | None = None
    photos: Views | None = None
    surfaces: Surfaces | None = None


@dataclass(frozen=True)
class DecodedStages(TensorRecord):
    """What the network had decoded after some of its blocks, one after another along the axis `stage`.

    `gaussians` have batch axes [*batch stage]; `anchors` are the tokens' anchors in the canonical frame, None for a
    network without; the last `dynamic` Gaussians are those of dynamic tokens.
    """

    gaussians: Gaussians
    anchors: Float[Tensor, "*batch stage token 3"] | None = None
    surfaces: Surfaces | None = None
    dynamic: int = 0
