"""The tensors that flow between the parts. Leading `*batch` axes are optional everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from tokengs_nerfstudio.core.cameras import Similarity


_Record = TypeVar("_Record", bound="_TensorRecord")


class _TensorRecord:
    """What every record of tensors can do: change device or dtype, detach, be stacked."""

    def _map(self: _Record, function: Any) -> _Record:
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return replace(self, **{k: v if v is None else function(v) for k, v in tensors.items()})  # type: ignore[type-var]

    def to(self: _Record, *args: Any, **kwargs: Any) -> _Record:
        """`Tensor.to` on every tensor."""
        return self._map(lambda tensor: tensor.to(*args, **kwargs))

    def detach(self: _Record) -> _Record:
        return self._map(lambda tensor: tensor.detach())

    def unsqueeze(self: _Record) -> _Record:
        """A batch axis of one in front."""
        return self._map(lambda tensor: tensor[None])

    def squeeze(self: _Record) -> _Record:
        """The only item of a batch of one; ValueError for any other batch."""

        def only(tensor: Tensor) -> Tensor:
            if tensor.shape[0] != 1:
                raise ValueError(
                    f"squeeze() needs a batch of one scene, got {tensor.shape[0]}; index the batch instead"
                )
            return tensor[0]

        return self._map(only)

    @classmethod
    def stack(cls: type[_Record], items: Sequence[_Record]) -> _Record:
        """Items of equal shape, stacked along a new batch axis in front."""
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        columns = {name: [getattr(item, name) for item in items] for name in names}
        for name, column in columns.items():
            if any(value is None for value in column) and any(value is not None for value in column):
                raise ValueError(
                    f"cannot stack {cls.__name__}: '{name}' is present in some items and missing in others"
                )
        return cls(**{name: None if column[0] is None else torch.stack(column) for name, column in columns.items()})


@dataclass(frozen=True)
class Views(_TensorRecord):
    """Posed images of one scene or of a batch of scenes.

    RGB in [0, 1]; OpenCV camera-to-world (x right, y down, z forward); intrinsics in pixels of these images, the
    first pixel's centre at (0.5, 0.5); times in [0, 1], normalised by whoever builds the item; masks 1 where a pixel
    may supervise and 0 where it is to be ignored (the network looks at all of them).
    """

    images: Float[Tensor, "*batch view 3 height width"]
    c2w: Float[Tensor, "*batch view 4 4"]
    intrinsics: Float[Tensor, "*batch view 3 3"]
    times: Float[Tensor, "*batch view"] | None = None
    masks: Float[Tensor, "*batch view 1 height width"] | None = None

    @property
    def num_views(self) -> int:
        return self.images.shape[-4]

    @property
    def height(self) -> int:
        return self.images.shape[-2]

    @property
    def width(self) -> int:
        return self.images.shape[-1]

    def select(self, indices: Sequence[int] | Tensor | slice) -> "Views":
        """The views at `indices`, along the view axis, in that order."""
        index = indices if isinstance(indices, slice) else torch.as_tensor(indices, device=self.images.device)
        return Views(
            images=self.images[..., index, :, :, :],
            c2w=self.c2w[..., index, :, :],
            intrinsics=self.intrinsics[..., index, :, :],
            times=None if self.times is None else self.times[..., index],
            masks=None if self.masks is None else self.masks[..., index, :, :, :],
        )


@dataclass(frozen=True)
class Gaussians(_TensorRecord):
    """3D Gaussians with activated values: unit wxyz quaternions, linear scales, opacities and RGB in [0, 1]."""

    means: Float[Tensor, "*batch gaussian 3"]
    quats: Float[Tensor, "*batch gaussian 4"]
    scales: Float[Tensor, "*batch gaussian 3"]
    opacities: Float[Tensor, "*batch gaussian"]
    colors: Float[Tensor, "*batch gaussian 3"]

    @property
    def count(self) -> int:
        return self.means.shape[-2]

    def select(self, index: Tensor | slice) -> "Gaussians":
        """The Gaussians at `index` (indices, a mask or a slice), along the Gaussian axis."""
        return Gaussians(
            means=self.means[..., index, :],
            quats=self.quats[..., index, :],
            scales=self.scales[..., index, :],
            opacities=self.opacities[..., index],
            colors=self.colors[..., index, :],
        )

    def transformed(self, similarity: "Similarity") -> "Gaussians":
        """The same Gaussians seen from the frame that `similarity` leads to."""
        return similarity.gaussians(self)


@dataclass(frozen=True)
class SceneMemory(_TensorRecord):
    """The keys (already normalised) and values every decoder block attends to."""

    keys: Float[Tensor, "*batch head memory dim"]
    values: Float[Tensor, "*batch head memory dim"]


@dataclass(frozen=True)
class Renders(_TensorRecord):
    """Rendered views: RGB over the background, accumulated opacity, expected z-depth (None where not asked for)."""

    rgb: Float[Tensor, "*batch view 3 height width"]
    alpha: Float[Tensor, "*batch view 1 height width"]
    depth: Float[Tensor, "*batch view 1 height width"] | None = None
