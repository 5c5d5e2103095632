"""Photos of all pixel formats, damaged ones, turned ones, and masks."""

import io
import struct
import zlib

import numpy as np
import torch
from cases.draft import SIZE, Draft, usual
from made import profiles
from PIL import Image, ImageCms


def _grey(images: torch.Tensor) -> torch.Tensor:
    weights = images.new_tensor([0.299, 0.587, 0.114])[:, None, None]
    return (images * weights).sum(-3, keepdim=True).expand_as(images)


def _levels(picture: Image.Image, dtype: type) -> np.ndarray:
    return np.asarray(picture.convert("L")).astype(dtype)


@usual
def grey_of_16_bits(draft: Draft) -> None:
    """Same: as grey."""
    draft.redraw(lambda picture: Image.fromarray(_levels(picture, np.uint16) * 257))
    draft.looks = _grey


def grey_of_16_bits_ramp(draft: Draft) -> None:
    """Same: as grey; levels are no multiples of 257."""
    draft.redraw(lambda picture: Image.fromarray((_levels(picture, float) / 255 * 65000).astype(np.uint16)))
    draft.looks = lambda images: _grey(images) * (65000 / 65535)


def grey(draft: Draft) -> None:
    """Same: as grey."""
    draft.redraw(lambda picture: picture.convert("L"))
    draft.looks = _grey


@usual
def grey_with_alpha(draft: Draft) -> None:
    """Same: as grey."""
    draft.redraw(lambda picture: picture.convert("LA"))
    draft.looks = _grey


@usual
def palette(draft: Draft) -> None:
    """Same: in the colours of the palette."""
    draft.redraw(lambda picture: picture.quantize(256))


def gif(draft: Draft) -> None:
    """Same: in the colours of the palette."""
    draft.redraw(lambda picture: picture.quantize(256), suffix=".gif")


def palette_with_a_transparent_colour(draft: Draft) -> None:
    """Works: one colour of 64 shows the background."""
    draft.redraw(lambda picture: picture.quantize(64), transparency=3)


def colours_with_a_transparent_one(draft: Draft) -> None:
    """Same: black is transparent, and there is none."""
    draft.redraw(lambda picture: picture, transparency=(0, 0, 0))


@usual
def cmyk(draft: Draft) -> None:
    """Same: a JPEG of a print workflow."""
    draft.redraw(lambda picture: picture.convert("CMYK"), suffix=".jpg", quality=97)
    draft.tolerance = 0.03


@usual
def lab(draft: Draft) -> None:
    """Same: L, a and b are no colours yet."""
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    draft.redraw(lambda picture: ImageCms.profileToProfile(picture, srgb, lab, outputMode="LAB"), suffix=".tiff")
    draft.tolerance = 0.03


def ycbcr(draft: Draft) -> None:
    """Same: luminance and colour differences."""
    draft.redraw(lambda picture: picture.convert("YCbCr"), suffix=".tiff")


def hsv_is_no_file_format_but_one_bit_is(draft: Draft) -> None:
    """Works: black and white."""
    draft.redraw(lambda picture: picture.convert("1"))


@usual
def floats_to_one(draft: Draft) -> None:
    """Same: as grey."""
    draft.redraw(lambda picture: Image.fromarray(_levels(picture, np.float32) / 255), suffix=".tiff")
    draft.looks = _grey


def floats_to_255(draft: Draft) -> None:
    """Error: how bright is 255, `frame_00001.tiff`."""
    draft.redraw(lambda picture: Image.fromarray(_levels(picture, np.float32) + 3), suffix=".tiff")


def floats_that_are_none(draft: Draft) -> None:
    """Error: nan in `frame_00001.tiff`."""
    draft.redraw(lambda picture: Image.fromarray(_levels(picture, np.float32) * np.float32("nan")), suffix=".tiff")


@usual
def integers_of_32_bits(draft: Draft) -> None:
    """Error: how bright is 65793 of 32 bits, `frame_00001.tiff`."""
    draft.redraw(lambda picture: Image.fromarray(_levels(picture, np.int32) * 65793), suffix=".tiff")


def half_transparent(draft: Draft) -> None:
    """Same: over the grey background."""

    def change(picture: Image.Image) -> Image.Image:
        picture.putalpha(128)
        return picture

    draft.redraw(change)
    draft.looks = lambda images: images * (128 / 255) + 0.5 * (127 / 255)


@usual
def wholly_transparent(draft: Draft) -> None:
    """Works: that all is `transparent` is said."""

    def change(picture: Image.Image) -> Image.Image:
        picture.putalpha(0)
        return picture

    draft.redraw(change)


def some_with_alpha(draft: Draft) -> None:
    """Same: opaque photos of both kinds."""
    for index in range(0, len(draft.frames), 2):
        Image.open(draft.photo(index)).convert("RGBA").save(draft.photo(index))


def _fifth(draft: Draft, content: bytes) -> None:
    draft.photo(5).write_bytes(content)


@usual
def jpeg_cut_off(draft: Draft) -> None:
    """Error: `frame_00005.jpg` cannot be read."""
    draft.redraw(lambda picture: picture, suffix=".jpg", quality=95)
    _fifth(draft, draft.photo(5).read_bytes()[:900])


def png_cut_off(draft: Draft) -> None:
    """Error: `frame_00005.png` cannot be read."""
    _fifth(draft, draft.photo(5).read_bytes()[:1500])


def png_of_a_wrong_checksum(draft: Draft) -> None:
    """Error: `frame_00005.png` cannot be read."""
    content = bytearray(draft.photo(5).read_bytes())
    content[len(content) // 2] ^= 255
    _fifth(draft, bytes(content))


def nothing_in_the_file(draft: Draft) -> None:
    """Error: `frame_00005.png` cannot be read."""
    _fifth(draft, b"")


def text_in_the_file(draft: Draft) -> None:
    """Error: `frame_00005.png` cannot be read."""
    _fifth(draft, b"hello")


def held_out_photo_cut_off(draft: Draft) -> None:
    """Error: `frame_00004.png`, which is held out, cannot be read."""
    assert "images/frame_00004.png" in draft.meta["test_filenames"]
    draft.photo(4).write_bytes(draft.photo(4).read_bytes()[:1500])
    draft.options = ["--steps-per-eval-image", "1"]


def jpeg_named_png(draft: Draft) -> None:
    """Same: a name is not a format."""
    draft.redraw(lambda picture: picture, format="JPEG", quality=97)
    draft.tolerance = 0.03


def animated_png(draft: Draft) -> None:
    """Same: its first picture."""
    draft.redraw(lambda picture: picture, save_all=True, append_images=[Image.new("RGB", SIZE)], default_image=False)


def one_pixel_each(draft: Draft) -> None:
    """Error: `1x1` is too small."""
    draft.redraw(lambda picture: picture.resize((1, 1)))


def one_pixel_once(draft: Draft) -> None:
    """Error: `1x1` is too small, `frame_00005.png`."""
    Image.open(draft.photo(5)).resize((1, 1)).save(draft.photo(5))


def one_of_another_aspect(draft: Draft) -> None:
    """Error: `frame_00005.png` is `300x40`, not of the shape of `64x48`."""
    Image.open(draft.photo(5)).resize((300, 40)).save(draft.photo(5))


def _header(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@usual
def header_of_a_billion_pixels(draft: Draft) -> None:
    """Error: `frame_00005.png` is not meant seriously."""
    _fifth(draft, _header(40000, 30000))


def header_of_a_hundred_million_pixels(draft: Draft) -> None:
    """Error: `frame_00005.png` has no such pixels."""
    _fifth(draft, _header(12000, 9000))


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def stored_upside_down(draft: Draft) -> None:
    """Same: stored pixels are taken as they are (as nerfstudio and COLMAP do)."""
    draft.redraw(lambda picture: picture, exif=_exif(3))


def stored_sideways_sizes_of_the_stored(draft: Draft) -> None:
    """Same: the poses are those of the stored pixels, whatever EXIF says."""
    draft.redraw(lambda picture: picture, exif=_exif(6))


@usual
def stored_sideways_sizes_of_the_turned(draft: Draft) -> None:
    """Same: the photos are turned as EXIF asks, w and h say so."""
    draft.redraw(lambda picture: picture.transpose(Image.Transpose.ROTATE_90), exif=_exif(6))


def stored_sideways_and_halved(draft: Draft) -> None:
    """Works: turned, then halved by --pipeline.datamanager.camera-res-scale-factor."""
    stored_sideways_sizes_of_the_turned(draft)
    draft.options = ["--pipeline.datamanager.camera-res-scale-factor", "0.5"]


def stored_sideways_without_sizes(draft: Draft) -> None:
    """Error: `cx` and `cy` are those of the turned photo."""
    draft.redraw(lambda picture: picture.transpose(Image.Transpose.ROTATE_90), exif=_exif(6))
    del draft.meta["w"], draft.meta["h"]


@usual
def display_p3(draft: Draft) -> None:
    """Same: colours of a phone's photos are those that it shows."""
    srgb, p3 = (ImageCms.ImageCmsProfile(io.BytesIO(made())) for made in (profiles.srgb, profiles.display_p3))
    draft.redraw(
        lambda picture: ImageCms.profileToProfile(picture, srgb, p3, outputMode="RGB"),
        icc_profile=profiles.display_p3(),
    )


def profile_that_is_none(draft: Draft) -> None:
    """Works: that the `colour profile` cannot be used is said."""
    draft.redraw(lambda picture: picture, icc_profile=b"none")
