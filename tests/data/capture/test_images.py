import numpy as np
import pytest
from PIL import Image

from tokengs_nerfstudio.data.capture.images import is_turned, read_image, stored_size
from tokengs_nerfstudio.data.capture.lens import Window, centred_window

GREY = np.full(3, 0.5)


def smooth(width: int, height: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    return np.round(255 * (0.5 + 0.4 * np.stack([np.sin(5 * x), np.cos(4 * y), x * y], axis=-1))).astype(np.uint8)


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
