"""Files are whole or absent."""

import subprocess
import sys
from pathlib import Path

import pytest

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.files import FolderLock, remove_scratch, replacing, write_text


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


FULL = """
import resource, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from tokengs_nerfstudio.core.errors import one_line
from tokengs_nerfstudio.core.files import replacing
tensors = {"a": torch.zeros(300, 300)}
writers = {"torch": lambda file: torch.save(tensors, file), "safetensors": lambda file: save_file(tensors, file)}
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
for name, write in writers.items():
    try:
        with one_line(), replacing(Path(sys.argv[1]) / name) as scratch:
            write(scratch)
    except SystemExit as ended:
        print(ended.code)
"""


def test_what_does_not_fit_on_the_disk_is_said_in_one_line_whoever_writes(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="limits on the size of files are POSIX's")
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert lines == [f"Error: cannot write {tmp_path / name}: File too large" for name in ("torch", "safetensors")]
    assert not list(tmp_path.iterdir())


def test_a_folder_is_locked_until_its_lock_is_closed(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path, "wait")
    with pytest.raises(UserError, match="is in use: wait"):
        FolderLock(tmp_path, "wait")
    lock.close()
    FolderLock(tmp_path, "wait").close()


LOCKED = """
import sys
from pathlib import Path
from tokengs_nerfstudio.core.files import FolderLock
lock = FolderLock(Path(sys.argv[1]), "")
print(flush=True)
sys.stdin.read()
"""


def test_a_lock_falls_with_its_process(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LOCKED, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(UserError, match="is in use"):
        FolderLock(tmp_path, "")
    process.kill()
    process.communicate()
    FolderLock(tmp_path, "").close()


def test_what_killed_processes_left_is_found_by_its_name(tmp_path: Path) -> None:
    for name in (".a.12-0123abcd.ckpt", "unfinished-12.ckpt", "a.ckpt", ".hidden", ".a.12-0123abcd"):
        (tmp_path / name).touch()
    remove_scratch(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.12-0123abcd", ".hidden", "a.ckpt"]
