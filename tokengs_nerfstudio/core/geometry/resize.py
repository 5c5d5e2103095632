"""Photos at another size: crops and resizes that take intrinsics, masks, depths and opacities along."""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.constants import constant
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Cameras, Views

Filter = Literal["antialias", "area", "nearest"]

# A photo whose shorter side would fall below this many pixels says too little to be worth a look.
_SMALLEST_SIDE = 32


def crop_and_resize(views: Views, height: int, width: int, published_rounding: bool = False) -> Views:
    """The largest centred crop of the wanted aspect, resized with antialiasing; cameras and masks adapted exactly.

    Depths, and what moves, are taken from the nearest pixel: between two surfaces there is none. With
    `published_rounding` the principal point is shifted as the published TokenGS pipeline does: half a pixel off
    where an odd number of rows or columns is cut away, which its weights were trained with.

    Raises ValueError when the wanted size is not positive.
    """
    if height < 1 or width < 1:
        raise UserError(f"cannot resize to {height}x{width}: height and width must be at least 1 pixel")
    full_height, full_width = views.height, views.width
    ratio = min(full_height / height, full_width / width)
    slack = 0.0 if published_rounding else 1e-6  # 256 * (455 / 256) must count as 455 rows, not 454
    crop_height, crop_width = max(1, int(height * ratio + slack)), max(1, int(width * ratio + slack))
    # An even split of the cut rows, ties to even: torchvision's centre crop, which the published pipeline uses.
    top, left = round((full_height - crop_height) / 2), round((full_width - crop_width) / 2)
    cut = (..., slice(top, top + crop_height), slice(left, left + crop_width))
    shift_x = (full_width - crop_width) / 2 if published_rounding else left
    shift_y = (full_height - crop_height) / 2 if published_rounding else top
    return Views(
        images=resized_images(views.images[cut], height, width),
        c2w=views.c2w,
        intrinsics=cropped_intrinsics(views.intrinsics, shift_x, shift_y, width / crop_width, height / crop_height),
        times=views.times,
        masks=None if views.masks is None else wholly_valid(resized_images(views.masks[cut], height, width)),
        depths=None if views.depths is None else resized_images(views.depths[cut], height, width, "nearest"),
        alphas=None if views.alphas is None else resized_images(views.alphas[cut], height, width),
        moving=None if views.moving is None else resized_images(views.moving[cut], height, width, "nearest"),
    )


def resized(views: Views, height: int, width: int, filter: Filter = "antialias") -> Views:
    """The whole images at another size; intrinsics follow exactly, also where the aspect changes a bit.

    A pixel is valid where everything is that it is made of; depths, and what moves, are those of the nearest pixel.
    """
    return Views(
        images=resized_images(views.images, height, width, filter).clamp(0, 1),
        c2w=views.c2w,
        intrinsics=resized_cameras(views.cameras, height, width).intrinsics,
        times=views.times,
        masks=None if views.masks is None else wholly_valid(resized_images(views.masks, height, width, filter)),
        depths=None if views.depths is None else resized_images(views.depths, height, width, "nearest"),
        alphas=None if views.alphas is None else resized_images(views.alphas, height, width, filter).clamp(0, 1),
        moving=None if views.moving is None else resized_images(views.moving, height, width, "nearest"),
    )


def resized_cameras(cameras: Cameras, height: int, width: int) -> Cameras:
    """The cameras of the same pictures at another size."""
    scale = constant([width / cameras.width, height / cameras.height, 1.0], cameras.intrinsics)
    return Cameras(cameras.c2w, cameras.intrinsics * scale[:, None], width, height)


def resized_images(
    images: Float[Tensor, "*image c _ _"], height: int, width: int, filter: Filter = "antialias"
) -> Float[Tensor, "*image c h w"]:
    """Bilinear with antialiasing, the mean of each new pixel's area, or the nearest pixel; as it is at its own size."""
    if images.shape[-2:] == (height, width):
        return images
    flat = rearrange(images, "... c h w -> (...) c h w")
    if filter == "antialias":
        flat = F.interpolate(flat, (height, width), mode="bilinear", antialias=True, align_corners=False)
    else:
        flat = F.interpolate(flat, (height, width), mode={"area": "area", "nearest": "nearest-exact"}[filter])
    return flat.reshape(*images.shape[:-2], height, width)


def wholly_valid(masks: Float[Tensor, "*pixel"]) -> Float[Tensor, "*pixel"]:
    """Resampled masks, 1 again only where every pixel behind is valid: nothing that is masked shines through."""
    return (masks > 0.999).to(masks)


def cropped_intrinsics(
    intrinsics: Float[Tensor, "*batch 3 3"], left: float, top: float, scale_x: float, scale_y: float
) -> Float[Tensor, "*batch 3 3"]:
    """Intrinsics after cutting `left` columns and `top` rows away and then scaling the rest."""
    shift = torch.zeros_like(intrinsics)
    shift[..., 0, 2], shift[..., 1, 2] = left, top
    scale = intrinsics.new_tensor([scale_x, scale_y, 1.0])
    return (intrinsics - shift) * scale[:, None]


def level_size(height: int, width: int, factor: float) -> tuple[int, int]:
    """Height and width at 1/factor, never so small that the shorter side falls below 32 pixels (or grows)."""
    factor = max(1.0, min(factor, min(height, width) / _SMALLEST_SIDE))
    return max(1, round(height / factor)), max(1, round(width / factor))


def fitted_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """Height and width of the same aspect whose longer side is at most `longest` pixels."""
    factor = min(1.0, longest / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))
