"""The photos that come with the package."""

import pytest
from made.ply import read_vertices
from PIL import Image

from tokengs_nerfstudio import samples
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig


def test_every_fourth_photo_of_the_sample_is_held_out():
    parser = TokenGSDataParserConfig(data=samples.sample_capture()).setup()
    train, test = (parser.get_dataparser_outputs(split) for split in ("train", "test"))
    numbers = [[int(path.stem[-5:]) for path in parsed.image_filenames] for parsed in (train, test)]
    assert numbers[1] == [2, 6, 10, 14]
    assert sorted(numbers[0] + numbers[1]) == list(range(15))
    for parsed in (train, test):
        for path, width, height in zip(parsed.image_filenames, parsed.cameras.width, parsed.cameras.height):
            with Image.open(path) as photo:
                assert photo.size == (int(width), int(height)) == (385, 256)


def test_the_sample_has_points_for_other_methods():
    points = read_vertices(samples.sample_capture() / "sparse_pc.ply")
    assert len(points) == 9036
    assert points.dtype.names == ("x", "y", "z", "red", "green", "blue")


def test_the_sample_says_whose_it_is():
    notice = (samples.sample_capture() / "NOTICE.txt").read_text()
    assert "Copyright (c) 2019 Piero Toffanin" in notice
    assert "Permission is hereby granted" in notice


def test_a_package_without_its_data_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(samples, "files", lambda name: tmp_path)
    with pytest.raises(FileNotFoundError, match="install tokengs_nerfstudio again"):
        samples.sample_capture()
