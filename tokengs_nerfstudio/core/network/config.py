"""What a network is made of, and the conventions its weights were made for."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.frame import CameraFrame, FrameRule, ScaleRule
from tokengs_nerfstudio.core.ranges import Length, Positive, Range, Share, Whole, check
from tokengs_nerfstudio.core.types import Example, RenderConfig

_MOST_TOKENS = 2**22
TokenCount = Annotated[int, Range(1, _MOST_TOKENS)]
"""as many as can be decoded at all"""
Depth = Annotated[int, Range(0, 2**8)]
Side = Annotated[int, Range(8, 2**11)]
Head = Literal["open", "bounded"]
"""Gaussians anywhere in space, or of one object: none farther than one from the origin along any axis."""


@dataclass(frozen=True)
class NetworkConfig:
    """Architecture, Gaussian head, and the conventions the weights were made for."""

    width: Annotated[int, Range(1, 2**16)]
    heads: Annotated[int, Range(1, 2**10)]
    encoder_depth: Depth
    decoder_depth: Depth
    tokens: TokenCount
    gaussians_per_token: Annotated[int, Range(1, 2**12)] = 64
    patch_size: Annotated[int, Range(1, 2**8)] = 8
    mlp_ratio: Annotated[float, Range(0, 2**8, above=True)] = 4.0
    """Channels inside the MLPs of all blocks, as multiples of the width."""
    dynamic_tokens: Annotated[int, Range(0, _MOST_TOKENS)] = 0
    time_channels: Annotated[int, Range(0, 2**10)] = 0
    """Channels of the embedded time; 0 for a network that knows no time."""
    multiscale_layers: tuple[Whole, ...] = ()
    """Encoder blocks (from zero) whose outputs are read together; empty for the last one alone."""
    latents: Annotated[int, Range(0, _MOST_TOKENS)] = 0
    """Learned latents between images and Gaussians; 0 for a decoder that attends to the image features."""
    latent_depth: Depth = 0
    anchors: bool = False
    """Every token has a place in the scene, from where it looks and around which it puts Gaussians (LocusGS)."""
    bounded: bool = False
    """Anchors, radii and Gaussians of an anchored network cannot leave the far plane's distance (ours)."""

    sweep: bool = False
    """The encoder is told where a plane sweep over the context photos finds surfaces, as if nothing moved (ours)."""
    photo_colors: bool = False
    """Gaussians take their colours from the context photos that show them; those of dynamic tokens from photos near the
    target's time (ours)."""

    surfaces: bool = False
    """Gaussians are drawn to the surfaces that sweep and encoder together see in the context photos (ours)."""

    footprint: Annotated[float, Range(0, 10)] = 0.0
    """Gaussians are blurred by so many pixels (standard deviation) of the context photos that show them: between the
    samples of coarse photos there are no holes when they are shown larger (ours)."""

    head: Head = "open"
    """What raw channels mean: `bounded` is that of Object TokenGS."""
    z_offset: Annotated[float, Range(-1e3, 1e3)] = 1.0
    opacity_bias: Annotated[float, Range(-1e3, 1e3)] = 2.0
    opacity_floor: Annotated[float, Range(0, 1, below=True)] = 0.0
    """Least opacity of a Gaussian: what cannot hide is put where it is of use (ours)."""
    scale_cap: Annotated[float, Range(0, 1e3, above=True)] = 0.075

    frame: CameraFrame = "first"
    scale: ScaleRule = "max_baseline"
    scale_value: Length = 1.0
    near: Positive = 0.025
    """Near plane of the renders that the weights are trained with, in canonical units, as `far`."""
    far: Positive = 125.0
    background: Share = 0.5
    """Grey behind the Gaussians."""
    backdrop: Literal["grey", "photos"] = "grey"
    """What is behind the Gaussians: that grey, or the mean colour of the context photos (ours). Cut-out photos, which
    show the grey where there is nothing, keep it."""
    image_size: tuple[Side, Side] = (256, 256)
    """Height and width of the training images, in pixels."""
    num_context: Annotated[int, Range(1, 2**10)] = 4

    def __post_init__(self) -> None:
        check(self)
        if not self.near < self.far:
            raise UserError(f"near {self.near} must be smaller than far {self.far}")
        if self.width % self.heads:
            raise UserError(f"width {self.width} is not a multiple of heads {self.heads}")
        if round(self.width * self.mlp_ratio) / self.width != self.mlp_ratio:
            raise UserError(f"mlp_ratio {self.mlp_ratio} of width {self.width} is no whole number of channels")
        if self.dynamic_tokens and not self.time_channels:
            raise UserError(f"{self.dynamic_tokens} dynamic tokens need time_channels above 0, got 0")
        if bool(self.latents) != bool(self.latent_depth):
            raise UserError(f"latents {self.latents} and latent_depth {self.latent_depth}: one without the other")
        layers = self.multiscale_layers
        if list(layers) != [layer for layer in range(self.encoder_depth) if layer in layers]:
            raise UserError(f"multiscale_layers {layers} are not ascending numbers of {self.encoder_depth} blocks")
        if self.anchors and self.latents:
            raise UserError(f"anchors need a decoder that reads image patches, got latents {self.latents}")
        if self.photo_colors and self.latents:
            raise UserError(f"photo_colors need the photos beside the memory, got latents {self.latents}")
        if self.sweep and self.patch_size % 2:
            raise UserError(f"sweep needs patches of an even size, got patch_size {self.patch_size}")
        if self.surfaces and not (self.sweep and self.photo_colors):
            raise UserError("surfaces are made of a sweep over the photos: they need sweep and photo_colors")
        if self.footprint and not self.photo_colors:
            raise UserError("a footprint is that of pixels of the photos: it needs photo_colors")
        if self.bounded and not self.anchors:
            raise UserError("bounded is about anchors: it needs anchors to be True")
        if self.head == "bounded" and self.anchors:
            raise UserError("a bounded head has no use for anchors: its Gaussians lie around the origin")

    @property
    def mlp_width(self) -> int:
        """Channels inside the MLPs of all blocks."""
        return round(self.width * self.mlp_ratio)

    @property
    def rule(self) -> FrameRule:
        """How the network wants its scenes placed."""
        return FrameRule(self.frame, self.scale, self.scale_value)

    def rendering(self, example: Example) -> RenderConfig:
        """How the Gaussians that the network makes of the example's context are rendered in the canonical frame."""
        grey = self.backdrop == "grey" or example.context.cut_out or example.target.cut_out
        return RenderConfig(self.near, self.far, self.background if grey else example.context.mean_color)

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which the network should see photos of this size.

        The photos' aspect, both sides multiples of the patch, about as many pixels as it was trained with.
        """
        trained_height, trained_width = self.image_size
        scale = math.sqrt(trained_height * trained_width / (height * width))
        rows, columns = (max(1, round(side * scale / self.patch_size)) * self.patch_size for side in (height, width))
        return rows, columns


_BASE = NetworkConfig(
    width=1024, heads=16, encoder_depth=3, decoder_depth=12, tokens=1024, scale="constant", scale_value=0.15
)
_BASE_VIEWS = replace(_BASE, tokens=4096, image_size=(256, 448))
_LATENT = replace(
    _BASE_VIEWS,
    encoder_depth=12,
    decoder_depth=1,
    multiscale_layers=(5, 7, 9, 11),
    latents=4096,
    latent_depth=12,
    z_offset=0.0,
    frame="mean",
)
_KUBRIC = replace(_LATENT, tokens=1024, image_size=(256, 256), scale="pointmap", scale_value=1.0)
_ANCHORED = NetworkConfig(
    width=192,
    heads=6,
    encoder_depth=4,
    decoder_depth=4,
    tokens=256,
    gaussians_per_token=32,
    scale_cap=0.3,
    frame="middle",
    image_size=(64, 64),
    anchors=True,
)
_PHOTO = replace(_ANCHORED, photo_colors=True)
_VISIBLE = replace(_PHOTO, opacity_floor=0.1)
_SWEPT = replace(_VISIBLE, sweep=True)
_SCRATCH = replace(_SWEPT, surfaces=True, footprint=0.45, backdrop="photos")
_DYNAMIC = replace(_SCRATCH, dynamic_tokens=96, time_channels=2)
_LOCUS = replace(_BASE, anchors=True)
_OBJECT = replace(
    _BASE,
    encoder_depth=24,
    decoder_depth=1,
    tokens=4096,
    head="bounded",
    z_offset=0.0,
    opacity_bias=0.0,
    frame="orbit",
    scale_value=1.0,
    background=1.0,
    image_size=(512, 512),
    num_context=16,
)

PRESETS: dict[str, NetworkConfig] = {
    "tiny": _SCRATCH,
    "tiny-plain": replace(_ANCHORED, anchors=False),
    "tiny-anchored": _ANCHORED,
    "tiny-bounded": replace(_ANCHORED, bounded=True),
    "tiny-photo": _PHOTO,
    "tiny-visible": _VISIBLE,
    "tiny-swept": _SWEPT,
    "tiny-dynamic": _DYNAMIC,
    "small": replace(
        _SCRATCH,
        width=256,
        heads=8,
        encoder_depth=5,
        decoder_depth=5,
        tokens=512,
        gaussians_per_token=64,
        image_size=(128, 128),
    ),
    "base": _BASE,
    **{f"base-{views}view": replace(_BASE_VIEWS, num_context=views) for views in (2, 4, 6)},
    **{f"latent-{views}view": replace(_LATENT, num_context=views) for views in (2, 4, 6)},
    "kubric-dynamic": replace(_KUBRIC, dynamic_tokens=256, time_channels=2),
    "kubric-static": _KUBRIC,
    "locus": _LOCUS,
    "locus-4view": replace(_LOCUS, tokens=4096, image_size=(256, 448)),
    "object": _OBJECT,
}
"""Ours (`tiny` and `small`, trained from scratch; `tiny-...` lack parts of it, for trials) and the published ones."""
