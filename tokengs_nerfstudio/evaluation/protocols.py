"""The benchmarks by name: layout of the data, number of photos that the network sees, size at which is compared."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tokengs_nerfstudio.core.checkpoint.loading import is_published
from tokengs_nerfstudio.core.geometry.frame import CameraFrame
from tokengs_nerfstudio.core.geometry.point_map import point_map_scale
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize, level_size, resized
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.types import Views

INDICES = Path(__file__).parent / "indices"

Layout = Literal["dl3dv", "re10k", "kubric", "captures"]
Crop = Literal["auto", "exact", "published"]


@dataclass(frozen=True)
class Protocol:
    """A benchmark."""

    layout: Layout
    about: str
    num_context: int
    """views that the network sees"""
    image_size: tuple[int, int] | None
    """height and width, in pixels; None for whole photos of a given shorter side"""
    index: Path | None = None
    """the views of every scene; None where they follow from the scene, or have to be given"""


PROTOCOLS: dict[str, Protocol] = {
    **{
        f"dl3dv-{views}view": Protocol(
            "dl3dv",
            f"DL3DV benchmark, {views} context views, DepthSplat's index",
            views,
            (256, 448),
            INDICES / f"dl3dv-{views}view.json",
        )
        for views in (2, 4, 6)
    },
    "re10k-2view": Protocol("re10k", "RealEstate10K test set, 2 context views", 2, (256, 256)),
    "kubric": Protocol("kubric", "Kubric 4D, 4 context views of 4 cameras at 4 times", 4, (256, 256)),
    "captures": Protocol("captures", "captures in nerfstudio's form, every fourth frame held out", 4, None),
}


@dataclass(frozen=True)
class Framing:
    """How photos become what the network sees, and what its pictures are compared with."""

    size: tuple[int, int] | None
    """height and width after a centred crop; None for whole photos"""
    short_side: int
    """of whole photos that are compared, in pixels; the network sees those at their own size"""
    published_rounding: bool
    """whether crops put the principal point where the published pipeline does"""

    def seen(self, photos: Views) -> Views:
        """Of context photos."""
        return photos if self.size is None else crop_and_resize(photos, *self.size, self.published_rounding)

    def compared(self, photos: Views) -> Views:
        """Of photos that pictures are compared with, and that a tuning is supervised by."""
        if self.size is not None:
            return self.seen(photos)
        height, width = photos.height, photos.width
        return resized(photos, *level_size(height, width, min(height, width) / self.short_side), "area")


@dataclass(frozen=True)
class Scaling:
    """What lengths of a benchmark's worlds are multiplied by, for weights whose rule depends on their units.

    Benchmarks have the units, and the depths, that published weights were trained with; captures have not.
    """

    rule: Literal["own", "constant", "pointmap"]
    value: float = 1.0
    camera: CameraFrame = "first"

    @classmethod
    def of(cls, network: NetworkConfig, layout: Layout) -> "Scaling":
        """`own`: what `prepare` finds out by itself."""
        if layout == "captures" or network.scale not in ("constant", "pointmap"):
            return cls("own")
        return cls("constant" if network.scale == "constant" else "pointmap", network.scale_value, network.frame)

    def factor(self, context: Views) -> float | None:
        """For photos as they were read; None where `prepare` is to choose."""
        if self.rule == "own" or (self.rule == "pointmap" and context.depths is None):
            return None
        return self.value if self.rule == "constant" else point_map_scale(context, self.camera, self.value)


@dataclass(frozen=True)
class Weights:
    """What a weight file asks of a benchmark."""

    config: NetworkConfig
    published: bool

    @classmethod
    def of(cls, source: str, config: NetworkConfig) -> "Weights":
        """Of the weights that `source` names; errors as in `load_network`."""
        return cls(config, is_published(source))

    def framing(self, protocol: Protocol, size: tuple[int, int] | None, short_side: int, crop: Crop) -> Framing:
        """Of the protocol's size, unless another one is given or the weights are published, with a size of theirs."""
        wanted = protocol.image_size
        if wanted is not None and self.published:
            wanted = self.config.image_size
        rounding = self.published if crop == "auto" else crop == "published"
        return Framing(size or wanted, short_side, rounding and protocol.layout != "captures")

    @property
    def image_folder(self) -> str | None:
        """The folder of DL3DV's images that they were trained with, where it is not the usual one: LocusGS's."""
        return "images_8" if self.published and self.config.anchors else None


def with_context(protocol: Protocol, views: int | None) -> Protocol:
    """The protocol with another number of context views, which those without an index of their own can have."""
    return protocol if views is None else replace(protocol, num_context=views)
