"""Photos and their masks on disk as arrays: RGB in [0, 1], transparency composited, cropped, resized while decoding."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import Image, ImageOps

from tokengs_nerfstudio.data.capture.lens import Window

_ORIENTATION_TAG = 0x0112
_TURNED_BY_A_QUARTER = (5, 6, 7, 8)
# What Pillow raises for files that are damaged or too large to be meant seriously.
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def stored_size(path: Path) -> tuple[int, int]:
    """(width, height) from an image's header; ValueError naming the file where it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.size
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def is_turned(path: Path) -> bool:
    """Whether an image's EXIF entry asks viewers to turn it by a quarter (for PNG files this reads all of it)."""
    try:
        with Image.open(path) as image:
            return image.getexif().get(_ORIENTATION_TAG) in _TURNED_BY_A_QUARTER
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_image(
    path: Path, window: Window, background: Float[ndarray, "3"], upright: bool = False
) -> Float[ndarray, "height width 3"]:
    """The part of a photo that `window` shows, RGB in [0, 1] float32, transparent pixels over `background`.

    The stored pixels are taken as they are; only with `upright` they are first turned as the EXIF entry asks. Resizing
    is bilinear with antialiasing. ValueError naming the file where it cannot be read.
    """
    try:
        with Image.open(path) as image:
            return _composite(_shown(image, window, upright), background)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def has_alpha(path: Path) -> bool:
    """Whether an image's header speaks of transparency; ValueError naming the file where it cannot be read."""
    try:
        with Image.open(path) as image:
            return _has_alpha(image)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_alpha(path: Path, window: Window, upright: bool = False) -> Float[ndarray, "height width"]:
    """The opacities in [0, 1], float32, of the part of a photo that `window` shows, as `read_image` reads it."""
    try:
        with Image.open(path) as image:
            shown = _shown(image, window, upright)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    if shown.mode != "RGBA":
        return np.ones((window.height, window.width), np.float32)
    return np.asarray(shown.getchannel("A"), dtype=np.float32) / 255


def check_mask(path: Path, size: tuple[int, int]) -> None:
    """Whether a mask's header says one channel and its photo's `size` (width, height).

    FileNotFoundError or ValueError naming the file where not.
    """
    if not path.is_file():
        raise FileNotFoundError(f"the mask {path} does not exist; put it back or remove its frame's mask_path")
    try:
        with Image.open(path) as image:
            found, channels = image.size, len(image.getbands())
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    if found != size or channels != 1:
        raise ValueError(
            f"the mask {path} has {found[0]}x{found[1]} pixels in {channels} channels; expected {size[0]}x{size[1]} as "
            "its photo in one channel, 0 where a pixel is to be ignored"
        )


def read_mask(path: Path, window: Window) -> Float[ndarray, "height width"]:
    """The part of a mask that `window` shows: the share of what is behind a pixel that is not 0, float32 in [0, 1].

    ValueError naming the file where it cannot be read.
    """
    try:
        with Image.open(path) as image:
            valid = Image.fromarray(np.asarray(image).astype(bool).astype(np.float32))
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    if not window.is_whole:
        box = (window.left, window.top, window.right, window.bottom)
        valid = valid.resize((window.width, window.height), Image.Resampling.BILINEAR, box=box)
    return np.array(valid)


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"cannot read the image {path}: {error}; replace the file or remove its frame")


def _shown(image: Image.Image, window: Window, upright: bool) -> Image.Image:
    reduction = 1 if upright else _decode_reduced(image, window)
    if upright:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    image = image.convert("RGBA" if _has_alpha(image) else "RGB")
    if window.is_whole:
        return image
    # An image decoded at a reduced size may be a fraction of a pixel smaller than the window says.
    right, bottom = min(window.right / reduction, image.width), min(window.bottom / reduction, image.height)
    box = (window.left / reduction, window.top / reduction, right, bottom)
    return image.resize((window.width, window.height), Image.Resampling.BILINEAR, box=box)


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
