"""Photos of all colour spaces are read as what they show."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from made import profiles
from made.photos import in_mode, smooth
from PIL import Image

from tokengs_nerfstudio.data.capture import colours
from tokengs_nerfstudio.data.capture.images import read_image, read_pixels
from tokengs_nerfstudio.data.capture.lens import Window

WHOLE = Window(0.0, 0.0, 40.0, 30.0, 40, 30)


def saved(file: Path, mode: str, profile: bytes | None) -> Path:
    in_mode(smooth(40, 30), mode).save(file, icc_profile=profile)
    return file


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA", "L", "LA", "I;16"])
@pytest.mark.parametrize("profile", [profiles.srgb, profiles.srgb_by_another_program])
def test_srgb_is_what_photos_have_without_a_profile(tmp_path, mode, profile):
    plain, named = saved(tmp_path / "a.png", mode, None), saved(tmp_path / "b.png", mode, profile())
    np.testing.assert_array_equal(read_pixels(named), read_pixels(plain))


@pytest.mark.parametrize(
    ("profile", "color", "shown"),
    [
        # By hand: to XYZ under D50 and from there by the matrix and the curve of IEC 61966-2-1.
        (profiles.display_p3, (200, 100, 50), (215, 93, 31)),
        (profiles.display_p3, (255, 255, 255), (255, 255, 255)),
        (profiles.adobe_rgb, (200, 100, 50), (227, 100, 42)),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff", ".webp"])
def test_colours_of_other_spaces_become_srgb(tmp_path, profile, color, shown, suffix):
    file = tmp_path / f"a{suffix}"
    Image.new("RGB", (40, 30), color).save(file, icc_profile=profile(), quality=100)
    pixels = read_pixels(file)[..., :3].astype(int)
    assert np.abs(pixels - shown).max() <= 3
    np.testing.assert_array_equal(np.round(read_image(file, WHOLE, np.full(3, 0.5)) * 255), pixels)


def test_the_alpha_of_a_photo_is_no_colour(tmp_path):
    for mode, color, shown in (("RGBA", (200, 100, 50, 128), (215, 93, 31, 128)), ("LA", (55, 128), (128,) * 4)):
        profile = profiles.display_p3() if mode == "RGBA" else profiles.grey(1.0)
        Image.new(mode, (40, 30), color).save(tmp_path / "a.png", icc_profile=profile)
        assert np.abs(read_pixels(tmp_path / "a.png").astype(int) - shown).max() <= 1


def test_one_transparent_colour_of_another_space_stays_transparent(tmp_path):
    picture = Image.new("RGB", (40, 30), (200, 100, 50))
    picture.paste((0, 0, 0), (0, 0, 20, 30))
    picture.save(tmp_path / "a.png", icc_profile=profiles.display_p3(), transparency=(0, 0, 0))
    pixels = read_pixels(tmp_path / "a.png")
    assert pixels[0, 0, 3] == 0
    assert np.abs(pixels[0, 39].astype(int) - (215, 93, 31, 255)).max() <= 1


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_grey_photos_have_profiles_of_their_own(tmp_path, mode):
    linear = read_pixels(saved(tmp_path / "a.png", mode, profiles.grey(1.0)))
    light = read_pixels(saved(tmp_path / "b.png", mode, None)) / 255
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(linear - 255 * expected).max() <= 2
    assert linear.shape == (30, 40, 3)


def test_a_grey_photo_with_a_profile_of_colours_stays_grey(tmp_path):
    pixels = read_pixels(saved(tmp_path / "a.png", "L", profiles.adobe_rgb()))
    assert np.ptp(pixels, axis=-1).max() <= 1


def test_inks_are_what_their_profile_says(tmp_path):
    Image.new("CMYK", (40, 30), (255, 0, 0, 0)).save(tmp_path / "a.jpg", icc_profile=profiles.ink(0.8), quality=100)
    # This printer's inks are grey: one of four leaves a lightness of 60, grey 145 of 255.
    assert np.abs(read_pixels(tmp_path / "a.jpg").astype(int) - 145).max() <= 2


@pytest.mark.parametrize(
    "profile",
    [b"none", profiles.srgb()[:300], profiles.ink(0.7), profiles.grey(1.5)],
    ids=("none", "cut", "ink", "L"),
)
def test_a_profile_that_cannot_be_used_is_said_once(tmp_path, caplog, monkeypatch, profile):
    monkeypatch.setattr(colours, "_KNOWN", {})
    broken = [saved(tmp_path / f"{name}.png", "RGB", profile) for name in "ab"]
    plain = read_pixels(saved(tmp_path / "plain.png", "RGB", None))
    for file in broken * 2:
        np.testing.assert_array_equal(read_pixels(file), plain)
    assert len(caplog.messages) == 1
    assert f"the colour profile of {broken[0]} cannot be used" in caplog.text


def test_threads_may_share_a_profile(tmp_path):
    files = [saved(tmp_path / f"{number}.png", "RGB", profiles.adobe_rgb()) for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        for pixels in pool.map(read_pixels, files):
            np.testing.assert_array_equal(pixels, read_pixels(files[0]))
