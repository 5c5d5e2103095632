import struct
from pathlib import Path

import numpy as np
import PIL.features
import pytest
from made.photos import in_mode, smooth
from PIL import Image

from tokengs_nerfstudio.data.capture.images import (
    check_mask,
    is_turned,
    read_image,
    read_mask,
    read_pixels,
    stored_size,
)
from tokengs_nerfstudio.data.capture.lens import Window, centred_window

GREY = np.full(3, 0.5)


def test_a_window_shows_its_part_of_the_picture(tmp_path):
    picture = smooth(40, 30)
    Image.fromarray(picture).save(tmp_path / "a.png")
    shown = read_image(tmp_path / "a.png", Window(10.0, 4.0, 30.0, 19.0, 20, 15), GREY)
    np.testing.assert_array_equal(shown, picture[4:19, 10:30].astype(np.float32) / 255)


@pytest.mark.parametrize("side", [(1603, 1203), (1600, 1200)])
def test_a_large_jpeg_decoded_at_a_reduced_size_is_the_same_picture(tmp_path, side):
    picture = smooth(*side)
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(picture).save(tmp_path / "a.png")
    window = centred_window(side, (100, 75))
    jpeg, png = (read_image(tmp_path / name, window, GREY) for name in ("a.jpg", "a.png"))
    # Shifting by one pixel of the small image changes it by 0.02.
    assert np.abs(jpeg - png).mean() < 0.003


def test_transparent_edges_keep_their_colour_when_reduced(tmp_path):
    picture = np.zeros((20, 20, 4), dtype=np.uint8)
    picture[:, :9] = (255, 0, 0, 255)
    Image.fromarray(picture).save(tmp_path / "a.png")
    shown = read_image(tmp_path / "a.png", Window(0.0, 0.0, 20.0, 20.0, 5, 5), np.zeros(3))
    # The invisible black half must not darken the red one beyond its coverage.
    assert shown[2, 0, 0] == pytest.approx(1.0)
    assert shown[2, :, 0].mean() == pytest.approx(9 / 20, abs=0.03)
    assert shown[2, 4].tolist() == [0, 0, 0]


def test_header_and_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(smooth(20, 10)).save(tmp_path / "turned.jpg", exif=exif)
    Image.fromarray(smooth(20, 10)).save(tmp_path / "plain.jpg")
    assert stored_size(tmp_path / "turned.jpg") == (20, 10)
    assert is_turned(tmp_path / "turned.jpg")
    assert not is_turned(tmp_path / "plain.jpg")
    upright = read_image(tmp_path / "turned.jpg", Window(0.0, 0.0, 10.0, 20.0, 10, 20), GREY, upright=True)
    stored = read_image(tmp_path / "turned.jpg", Window(0.0, 0.0, 20.0, 10.0, 20, 10), GREY)
    np.testing.assert_array_equal(upright, np.rot90(stored))


@pytest.mark.parametrize(
    "read", [stored_size, is_turned, lambda p: read_image(p, Window(0.0, 0.0, 4.0, 4.0, 4, 4), GREY)]
)
def test_unreadable_files_are_named(tmp_path, read):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more than this")
    with pytest.raises(ValueError, match=r"cannot read the image .*broken\.jpg.*replace the file"):
        read(tmp_path / "broken.jpg")


@pytest.mark.parametrize(
    ("mode", "suffix", "grey"),
    [
        ("L", ".png", True),
        ("LA", ".png", True),
        ("I;16", ".png", True),
        ("F", ".tiff", True),
        ("P", ".png", False),
        ("P", ".gif", False),
        ("CMYK", ".jpg", False),
        ("YCbCr", ".tiff", False),
        ("RGBA", ".png", False),
    ],
)
def test_every_pixel_format_is_read_as_what_it_shows(tmp_path, mode, suffix, grey):
    if mode == "YCbCr" and int(PIL.__version__.split(".")[0]) < 13:
        pytest.skip(f"Pillow {PIL.__version__} cannot read the YCbCr that it writes")
    picture, file = smooth(40, 30), tmp_path / f"a{suffix}"
    in_mode(picture, mode).save(file, **({"quality": 97} if suffix == ".jpg" else {}))
    whole = Window(0.0, 0.0, 40.0, 30.0, 40, 30)
    expected = np.asarray(Image.fromarray(picture).convert("L").convert("RGB") if grey else Image.fromarray(picture))
    assert np.abs(read_image(file, whole, GREY) * 255 - expected).mean() < 4
    pixels = read_pixels(file)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[..., :3].astype(float) - expected).mean() < 4


@pytest.mark.parametrize("values", [np.float32(200), np.float32(-1), np.float32("nan"), np.int32(70_000)])
def test_values_that_mean_no_brightness_are_refused(tmp_path, values):
    Image.fromarray(np.full((4, 4), values)).save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match=r"a\.tiff: .*nothing says what is white"):
        read_pixels(tmp_path / "a.tiff")


def test_photos_are_resized_as_asked(tmp_path):
    Image.fromarray(smooth(40, 30)).save(tmp_path / "a.png")
    assert read_pixels(tmp_path / "a.png", (20, 15)).shape == (15, 20, 3)


def test_a_photo_that_shows_nothing_is_said(tmp_path, caplog):
    Image.new("RGBA", (4, 4), (9, 9, 9, 0)).save(tmp_path / "a.png")
    read_pixels(tmp_path / "a.png")
    assert "a.png is wholly transparent" in caplog.text


HALF = np.repeat([[0] * 8 + [255] * 8], 12, axis=0).astype(np.uint8)
WHOLE = Window(0.0, 0.0, 16.0, 12.0, 16, 12)


def saved(folder: Path, image: Image.Image, suffix: str = ".png") -> Path:
    image.save(folder / f"mask{suffix}")
    return folder / f"mask{suffix}"


def test_the_colours_of_a_palette_mask_count(tmp_path):
    mask = Image.fromarray((HALF == 0).astype(np.uint8)).convert("P")
    mask.putpalette([255, 255, 255, 0, 0, 0])
    np.testing.assert_array_equal(read_mask(saved(tmp_path, mask), (16, 12), WHOLE), HALF / 255)


@pytest.mark.parametrize("white", [1, 5, 255])
def test_whatever_is_not_0_is_valid(tmp_path, white):
    mask = saved(tmp_path, Image.fromarray(HALF // 255 * white))
    np.testing.assert_array_equal(read_mask(mask, (16, 12), WHOLE), HALF / 255)


def test_near_black_is_black_in_a_jpeg(tmp_path):
    noisy = np.where(HALF > 0, 255, 5).astype(np.uint8)
    mask = saved(tmp_path, Image.fromarray(noisy), ".jpg")
    np.testing.assert_array_equal(read_mask(mask, (16, 12), WHOLE), HALF / 255)


def test_larger_masks_are_reduced_and_smaller_ones_refused(tmp_path):
    large = saved(tmp_path, Image.fromarray(HALF).resize((32, 24), Image.Resampling.NEAREST))
    check_mask(large, (16, 12))
    shown = read_mask(large, (16, 12), WHOLE)
    assert shown.shape == (12, 16)
    np.testing.assert_array_equal(shown[:, [0, 6, 9, 15]], np.repeat([[0, 0, 1, 1]], 12, axis=0))
    for size in ((64, 48), (32, 12), (16, 20)):
        with pytest.raises(ValueError, match="has 32x24 pixels in 1 channels; expected"):
            check_mask(large, size)


def test_masks_of_floats_that_are_no_numbers_are_refused(tmp_path):
    values = HALF.astype(np.float32) / 255
    np.testing.assert_array_equal(read_mask(saved(tmp_path, Image.fromarray(values), ".tiff"), (16, 12), WHOLE), values)
    values[3, 3] = np.nan
    wrong = saved(tmp_path, Image.fromarray(values), ".tiff")
    with pytest.raises(ValueError, match=f"{wrong.name}: as a mask it has values that are no numbers"):
        read_mask(wrong, (16, 12), WHOLE)


def tiff(levels: np.ndarray, bits: int, white_is_zero: bool) -> bytes:
    """A grey TIFF file of one strip, little endian, of 12 or 16 bits a level; Pillow writes 16 alone."""
    height, width = levels.shape
    first, second = levels[:, ::2].astype(int), levels[:, 1::2].astype(int)
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1).astype(np.uint8)
    pixels = (packed if bits == 12 else levels.astype("<u2")).tobytes()
    values = {256: width, 257: height, 258: bits, 259: 1, 262: int(not white_is_zero), 273: 8, 277: 1, 278: height}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in (values | {279: len(pixels)}).items())
    head = b"II*\0" + struct.pack("<I", 8 + len(pixels))
    return head + pixels + struct.pack("<H", len(values) + 1) + entries + bytes(4)


@pytest.mark.parametrize(("bits", "white_is_zero"), [(12, False), (16, False), (16, True)])
def test_grey_tiff_files_show_what_their_entries_say(tmp_path, bits, white_is_zero):
    shown = np.tile(np.arange(8) * 36, (6, 1))
    levels = (255 - shown if white_is_zero else shown) * (2**bits - 1) / 255
    (tmp_path / "a.tif").write_bytes(tiff(np.ceil(levels), bits, white_is_zero))
    assert np.abs(read_pixels(tmp_path / "a.tif")[..., 0].astype(int) - shown).max() <= 1


@pytest.mark.skipif(not PIL.features.check("avif"), reason="this Pillow reads no AVIF")
def test_a_damaged_avif_is_named(tmp_path):
    Image.fromarray(smooth(40, 30)).save(tmp_path / "a.avif")
    content = bytearray((tmp_path / "a.avif").read_bytes())
    content[-200:] = bytes(200)
    (tmp_path / "a.avif").write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read the image .*a\.avif"):
        read_pixels(tmp_path / "a.avif")
