"""tokengs-flow: what a run's Gaussians do, as numbers."""

import json

import numpy as np
import pytest
from made.endings import ended
from made.finished import write_run
from PIL import Image

from tokengs_nerfstudio.commands.flow import main

# Where the photo's cameras, of which the second stands in the middle of three: see `arc_cameras`.
AXIS_CAMERA = {
    "camera_to_world": [1.0, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1],
    "fov": float(np.degrees(2 * np.arctan(24 / 40))),
    "aspect": 64 / 48,
}


def straight(folder, **camera) -> str:
    """A camera path of one camera that looks along z, at the red Gaussian in the middle."""
    film = {"render_width": 64, "render_height": 48, "seconds": 1, "camera_path": [{**AXIS_CAMERA, **camera}]}
    (folder / "path.json").write_text(json.dumps(film))
    return str(folder / "path.json")


def flow_of(folder, *options: str) -> tuple[np.ndarray, np.ndarray]:
    """In pixels and in space, of the red Gaussian's pixel in the middle."""
    main([str(write_run(folder / "run")), str(folder / "out"), *options])
    pixels, world = (np.load(folder / f"out/00000_{name}.npy") for name in ("pixels", "world"))
    assert (pixels.shape, world.shape) == ((48, 64, 2), (48, 64, 3))
    assert pixels.dtype == world.dtype == np.float32
    return pixels[24, 32], world[24, 32]


def test_both_units_from_the_first_time_to_the_next(tmp_path):
    """One unit of nerfstudio's, at depth 2 and a focal length of 40, is 20 pixels; in the capture, which is turned by
    90 degrees and twice as large, it is two units along -y."""
    pixels, world = flow_of(tmp_path, "--cameras", straight(tmp_path))
    np.testing.assert_allclose(pixels, [20, 0], atol=1e-2)
    np.testing.assert_allclose(world, [0, -2, 0], atol=1e-4)
    assert np.asarray(Image.open(tmp_path / "out/00000.png"))[24, 32].tolist() == pytest.approx([255, 0, 0], abs=2)


def test_to_a_stated_time_in_nerfstudios_frame(tmp_path):
    pixels, world = flow_of(tmp_path, "--cameras", straight(tmp_path), "--to", "1", "--frame", "nerfstudio")
    np.testing.assert_allclose(pixels, [20, 20], atol=1e-2)
    np.testing.assert_allclose(world, [1, 1, 0], atol=1e-4)


def test_a_camera_path_has_times_which_an_option_overrules(tmp_path):
    """At 0.5 the red Gaussian has left the middle: what is to be seen there does not move."""
    path = straight(tmp_path, render_time=0.5)
    assert np.abs(flow_of(tmp_path, "--cameras", path)[0]).max() == 0
    main([str(tmp_path / "run"), str(tmp_path / "again"), "--cameras", path, "--time", "0"])
    np.testing.assert_allclose(np.load(tmp_path / "again/00000_pixels.npy")[24, 32], [20, 0], atol=1e-2)


def test_without_a_path_the_photos_are_looked_through_at_their_own_times(tmp_path, capsys):
    main([str(write_run(tmp_path / "run")), str(tmp_path / "out")])
    assert len(list((tmp_path / "out").glob("*_world.npy"))) == 4
    said = capsys.readouterr().out
    assert "00000: from time 0 to 0.5" in said
    assert "00001: from time 1 to 1, at most 0.00 pixels" in said
    assert "00002: from time 0.25 to 0.5" in said


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--time", "1.5"], "time"),
        (["--cameras", "gone.json"], "no camera path gone.json"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(options, complaint, tmp_path):
    run = write_run(tmp_path / "run")
    assert complaint in ended(main, run, tmp_path / "out", *options)


def test_a_scene_that_stands_still_and_a_path_that_is_none_are_refused(tmp_path):
    still, moving = write_run(tmp_path / "still", moves=False), write_run(tmp_path / "moving")
    (tmp_path / "broken.json").write_text("{}")
    for arguments, complaint in (
        ([still, tmp_path / "out"], "stands still"),
        ([moving, tmp_path / "out", "--cameras", tmp_path / "broken.json"], "has no 'render_width'"),
        ([moving, tmp_path / "broken.json"], "is a file"),
    ):
        assert complaint in ended(main, *arguments)
