"""Photos and masks on disk as arrays: sRGB in [0, 1], transparency composited, cropped, resized while decoding."""

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray
from PIL import Image, ImageCms, ImageOps

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.capture.colours import ColourProfile, profile_of
from tokengs_nerfstudio.data.capture.lens import Window

_log = logging.getLogger(__name__)

_ORIENTATION_TAG = 0x0112
_TURNED_BY_A_QUARTER = (5, 6, 7, 8)
# Pillow opens their 16 bits as 32.
_GREY_OF_16_BITS = ("PNG", "PPM")
# Formats of masks whose black is not exactly 0.
_LOSSY = ("JPEG", "MPO", "WEBP")
# TIFF's entries for how many bits a level has, and for which end of them is white.
_BITS_TAG, _PHOTOMETRIC_TAG, _WHITE_IS_ZERO = 258, 262, 0
# What Pillow raises for files that are damaged (AVIF: RuntimeError) or too large to be meant seriously.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, Image.DecompressionBombError)


def stored_size(path: Path) -> tuple[int, int]:
    """(width, height) from an image's header; ValueError naming the file where it cannot be read."""
    with opened(path) as image:
        return image.size


def is_turned(path: Path) -> bool:
    """Whether an image's EXIF entry asks viewers to turn it by a quarter (for PNG files this reads all of it)."""
    with opened(path) as image:
        return asks_to_be_turned(image.getexif())


def asks_to_be_turned(exif: Image.Exif) -> bool:
    """Whether EXIF entries ask viewers to turn their image by a quarter."""
    return exif.get(_ORIENTATION_TAG) in _TURNED_BY_A_QUARTER


def read_image(
    path: Path, window: Window, background: Float[ndarray, "3"], upright: bool = False
) -> Float[ndarray, "height width 3"]:
    """The part of a photo that `window` shows, sRGB in [0, 1] float32, transparent pixels over `background`.

    Colours are those of the profile that the photo brings, sRGB without one. The stored pixels are taken as they are;
    only with `upright` they are first turned as the EXIF entry asks. Resizing is bilinear with antialiasing. ValueError
    naming the file where it cannot be read, or shows no colours.
    """
    with opened(path) as image:
        shown = _shown(path, image, window, upright)
        _say_where_nothing_shows(path, shown)
        return _composite(shown, background)


def read_pixels(
    path: Path, size: tuple[int, int] | None = None, upright: bool = False
) -> Shaped[ndarray, "height width channel"]:
    """A whole photo as 8-bit RGB, or RGBA where it has transparent pixels; stored pixels, turned with `upright`.

    Where a `size` (width, height) is given it is resized to that, bilinearly with antialiasing. ValueError naming the
    file where it cannot be read, or shows no colours.
    """
    with opened(path) as image:
        shown = _in_colours(path, image, upright)
    if size is not None and size != shown.size:
        shown = shown.resize(size, Image.Resampling.BILINEAR)
    _say_where_nothing_shows(path, shown)
    return np.array(shown)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An image file, its header read; UserError naming it where that, or what the block reads of it, cannot be read."""
    try:
        with Image.open(path) as image:
            yield image
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def has_alpha(path: Path) -> bool:
    """Whether an image's header speaks of transparency; UserError naming the file where it cannot be read."""
    with opened(path) as image:
        return _has_alpha(image)


def read_alpha(path: Path, window: Window, upright: bool = False) -> Float[ndarray, "height width"]:
    """The opacities in [0, 1], float32, of the part of a photo that `window` shows, as `read_image` reads it."""
    with opened(path) as image:
        shown = _shown(path, image, window, upright)
    if shown.mode != "RGBA":
        return np.ones((window.height, window.width), np.float32)
    return np.asarray(shown.getchannel("A"), dtype=np.float32) / 255


def check_mask(path: Path, size: tuple[int, int]) -> None:
    """Whether a mask's header says one channel and its photo's `size` (width, height), or a larger one of that shape.

    FileNotFoundError or ValueError naming the file where not.
    """
    if not path.is_file():
        raise MissingFileError(f"the mask {path} does not exist; put it back or remove its frame's mask_path")
    with opened(path) as image:
        found, channels = image.size, len(image.getbands())
    times = round(found[0] / size[0])
    fits = times >= 1 and all(abs(times * side - there) < times for side, there in zip(size, found))
    if not fits or channels != 1:
        raise UserError(
            f"the mask {path} has {found[0]}x{found[1]} pixels in {channels} channels; expected {size[0]}x{size[1]} as "
            "its photo in one channel, 0 where a pixel is to be ignored"
        )


def read_mask(path: Path, size: tuple[int, int], window: Window) -> Float[ndarray, "height width"]:
    """The part of a mask that `window` shows of a photo of `size`: the share of what is behind a pixel that is valid.

    Not 0 is valid; of a file that keeps its values only roughly (JPEG) the brighter half is. The colours of a palette
    count, not their numbers. float32 in [0, 1]. ValueError naming the file where it cannot be read.
    """
    with opened(path) as image:
        lossy = image.format in _LOSSY
        values = np.asarray(image.convert("L") if image.mode == "P" else image)
        if not np.isfinite(values).all():
            raise UserError(
                "as a mask it has values that are no numbers; save it with 0 where a pixel is to be ignored"
            )
    valid = Image.fromarray((values >= 128 if lossy else values != 0).astype(np.float32))
    if not window.is_whole or valid.size != size:
        across, down = valid.width / size[0], valid.height / size[1]
        box = (window.left * across, window.top * down, window.right * across, window.bottom * down)
        valid = valid.resize((window.width, window.height), Image.Resampling.BILINEAR, box=box)
    return np.array(valid)


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"cannot read the image {path}: {error}; replace the file or remove its frame")


def _shown(path: Path, image: Image.Image, window: Window, upright: bool) -> Image.Image:
    reduction = 1 if upright else _decode_reduced(image, window)
    image = _in_colours(path, image, upright)
    if window.is_whole:
        return image
    # An image decoded at a reduced size may be a fraction of a pixel smaller than the window says.
    right, bottom = min(window.right / reduction, image.width), min(window.bottom / reduction, image.height)
    box = (window.left / reduction, window.top / reduction, right, bottom)
    return image.resize((window.width, window.height), Image.Resampling.BILINEAR, box=box)


def _in_colours(path: Path, image: Image.Image, upright: bool) -> Image.Image:
    """The photo as sRGB, with alpha where it has transparent pixels; ValueError for what shows no colours."""
    profile = None if image.mode == "LAB" else profile_of(image, path)
    bits_16 = image.mode.startswith("I;16") or (image.mode == "I" and image.format in _GREY_OF_16_BITS)
    tags = dict(getattr(image, "tag_v2", {}))
    image = ImageOps.exif_transpose(image) if upright else image
    if bits_16:
        image = Image.fromarray(_in_8_bits(np.asarray(image), tags))
    elif image.mode == "I":
        raise UserError("it has 32 bits a pixel, so nothing says what is white; save it with 8 or 16 bits")
    elif image.mode == "F":
        image = Image.fromarray((_fractions(np.asarray(image)) * 255).round().astype(np.uint8))
    elif image.mode == "LAB":
        image = _from_lab(image)
    return image.convert("RGBA" if _has_alpha(image) else "RGB") if profile is None else _by_profile(image, profile)


def _by_profile(image: Image.Image, profile: ColourProfile) -> Image.Image:
    mode = image.mode.removesuffix("A")  # alpha is no colour
    shown = profile.in_srgb(image.convert(mode if mode in ("L", "CMYK") else "RGB"))
    if _has_alpha(image):
        shown.putalpha(image.convert("RGBA").getchannel("A"))
    return shown


def _in_8_bits(levels: Shaped[ndarray, "height width"], tags: Mapping[int, Any]) -> UInt8[ndarray, "height width"]:
    """Grey levels of up to 16 bits, as a TIFF file's `tags` mean them, which Pillow leaves as they are stored."""
    white = 2 ** tags.get(_BITS_TAG, (16,))[0] - 1
    grey = (levels.astype(np.int32) * 255 // white).astype(np.uint8)
    return 255 - grey if tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO else grey


def _say_where_nothing_shows(path: Path, image: Image.Image) -> None:
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[1] == 0:
        _log.warning(f"the photo {path} is wholly transparent: nothing of it is seen")


def _fractions(values: Float[ndarray, "height width"]) -> Float[ndarray, "height width"]:
    """Values of an image of floats, which mean a brightness only from 0 to 1."""
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise UserError(
            f"its values go from {values.min():g} to {values.max():g} in floats, so nothing says what is white; save "
            "it with values from 0 to 1, or with 8 or 16 bits"
        )
    return values


def _from_lab(image: Image.Image) -> Image.Image:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise UserError("its LAB colours cannot be converted")
    return converted


def _has_alpha(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def _decode_reduced(image: Image.Image, window: Window) -> int:
    """Let a JPEG far larger than what is shown be decoded at 1/2, 1/4 or 1/8: most of the time goes there."""
    width = image.width
    sampling = min((window.right - window.left) / window.width, (window.bottom - window.top) / window.height)
    # Half of the possible reduction, so that the antialiased resize still decides what the pixels are.
    if sampling < 4 or image.draft("RGB", (int(2 * width / sampling), 1)) is None:
        return 1
    return 2 ** round(math.log2(width / image.width))


def _composite(image: Image.Image, background: Float[ndarray, "3"]) -> Float[ndarray, "height width 3"]:
    pixels = np.asarray(image, dtype=np.float32) / 255
    if image.mode == "RGB":
        return pixels
    alpha = pixels[..., 3:]
    return pixels[..., :3] * alpha + background.astype(np.float32) * (1 - alpha)
