import pytest
from PIL import Image

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.posing.finding import lens_groups
from tokengs_nerfstudio.data.posing.photos import Photo, digests, has_photos, photo_files, read_photo


def photo(path, size=(40, 30), **entries):
    """A photo with EXIF entries by their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    inner = exif.get_ifd(0x8769)
    for name, value in entries.items():
        number = int(name[1:], 16)
        (inner if number > 0x8769 else exif)[number] = value
    Image.new("RGB", size, "green").save(path, exif=exif)
    return path


def test_photos_are_found_where_people_put_them(tmp_path):
    photo(tmp_path / "a/images/2.jpg"), photo(tmp_path / "a/images/1.JPG"), photo(tmp_path / "a/masks/1.png")
    assert [path.name for path in photo_files(tmp_path / "a")] == ["1.JPG", "2.jpg"]
    photo(tmp_path / "b/left/1.png"), photo(tmp_path / "b/right/1.png"), photo(tmp_path / "b/images_2/1.png")
    photo(tmp_path / "b/.thumbnails/1.png")
    names = [path.relative_to(tmp_path / "b").as_posix() for path in photo_files(tmp_path / "b")]
    assert names == ["left/1.png", "right/1.png"]
    photo(tmp_path / "b/top.png")
    assert [path.name for path in photo_files(tmp_path / "b")] == ["top.png"]


def test_a_folder_without_photos_is_refused_and_heic_is_named(tmp_path):
    (tmp_path / "text.txt").touch()
    assert not has_photos(tmp_path)
    with pytest.raises(UserError, match="there are no photos in"):
        photo_files(tmp_path)
    (tmp_path / "IMG_1.HEIC").touch()
    with pytest.raises(UserError, match=r"the 1 photos of .* are \.HEIC files.*save them as JPEG"):
        photo_files(tmp_path)


def test_exif_says_lens_and_turn(tmp_path):
    taken = {"x010f": "Maker", "x0110": "Phone", "x920a": 4.2, "xa405": 26}
    plain = read_photo(photo(tmp_path / "plain.jpg"), tmp_path)
    assert (plain.size, plain.turned, plain.focal) == ((40, 30), False, None)
    upright = read_photo(photo(tmp_path / "turned.jpg", x0112=6, **taken), tmp_path)
    assert (upright.size, upright.turned, upright.device) == ((30, 40), True, ("Maker", "Phone", "4.20", "26.0"))
    assert upright.focal == pytest.approx(26 / 43.267 * 50, rel=1e-3)  # the diagonal of 30 x 40


def test_one_lens_for_photos_of_one_device_and_size(tmp_path):
    def taken(size, focal):
        return Photo(tmp_path, "x", size, False, ("Maker", "Phone", focal), None)

    photos = [taken((4, 3), "4.2"), taken((3, 4), "4.2"), taken((4, 3), "6.0"), taken((4, 3), "4.2")]
    assert lens_groups(photos, "auto") == [0, 1, 2, 0]
    assert lens_groups(photos, "one") == [0, 1, 0, 0]
    assert lens_groups(photos, "each") == [0, 1, 2, 3]


def test_a_hash_is_of_the_content(tmp_path):
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    a, b, c = digests([tmp_path / name for name in "abc"])
    assert a == b != c
