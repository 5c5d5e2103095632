"""The tensors that flow between the parts. Leading `*batch` axes are optional everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor

from tokengs_nerfstudio.core.harmonics import turned
from tokengs_nerfstudio.core.records import TensorRecord
from tokengs_nerfstudio.core.rotation import multiply_quaternions, quaternion_from_matrix, rotate

# Photos whose opacities are nowhere below this are opaque: an alpha channel does not make a cut-out.
OPAQUE = 0.996


@dataclass(frozen=True)
class Cameras(TensorRecord):
    """Pinhole cameras of one scene or of a batch: what a renderer is asked for."""

    c2w: Float[Tensor, "*batch view 4 4"]
    intrinsics: Float[Tensor, "*batch view 3 3"]
    width: int
    height: int


@dataclass(frozen=True)
class RenderConfig:
    """How pictures are made of Gaussians; lengths in the frame that the Gaussians are in."""

    near: float = 0.01
    """z-depth before which Gaussians are left out"""
    far: float = 1e10
    """z-depth behind which they are left out"""
    background: float | Tensor = 0.5
    """what shows where they let light through: a number, one colour [3], or colours [*batch 1 3] of scenes or
    [*batch view 3] of views"""
    antialiased: bool = False
    """whether what a Gaussian gains in size by the blur of 0.3 px^2 it loses in opacity, in each view"""

    def scaled(self, factor: float) -> "RenderConfig":
        """The same in a frame whose lengths are `factor` times as large."""
        return replace(self, near=self.near * factor, far=self.far * factor)

    def as_numbers(self) -> dict[str, Any]:
        """What `of_numbers` makes this of again, to be written to a file; one colour at most behind the Gaussians."""
        return {name: value.tolist() if isinstance(value, Tensor) else value for name, value in vars(self).items()}

    @classmethod
    def of_numbers(cls, numbers: Mapping[str, Any]) -> "RenderConfig":
        """From what `as_numbers` gave."""
        known: dict[str, Any] = {
            name: torch.tensor(value) if isinstance(value, list) else value for name, value in numbers.items()
        }
        return cls(**known)


@dataclass(frozen=True)
class Views(TensorRecord):
    """Posed images of one scene or of a batch of scenes.

    RGB in [0, 1]; OpenCV camera-to-world (x right, y down, z forward); intrinsics in pixels of these images, the
    first pixel's centre at (0.5, 0.5); times in [0, 1], normalised by whoever builds the item; masks 1 where a pixel
    may supervise and 0 where it is to be ignored (the network looks at all of them); exact z-depths in the cameras'
    frame, 0 where there is no surface; opacities (alphas) of photos that are cut out, 0 where there is nothing:
    `images` show the background that is rendered over (grey 0.5, unless weights say otherwise) as far as these let
    light through. `moving`, where known, is 1 on pixels that show what ever moves in the scene, else 0.
    """

    images: Float[Tensor, "*batch view 3 height width"]
    c2w: Float[Tensor, "*batch view 4 4"]
    intrinsics: Float[Tensor, "*batch view 3 3"]
    times: Float[Tensor, "*batch view"] | None = None
    masks: Float[Tensor, "*batch view 1 height width"] | None = None
    depths: Float[Tensor, "*batch view 1 height width"] | None = None
    alphas: Float[Tensor, "*batch view 1 height width"] | None = None
    moving: Float[Tensor, "*batch view 1 height width"] | None = None

    @property
    def num_views(self) -> int:
        return self.images.shape[-4]

    @property
    def height(self) -> int:
        return self.images.shape[-2]

    @property
    def width(self) -> int:
        return self.images.shape[-1]

    @property
    def cameras(self) -> Cameras:
        """The cameras alone, for pictures of the images' size."""
        return Cameras(self.c2w, self.intrinsics, self.width, self.height)

    @property
    def in_memory(self) -> bool:
        """Whether `images` holds the pixels, which `select` brings else."""
        return True

    @property
    def masked(self) -> bool:
        """Whether there are masks."""
        return self.masks is not None

    @property
    def cut_out(self) -> bool:
        """Whether there are opacities."""
        return self.alphas is not None

    @property
    def mean_color(self) -> Float[Tensor, "..."]:
        """What the valid pixels of all views show in the mean: [3], or [*batch 1 3] as the colour of each scene."""
        images = self.images.movedim(-3, 0).flatten(-3)
        if self.masks is None:
            mean = images.mean(-1)
        else:
            valid = self.masks.to(images).squeeze(-3).flatten(-3)
            mean = (images * valid).sum(-1) / valid.sum(-1).clamp(min=1)
        return mean if mean.ndim == 1 else mean.movedim(0, -1)[..., None, :]

    @property
    def valid_share(self) -> float:
        """The share of the pixels that may supervise."""
        return 1.0 if self.masks is None else float(self.masks.mean())

    def usable(self) -> list[int]:
        """The views of one scene that have any pixel to supervise with."""
        if self.masks is None:
            return list(range(self.num_views))
        return self.masks.flatten(1).any(1).nonzero()[:, 0].tolist()

    @property
    def over_time(self) -> bool:
        """Whether views of one scene are of several moments."""
        return self.times is not None and bool((self.times != self.times[0]).any())

    def subset(self, indices: Sequence[int] | Tensor | slice) -> "Views":
        """`select`, for views that are to be handed on: those that are not in memory are not read."""
        return self.select(indices)

    @property
    def shown(self) -> Float[Tensor, "*batch view 1 height width"] | None:
        """1 where a pixel may supervise and shows more than nothing, else 0; None where all of them do."""
        if self.alphas is None:
            return self.masks
        solid = (self.alphas > 0.5).to(self.alphas)
        return solid if self.masks is None else solid * self.masks

    def select(self, indices: Sequence[int] | Tensor | slice) -> "Views":
        """The views at `indices`, along the view axis, in that order."""
        index = indices if isinstance(indices, slice) else _index(indices, self.images.device)
        return Views(
            images=self.images[..., index, :, :, :],
            c2w=self.c2w[..., index, :, :],
            intrinsics=self.intrinsics[..., index, :, :],
            times=None if self.times is None else self.times[..., index],
            masks=None if self.masks is None else self.masks[..., index, :, :, :],
            depths=None if self.depths is None else self.depths[..., index, :, :, :],
            alphas=None if self.alphas is None else self.alphas[..., index, :, :, :],
            moving=None if self.moving is None else self.moving[..., index, :, :, :],
        )

    def over(self, background: float | Tensor, wanted: Float[Tensor, "*batch view 3"]) -> "Views":
        """Cut-out photos, shown over `background` now, over a colour of their own each; opaque ones are as they were.

        `background` is a number, one colour [3] or a colour for each view.
        """
        if self.alphas is None:
            return self
        change = (wanted - torch.as_tensor(background).to(wanted))[..., None, None]
        return replace(self, images=self.images + (1 - self.alphas) * change)


def _index(indices: Sequence[int] | Tensor, device: torch.device) -> Tensor:
    """Whole numbers, also where there are none at all."""
    index = torch.as_tensor(indices, device=device)
    return index if index.numel() else index.long()


@dataclass(frozen=True)
class Example(TensorRecord):
    """What the network sees and what its answer is compared with: tuning, training and evaluation alike."""

    context: Views
    """what the network sees"""
    target: Views
    """what is rendered and compared; may hold context views again"""

    @property
    def num_scenes(self) -> int:
        """Of a batch."""
        return self.context.images.shape[0]

    def in_its_times(self) -> "Example":
        """One scene with its earliest view at time 0 and its latest at 1 (TokenGS, arXiv 2604.15239).

        All at 0 where all are of one time; no times at all where context or targets have none.
        """
        if self.context.times is None or self.target.times is None:
            return Example(replace(self.context, times=None), replace(self.target, times=None))
        both = torch.cat([self.context.times, self.target.times])
        first, span = both.min(), both.max() - both.min()

        def within(views: Views, times: Tensor) -> Views:
            return replace(views, times=(times - first) / span if span > 0 else torch.zeros_like(times))

        return Example(within(self.context, self.context.times), within(self.target, self.target.times))

    def moved(self, similarity: "Similarity") -> "Example":
        """The same photos with all cameras, and depths, in the frame that `similarity` leads to."""
        return Example(similarity.views(self.context), similarity.views(self.target))


@dataclass(frozen=True)
class Gaussians(TensorRecord):
    """3D Gaussians with activated values: unit wxyz quaternions, linear scales, opacities and RGB in [0, 1].

    `harmonics`, where there are any, are added to the colours by the direction that a Gaussian is seen in: coefficients
    of degree 1 on (3, 8 or 15 of them; see `core.harmonics`).
    """

    means: Float[Tensor, "*batch gaussian 3"]
    quats: Float[Tensor, "*batch gaussian 4"]
    scales: Float[Tensor, "*batch gaussian 3"]
    opacities: Float[Tensor, "*batch gaussian"]
    colors: Float[Tensor, "*batch gaussian 3"]
    harmonics: Float[Tensor, "*batch gaussian coefficient 3"] | None = None

    @property
    def count(self) -> int:
        return self.means.shape[-2]

    @property
    def finite(self) -> Bool[Tensor, "*batch gaussian"]:
        """Which have finite values only: others no renderer can draw, and viewers choke on them."""
        finite = self.opacities.isfinite()
        for _, values in self.tensors():
            finite = finite & values.isfinite().reshape(*finite.shape, -1).all(dim=-1)
        return finite

    def select(self, index: Tensor | slice) -> "Gaussians":
        """The Gaussians at `index` (indices, a mask or a slice), along the Gaussian axis."""
        return Gaussians(
            means=self.means[..., index, :],
            quats=self.quats[..., index, :],
            scales=self.scales[..., index, :],
            opacities=self.opacities[..., index],
            colors=self.colors[..., index, :],
            harmonics=None if self.harmonics is None else self.harmonics[..., index, :, :],
        )

    def transformed(self, similarity: "Similarity") -> "Gaussians":
        """The same Gaussians seen from the frame that `similarity` leads to."""
        return similarity.gaussians(self)


@dataclass(frozen=True)
class Renders(TensorRecord):
    """Rendered views: RGB over the background, accumulated opacity, expected z-depth (None where not asked for)."""

    rgb: Float[Tensor, "*batch view 3 height width"]
    alpha: Float[Tensor, "*batch view 1 height width"]
    depth: Float[Tensor, "*batch view 1 height width"] | None = None


@dataclass(frozen=True)
class Similarity(TensorRecord):
    """A change of frame, world -> canonical: x' = scale * (rotation @ x + translation)."""

    rotation: Float[Tensor, "*batch 3 3"]
    translation: Float[Tensor, "*batch 3"]
    scale: Float[Tensor, "*batch"]

    @classmethod
    def identity(
        cls, *batch: int, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> "Similarity":
        eye = torch.eye(3, dtype=dtype, device=device).expand(*batch, 3, 3)
        return cls(eye, eye.new_zeros(*batch, 3), eye.new_ones(batch))

    def inverse(self) -> "Similarity":
        rotation = self.rotation.mT
        translation = -self.scale[..., None] * rotate(rotation, self.translation)
        return Similarity(rotation, translation, 1 / self.scale)

    def compose(self, first: "Similarity") -> "Similarity":
        """The similarity that applies `first` and then this one."""
        rotation = self.rotation @ first.rotation
        translation = rotate(self.rotation, first.translation) + self.translation / first.scale[..., None]
        return Similarity(rotation, translation, self.scale * first.scale)

    def points(self, points: Float[Tensor, "*batch point 3"]) -> Float[Tensor, "*batch point 3"]:
        moved = einsum(self.rotation, points, "... i j, ... point j -> ... point i") + self.translation[..., None, :]
        return self.scale[..., None, None] * moved

    def cameras(self, c2w: Float[Tensor, "*batch view 4 4"]) -> Float[Tensor, "*batch view 4 4"]:
        """Camera-to-world matrices of the same cameras in the new frame; their axes stay orthonormal."""
        rotation = self.rotation[..., None, :, :] @ c2w[..., :3, :3]
        position = self.points(c2w[..., :3, 3])
        upper = torch.cat([rotation, position[..., None]], dim=-1)
        return torch.cat([upper, c2w[..., 3:, :]], dim=-2)

    def views(self, views: Views) -> "Views":
        """The same photos with their cameras and depths in the new frame."""
        depths = None if views.depths is None else views.depths * self.scale[..., None, None, None, None]
        return replace(views, c2w=self.cameras(views.c2w), depths=depths)

    def gaussians(self, gaussians: Gaussians) -> "Gaussians":
        """The same Gaussians in the new frame; their means have 64 bits where the similarity has."""
        turn = quaternion_from_matrix(self.rotation.to(gaussians.quats))[..., None, :].expand_as(gaussians.quats)
        return Gaussians(
            means=self.points(gaussians.means.to(torch.promote_types(gaussians.means.dtype, self.rotation.dtype))),
            quats=multiply_quaternions(turn, gaussians.quats),
            scales=gaussians.scales * self.scale[..., None, None].to(gaussians.scales),
            opacities=gaussians.opacities,
            colors=gaussians.colors,
            harmonics=None if gaussians.harmonics is None else turned(gaussians.harmonics, self.rotation),
        )
