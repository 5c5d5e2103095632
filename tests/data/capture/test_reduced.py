"""Smaller copies of photos and masks beside the full ones."""

from pathlib import Path

import pytest

from tokengs_nerfstudio.data.capture.reduced import reduced_masks, reduced_photos

FULL = ("images/a/1.png", "images/b/1.png")


def touched(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [folder / name for name in names]


def test_folders_of_the_full_photos_come_first(tmp_path):
    expected = touched(tmp_path, "images_2/a/1.png", "images_2/b/1.png")
    touched(tmp_path, "images_2/1.png")
    assert reduced_photos(touched(tmp_path, *FULL), tmp_path, 2) == expected


def test_all_beside_each_other_where_names_differ(tmp_path):
    expected = touched(tmp_path, "images_2/1.png", "images_2/2.png")
    assert reduced_photos(touched(tmp_path, "images/a/1.png", "images/2.png"), tmp_path, 2) == expected


def test_one_photo_for_two_is_an_error(tmp_path):
    touched(tmp_path, "images_2/1.png")
    with pytest.raises(ValueError, match=r"one file for several of one name \(.*images_2/1\.png\)"):
        reduced_photos(touched(tmp_path, *FULL), tmp_path, 2)


def test_a_photo_listed_twice_is_one(tmp_path):
    reduced = touched(tmp_path, "images_2/1.png")
    full = touched(tmp_path, "images/1.png")
    assert reduced_photos([*full, tmp_path / "images/../images/1.png"], tmp_path, 2) == reduced * 2


@pytest.mark.parametrize("factor", [0, -2])
def test_factors_that_are_none(tmp_path, factor):
    with pytest.raises(ValueError, match="1 or more"):
        reduced_photos([], tmp_path, factor)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder images_4"):
        reduced_photos(touched(tmp_path, *FULL), tmp_path, 4)


def test_full_masks_serve_where_there_are_no_reduced_ones(tmp_path):
    full = [*touched(tmp_path, "masks/1.png"), None]
    assert reduced_masks(full, tmp_path, 2) == full
    assert reduced_masks(full, tmp_path, 1) == full
    reduced = touched(tmp_path, "masks_2/1.png")
    assert reduced_masks(full, tmp_path, 2) == [*reduced, None]
