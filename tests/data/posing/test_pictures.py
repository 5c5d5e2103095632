import cv2
import numpy as np
from made.walk import camera, picture, write_photos
from PIL import Image

from tokengs_nerfstudio.data.posing.photos import read_photo
from tokengs_nerfstudio.data.posing.pictures import looks, prepare


def test_blur_takes_sharpness_and_a_slope_of_light_is_no_contrast():
    sharp = picture(camera(0.5))[..., 1]
    values = [looks(cv2.GaussianBlur(sharp, (0, 0), sigma)).sharpness for sigma in (0.5, 1.5, 4, 9)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 10 * values[2]
    assert values[3] < 0.012
    slope = np.tile(np.linspace(0, 255, 320).astype(np.uint8), (240, 1))
    assert looks(slope).contrast < 1 < 20 < looks(sharp).contrast


def test_photos_become_upright_pictures_of_bearable_size(tmp_path):
    folder = write_photos(tmp_path / "photos", [picture(camera(0.5))])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(folder / "p00.png").save(folder / "p01.jpg", exif=exif, quality=95)
    (folder / "p02.jpg").write_bytes((folder / "p01.jpg").read_bytes()[:3000])
    see_through = Image.open(folder / "p00.png").convert("RGBA")
    see_through.putalpha(0)
    see_through.save(folder / "p03.png")
    photos = [read_photo(path, folder) for path in sorted(folder.iterdir())]
    plain, turned, damaged, clear = prepare(photos, [0, 1, 0, 2], tmp_path / "scratch", 160)
    assert damaged is None
    assert plain is not None and turned is not None and clear is not None  # noqa: PT018
    assert (plain.name, plain.size) == ("0/000000.png", (160, 120))
    assert (turned.name, turned.size) == ("1/000001.png", (120, 160))
    ours = np.asarray(Image.open(tmp_path / "scratch" / plain.name)).astype(float)
    upright = np.asarray(Image.open(tmp_path / "scratch" / turned.name)).astype(float)
    assert np.abs(np.rot90(upright) - ours).mean() < 6
    assert np.unique(np.asarray(Image.open(tmp_path / "scratch" / clear.name))).tolist() == [128]
