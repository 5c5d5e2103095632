"""What networks do to decoded Gaussians that look into the photos once more (ours)."""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.geometry.footprint import pixel_widths
from tokengs_nerfstudio.core.network.memory import SceneMemory
from tokengs_nerfstudio.core.network.photo_colors import PhotoColors
from tokengs_nerfstudio.core.network.surfaces import SurfacePull
from tokengs_nerfstudio.core.types import Gaussians


def finished(
    gaussians: Gaussians,
    tokens: Float[Tensor, "batch token dim"],
    memory: SceneMemory,
    pull: SurfacePull | None,
    colors: PhotoColors | None,
    footprint: float,
    apart: Float[Tensor, "batch view token"] | None,
) -> Gaussians:
    """Drawn to the photos' surfaces, in the photos' colours, and blurred by `footprint` of their pixels.

    Each as far as the network does that. `apart`: how far each photo is in time from each token, if anything moves.
    """
    photos = memory.photos
    if photos is None:
        return gaussians
    if apart is not None:
        apart = apart.repeat_interleave(gaussians.count // tokens.shape[1], dim=-1)
    if pull is not None and memory.surfaces is not None:
        gaussians = replace(gaussians, means=pull(gaussians.means, tokens, photos, memory.surfaces, apart))
    if colors is not None:
        gaussians = replace(gaussians, colors=colors(gaussians.colors, gaussians.means, tokens, photos, apart))
    if footprint:
        blur = footprint * pixel_widths(gaussians.means, photos)
        gaussians = replace(gaussians, scales=(gaussians.scales.square() + blur.square()[..., None]).sqrt())
    return gaussians
