"""The folder of a run: nobody else's, locked, and free of what killed runs left."""

from pathlib import Path

import pytest
from made.tuned_runs import checkpoints, run_config, trained

from tokengs_nerfstudio.core.errors import CommandEnded
from tokengs_nerfstudio.core.files import FolderLock


def test_another_runs_folder_is_refused_and_left_alone(capture, weights, finished):
    before = (finished / "config.yml").read_text()
    config = run_config(capture, weights, finished.parents[2])
    with pytest.raises(CommandEnded, match=f"go on with it by --load-dir {finished}, or give this run another"):
        config.setup(local_rank=0, world_size=1).setup()
    assert (finished / "config.yml").read_text() == before


def test_a_run_goes_on_in_its_own_folder_from_its_newest_checkpoint_alone(capture, weights, tmp_path):
    options = {"steps_per_save": 2, "save_only_latest_checkpoint": False}
    trained(run_config(capture, weights, tmp_path, steps=4, **options))
    folder = tmp_path / "blobs/tokengs/run"
    assert checkpoints(tmp_path) == ["step-000000002.ckpt", "step-000000003.ckpt"]
    older = run_config(capture, weights, tmp_path, load_dir=folder, load_step=2, **options)
    with pytest.raises(CommandEnded, match=r"later checkpoints than step-000000002\.ckpt, up to step 3"):
        older.setup(local_rank=0, world_size=1).setup()
    trained(run_config(capture, weights, tmp_path, steps=1, load_dir=folder, **options))
    assert checkpoints(tmp_path)[-1] == "step-000000004.ckpt"


def test_a_folder_is_locked_while_a_run_writes_to_it(capture, weights, tmp_path):
    first = run_config(capture, weights, tmp_path).setup(local_rank=0, world_size=1)
    first.setup()
    with pytest.raises(CommandEnded, match="is in use: another run is writing to it"):
        run_config(capture, weights, tmp_path).setup(local_rank=0, world_size=1).setup()
    first.train()
    folder = tmp_path / "blobs/tokengs/run"
    FolderLock(folder, "").close()
    assert checkpoints(tmp_path) == ["step-000000003.ckpt"]


def test_what_killed_runs_left_half_written_is_taken_away(capture, weights, tmp_path):
    folder = tmp_path / "blobs/tokengs/run"
    folder.mkdir(parents=True)
    for name in (".step-000000002.4711-0123abcd.ckpt", "unfinished-4711.ckpt", "notes.txt"):
        (folder / name).touch()
    trained(run_config(capture, weights, tmp_path, steps=1))
    left = {path.name for path in folder.iterdir()}
    assert "notes.txt" in left
    assert not [name for name in left if "4711" in name]


def test_what_is_in_the_way_of_the_output_is_one_line(capture, weights, tmp_path):
    (tmp_path / "file").touch()
    for output, said in (
        (tmp_path / "file", "is a file where a folder is to be"),
        (Path("/proc"), "cannot make the folder"),
        (tmp_path / ("x" * 300), "File name too long"),
        (tmp_path / "o[/b]", "cannot be printed by nerfstudio"),
    ):
        with pytest.raises(CommandEnded, match=said) as ended:
            run_config(capture, weights, output).setup(local_rank=0, world_size=1).setup()
        assert "--output-dir" in str(ended.value.code)
