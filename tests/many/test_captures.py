"""Which captures a command line stands for, and when one has changed."""

import os
import shutil
from pathlib import Path

import pytest
from made.captures import edit, mask_left_half, write_capture

from tokengs_nerfstudio.core.errors import MissingFileError
from tokengs_nerfstudio.many.captures import Capture, captures_of


def empty_captures(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "transforms.json").write_text("{}")


def test_captures_files_folders_of_captures_and_lists(tmp_path):
    empty_captures(tmp_path, "one", "all/two", "all/three.v2", "listed")
    (tmp_path / "one/other.json").write_text("{}")
    (tmp_path / "list.txt").write_text("# mine\nlisted\n\none\n")
    given = ["one", "one/other.json", "all", "list.txt", "one/transforms.json"]
    found = captures_of([tmp_path / path for path in given])
    assert [capture.name for capture in found] == ["one", "other", "three.v2", "two", "listed"]
    paths = ["one", "one/other.json", "all/three.v2", "all/two", "listed"]
    assert [capture.path for capture in found] == [tmp_path / path for path in paths]


def test_names_are_as_long_as_tells_them_apart(tmp_path):
    empty_captures(tmp_path, "a/scene", "b/scene", "b/garden")
    found = captures_of([tmp_path / "a", tmp_path / "b"])
    assert [capture.name for capture in found] == ["a_scene", "garden", "b_scene"]


def test_what_is_no_capture_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFileError, match="empty is no capture"):
        captures_of([tmp_path / "empty"])


def test_content_changes_with_what_is_read_and_with_nothing_else(tmp_path):
    folder = write_capture(tmp_path / "scene", count=3)
    capture = Capture("scene", folder)
    before = capture.content()
    (folder / "outputs").mkdir()
    (folder / "outputs/run.log").write_text("a run")
    (folder / "notes.txt").write_text("nothing")
    assert capture.content() == before
    shutil.copytree(folder, tmp_path / "copy")
    assert Capture("copy", tmp_path / "copy").content() == before
    photo = folder / "images/frame_001.png"
    os.utime(photo, ns=(1, 1))
    touched = capture.content()
    mask_left_half(folder)
    masked = capture.content()
    edit(folder, lambda meta: meta.update(fl_x=30.0))
    assert len({before, touched, masked, capture.content()}) == 4


@pytest.mark.parametrize("text", ["", "[]", '{"frames": 3}', '{"frames": [{"file_path": 3}]}'])
def test_a_broken_capture_has_a_content_too(tmp_path, text):
    (tmp_path / "transforms.json").write_text(text)
    before = Capture("x", tmp_path).content()
    (tmp_path / "transforms.json").write_text(text + " ")
    assert Capture("x", tmp_path).content() != before
    assert Capture("y", tmp_path / "gone").content()
