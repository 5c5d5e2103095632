"""What a network is made of, and the conventions its weights were made for."""

import math
from dataclasses import dataclass, replace

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.frame import CameraFrame, FrameRule, ScaleRule
from tokengs_nerfstudio.core.types import RenderConfig


@dataclass(frozen=True)
class NetworkConfig:
    """Architecture, Gaussian head, and the conventions the weights were made for."""

    width: int
    heads: int
    encoder_depth: int
    decoder_depth: int
    tokens: int
    gaussians_per_token: int = 64
    patch_size: int = 8
    dynamic_tokens: int = 0
    time_channels: int = 0
    """Channels of the embedded time; 0 for a network that knows no time."""
    multiscale_layers: tuple[int, ...] = ()
    """Encoder blocks (from zero) whose outputs are read together; empty for the last one alone."""
    latents: int = 0
    """Learned latents between images and Gaussians; 0 for a decoder that attends to the image features."""
    latent_depth: int = 0
    anchors: bool = False
    """Every token has a place in the scene, from where it looks and around which it puts Gaussians (LocusGS)."""
    bounded: bool = False
    """Anchors, radii and Gaussians of an anchored network cannot leave the far plane's distance (ours)."""

    sweep: bool = False
    """The encoder is told where a plane sweep over the context photos finds surfaces (ours)."""
    photo_colors: bool = False
    """Gaussians take their colours from the context photos that show them (ours)."""

    z_offset: float = 1.0
    opacity_bias: float = 2.0
    opacity_floor: float = 0.0
    """Least opacity of a Gaussian: what cannot hide is put where it is of use (ours)."""
    scale_cap: float = 0.075

    frame: CameraFrame = "first"
    scale: ScaleRule = "max_baseline"
    scale_value: float = 1.0
    near: float = 0.025
    """Near plane of the renders that the weights are trained with, in canonical units, as `far`."""
    far: float = 125.0
    background: float = 0.5
    """Grey behind the Gaussians."""
    image_size: tuple[int, int] = (256, 256)
    """Height and width of the training images, in pixels."""
    num_context: int = 4

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise UserError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.dynamic_tokens and not self.time_channels:
            raise UserError(f"{self.dynamic_tokens} dynamic tokens need time_channels above 0, got 0")
        if bool(self.latents) != bool(self.latent_depth):
            raise UserError(f"latents {self.latents} and latent_depth {self.latent_depth}: one without the other")
        layers = self.multiscale_layers
        if list(layers) != [layer for layer in range(self.encoder_depth) if layer in layers]:
            raise UserError(f"multiscale_layers {layers} are not ascending numbers of {self.encoder_depth} blocks")
        if self.anchors and (self.latents or self.dynamic_tokens):
            raise UserError(
                f"anchors need a decoder that reads image patches with static tokens alone, got latents {self.latents} "
                f"and dynamic_tokens {self.dynamic_tokens}"
            )
        if self.photo_colors and (self.latents or self.dynamic_tokens):
            raise UserError(
                f"photo_colors need the photos beside the memory and a scene that stands still, got latents "
                f"{self.latents} and dynamic_tokens {self.dynamic_tokens}"
            )
        if self.sweep and (self.time_channels or self.patch_size % 2):
            raise UserError(
                f"sweep needs photos of one moment and patches of an even size, got time_channels {self.time_channels} "
                f"and patch_size {self.patch_size}"
            )
        if not 0 <= self.opacity_floor < 1:
            raise UserError(f"opacity_floor must be in [0, 1), got {self.opacity_floor}")
        if self.bounded and not self.anchors:
            raise UserError("bounded is about anchors: it needs anchors to be True")

    @property
    def rule(self) -> FrameRule:
        """How the network wants its scenes placed."""
        return FrameRule(self.frame, self.scale, self.scale_value)

    @property
    def rendering(self) -> RenderConfig:
        """How the network's Gaussians are rendered in the canonical frame."""
        return RenderConfig(self.near, self.far, self.background)

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
_SCRATCH = NetworkConfig(
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
    sweep=True,
    photo_colors=True,
    opacity_floor=0.1,
)
_ANCHORED = replace(_SCRATCH, sweep=False, photo_colors=False, opacity_floor=0.0)
_LOCUS = replace(_BASE, anchors=True)

PRESETS: dict[str, NetworkConfig] = {
    "tiny": _SCRATCH,
    "tiny-plain": replace(_ANCHORED, anchors=False),
    "tiny-anchored": _ANCHORED,
    "tiny-bounded": replace(_ANCHORED, bounded=True),
    "tiny-photo": replace(_ANCHORED, photo_colors=True),
    "tiny-visible": replace(_SCRATCH, sweep=False),
    "small": replace(
        _SCRATCH,
        width=256,
        heads=8,
        encoder_depth=5,
        decoder_depth=6,
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
}
"""Ours (`tiny` and `small`, trained from scratch; `tiny-...` lack parts of it, for trials) and the published ones."""
