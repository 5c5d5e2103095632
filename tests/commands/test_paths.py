"""Camera paths of scenes that move."""

import json

import numpy as np
import pytest
import torch
from made.finished import write_run
from made.scenes import arc_cameras
from nerfstudio.cameras.camera_paths import get_path_from_json

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.commands.export import main
from tokengs_nerfstudio.commands.paths import write_path
from tokengs_nerfstudio.core.errors import CommandEnded, UserError
from tokengs_nerfstudio.data.camera_path import filmed


@pytest.mark.parametrize("kind", ["bullet-time", "time-lapse", "context"])
def test_nerfstudio_reads_what_is_written(kind, tmp_path):
    said = write_path(write_run(tmp_path / "run"), tmp_path / "path.json", kind, frames=9, frame_rate=3)
    assert "9 pictures of 64x48, 3 s" in said
    film = json.loads((tmp_path / "path.json").read_text())
    cameras = get_path_from_json(film)
    assert (cameras.size, int(cameras[0].width), int(cameras[0].height)) == (9, 64, 48)
    assert cameras.times is not None
    moves = float(cameras.camera_to_worlds[:, :, 3].std(0).max()) > 0.01
    runs = float(cameras.times.max() - cameras.times.min()) > 0.9
    assert (moves, runs) == {"bullet-time": (True, False), "time-lapse": (False, True), "context": (True, True)}[kind]
    # The lens is that of the photos, the axes are OpenGL's in the file.
    assert float(cameras.fy[0]) == pytest.approx(40, abs=1e-3)
    c2w, _ = bridge.camera_matrices(cameras)
    ours = torch.cat([one.c2w for one, _ in filmed(film)])
    torch.testing.assert_close(ours, c2w, atol=1e-5, rtol=0)
    assert [time for _, time in filmed(film)] == pytest.approx(cameras.times.flatten().tolist())


def test_the_command_for_nerfstudio_has_the_runs_config_whichever_way_the_run_is_named(tmp_path):
    run = write_run(tmp_path / "run")
    for named in (run, run / "config.yml"):
        said = write_path(named, tmp_path / "path.json", "time-lapse", frames=2)
        assert f"--load-config {run / 'config.yml'} --camera-path-filename" in said


def test_a_film_begins_at_the_first_photo_and_can_be_of_another_size(tmp_path):
    write_path(write_run(tmp_path / "run"), tmp_path / "path.json", "context", frames=5, height=97)
    film = json.loads((tmp_path / "path.json").read_text())
    assert (film["render_width"], film["render_height"]) == (128, 96)
    first = np.array(film["camera_path"][0]["camera_to_world"]).reshape(4, 4)
    np.testing.assert_allclose(first[:3, 3], arc_cameras(4)[0, :3, 3], atol=1e-6)
    assert film["camera_path"][0]["fov"] == pytest.approx(np.degrees(2 * np.arctan(24 / 40)), abs=1e-4)


def test_a_scene_that_stands_still_has_no_such_films(tmp_path):
    with pytest.raises(UserError, match="stands still"):
        write_path(write_run(tmp_path / "run", moves=False), tmp_path / "path.json", "time-lapse")
    assert not (tmp_path / "path.json").exists()


def test_the_command_writes_what_the_function_does(tmp_path):
    run = write_run(tmp_path / "run")
    write_path(run, tmp_path / "wanted.json", "bullet-time", time=0.25)
    main([str(run), str(tmp_path / "path.json"), "--path", "bullet-time", "--time", "0.25"])
    assert (tmp_path / "path.json").read_text() == (tmp_path / "wanted.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scene.ply", "--path", "context"], "a camera path is written as .json"),
        (["path.json"], "a camera path is written as .json"),
        (["path.json", "--path", "context", "--time", "0.5"], "only --path bullet-time stands at a moment"),
        (["path.json", "--path", "bullet-time", "--time", "all"], "only --path bullet-time stands at a moment"),
    ],
)
def test_paths_and_their_files_belong_together(arguments, said, tmp_path):
    with pytest.raises(CommandEnded, match=said):
        main([str(write_run(tmp_path / "run")), str(tmp_path / arguments[0]), *arguments[1:]])
    assert not (tmp_path / arguments[0]).exists()
