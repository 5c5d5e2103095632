"""Files are whole or absent."""

from pathlib import Path

import pytest

from tokengs_nerfstudio.core.files import replacing, write_text


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_written_takes_the_place_of_what_was(tmp_path: Path) -> None:
    path = tmp_path / "deep/er/file.txt"
    write_text(path, "first")
    write_text(path, "second: ü")
    assert path.read_text(encoding="utf-8") == "second: ü"
    assert names(path.parent) == {"file.txt"}


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def fail_half_way() -> None:
        with replacing(path) as scratch:
            scratch.write_text("ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert path.read_text() == "old"
    assert names(tmp_path) == {"file.txt"}


def test_the_scratch_file_can_wait_elsewhere_and_keeps_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "watched/step-1.ckpt"
    with replacing(path, scratch_folder=tmp_path) as scratch:
        assert scratch.parent == tmp_path
        assert scratch.suffix == ".ckpt"
        scratch.write_bytes(b"all of it")
        assert names(path.parent) == set()
    assert names(path.parent) == {"step-1.ckpt"}
