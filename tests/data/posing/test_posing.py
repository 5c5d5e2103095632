"""Photos and films in, captures out: what is written where, and when it is made anew."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made.ply import read_vertices
from made.walk import FOCAL, aligned, camera, copy_sample_photos, picture, turned, walk, write_film, write_photos
from PIL import Image

from tokengs_nerfstudio.core.errors import ExistingFileError, UserError
from tokengs_nerfstudio.core.files import can_write
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.capture.writer import write_nerfstudio_capture
from tokengs_nerfstudio.data.posing import posing, sfm
from tokengs_nerfstudio.data.posing.config import PosingConfig
from tokengs_nerfstudio.data.posing.posing import is_unposed, posed
from tokengs_nerfstudio.samples import sample_capture

pytest.importorskip("pycolmap", reason="structure from motion is pycolmap's")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/tokengs_nerfstudio"


@pytest.fixture
def photos(posed_walk, tmp_path) -> Path:
    """A copy of the posed walk that a test may change."""
    return Path(shutil.copytree(posed_walk, tmp_path / "photos"))


def transforms(folder: Path) -> dict:
    return json.loads((folder / "transforms.json").read_text())


def no_solver(monkeypatch) -> None:
    def fail(*_):
        raise AssertionError("posed again")

    monkeypatch.setattr(posing, "find", fail)


def test_poses_lens_and_points_are_those_of_the_scene(posed_walk):
    capture = NerfstudioCapture(posed_walk)
    true = np.stack([camera(at) for at in np.linspace(0, 1, 8)])
    off, angle = aligned(capture.c2w.double().numpy(), true)
    assert off < 0.01
    assert angle < 0.3
    assert float(capture.intrinsics[0, 0, 0]) == pytest.approx(FOCAL, rel=0.03)
    content = transforms(posed_walk)
    assert content["camera_model"] == "OPENCV"
    assert abs(content["k1"]) < 0.05
    points = read_vertices(posed_walk / content["ply_file_path"])
    assert len(points) > 200
    # Points lie where the cameras look, and have the colour that is seen there.
    positions = torch.from_numpy(np.stack([points[axis] for axis in "xyz"], axis=-1).copy())
    inside = (positions - capture.c2w[0, :3, 3]) @ capture.c2w[0, :3, :3]
    seen = inside @ capture.intrinsics[0].T
    pixels = (seen[:, :2] / seen[:, 2:]).floor().long()
    kept = (inside[:, 2] > 0) & (pixels >= 0).all(-1) & (pixels < torch.tensor([320, 240])).all(-1)
    picture_there = capture.load([0]).images[0][:, pixels[kept, 1], pixels[kept, 0]].T * 255
    colours = torch.from_numpy(np.stack([points[c] for c in ("red", "green", "blue")], axis=-1).astype(np.float32))
    assert kept.float().mean() > 0.3
    assert (picture_there - colours[kept]).abs().median() < 25


def test_up_is_where_the_photos_say(posed_walk):
    up = NerfstudioCapture(posed_walk).c2w[:, :3, 1].mean(0)
    torch.testing.assert_close(-up / up.norm(), torch.tensor([0.0, 0.0, 1.0]), atol=1e-5, rtol=0)
    assert "orientation_override" not in transforms(posed_walk)


def test_posed_photos_are_used_again_and_posed_anew_when_one_changes(photos, fast, monkeypatch):
    before = (photos / "transforms.json").read_bytes()
    (photos / "p02.png").touch()
    with monkeypatch.context() as patch:
        no_solver(patch)
        assert posed(photos).reused
        assert posed(photos, fast).reused
        (photos / "p05.png").unlink()  # the poses of the others still hold
        assert posed(photos).reused
        with pytest.raises(AssertionError, match="posed again"):
            posed(photos, replace(fast, seed=1))
        Image.fromarray(picture(camera(0.9))).save(photos / "p08.png")
        with pytest.raises(AssertionError, match="posed again"):
            posed(photos)
    said: list[str] = []
    assert not posed(photos, fast, say=said.append).reused
    assert (photos / "transforms.json").read_bytes() != before
    assert len(transforms(photos)["frames"]) == 8
    assert said == [f"{photos} or the settings have changed: finding its poses anew", said[1]]
    assert said[1].startswith("8 of 8 photos posed, ")


def test_the_same_photos_have_the_same_poses_with_any_number_of_threads(photos, fast):
    again = write_photos(photos.parent / "again", walk())
    posed(again, replace(fast, threads=1))
    assert transforms(again)["frames"] == transforms(photos)["frames"]
    assert (again / "sparse_pc.ply").read_bytes() == (photos / "sparse_pc.ply").read_bytes()


def test_a_capture_of_somebody_else_is_none_to_pose(photos):
    content = transforms(photos)
    del content["posed_from"]
    (photos / "transforms.json").write_text(json.dumps(content))
    assert not is_unposed(photos)
    assert not is_unposed(photos.parent)  # a folder of captures
    with pytest.raises(ExistingFileError, match=r"transforms\.json was not made by posing these photos"):
        posed(photos)
    (photos / "transforms.json").unlink()
    assert is_unposed(photos)
    assert is_unposed(photos / "film.MP4")
    assert not is_unposed(photos / "p01.png")


def test_output_is_a_capture_with_the_photos(photos, fast, tmp_path):
    (photos / "transforms.json").unlink()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").touch()
    with pytest.raises(ExistingFileError, match="not empty"):
        posed(photos, fast, output=tmp_path / "full")
    found = posed(photos, fast, output=tmp_path / "out/capture")
    assert found.folder == tmp_path / "out/capture"
    assert not (photos / "transforms.json").exists()
    shutil.rmtree(photos)
    capture = NerfstudioCapture(found.folder)
    assert capture.file_names[0] == "images/p00.png"
    assert len(capture) == 8
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["capture"]


def test_a_folder_of_photos_is_never_replaced(photos, fast, tmp_path):
    before = sorted(path.name for path in photos.iterdir())
    others = write_photos(tmp_path / "others", walk(6))
    with pytest.raises(ExistingFileError, match="not empty and was not written by"):
        posed(others, fast, output=photos)
    with pytest.raises(ExistingFileError, match="not empty and was not written by"):
        write_nerfstudio_capture(photos, NerfstudioCapture(photos).load([0, 1]), overwrite=True)
    assert sorted(path.name for path in photos.iterdir()) == before


def test_an_output_of_before_is_replaced(photos, fast, tmp_path):
    output = posed(photos, fast, output=tmp_path / "capture").folder
    others = write_photos(tmp_path / "others", walk(6))
    posed(others, fast, output=output)
    assert len(NerfstudioCapture(output)) == len(list((output / "images").iterdir())) == 6


def test_photos_that_cannot_be_written_beside_are_posed_in_the_cache(photos, fast, cache, monkeypatch):
    (photos / "transforms.json").unlink()
    (photos / "sparse_pc.ply").unlink()
    monkeypatch.setattr(posing, "can_write", lambda folder: folder != photos)
    said: list[str] = []
    found = posed(photos, fast, say=said.append)
    assert found.folder.parent == cache / "posed"
    assert said[0] == f"{photos} cannot be written to: the poses go to {found.folder}"
    assert len(NerfstudioCapture(found.folder)) == 8
    assert {path.suffix for path in photos.iterdir()} == {".png"}
    no_solver(monkeypatch)
    assert posed(photos).reused


def test_whether_a_folder_can_be_written_to(tmp_path):
    assert can_write(tmp_path / "not/there/yet")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    ask = "import os, sys\nfrom pathlib import Path\nfrom tokengs_nerfstudio.core.files import can_write\n"
    ask += "os.chdir(sys.argv[1])\nif os.getuid() == 0: os.seteuid(65534)  # root may write anywhere\n"
    ask += "print(can_write(Path('.')))"
    answer = subprocess.run([sys.executable, "-c", ask, closed], capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "False", answer.stderr


def test_a_film_gives_its_sharp_frames(tmp_path, fast, monkeypatch):
    steps = np.linspace(0, 1, 40)
    film = write_film(tmp_path / "walk.mp4", [picture(camera(at), 2.5 * (k % 4 > 0)) for k, at in enumerate(steps)])
    said: list[str] = []
    found = posed(film, replace(fast, frames=9), say=said.append)
    assert found.folder == tmp_path / "walk_capture"
    names = [Path(frame["file_path"]).name for frame in transforms(found.folder)["frames"]]
    assert len(names) >= 7
    numbers = [int(name[6:12]) for name in names]
    assert sum(number % 4 == 0 for number in numbers) >= 0.8 * len(numbers)
    true = np.stack([camera(steps[number]) for number in numbers])
    off, angle = aligned(NerfstudioCapture(found.folder).c2w.double().numpy(), true)
    assert off < 0.03
    assert angle < 1
    no_solver(monkeypatch)
    assert posed(film).reused
    film.unlink()
    assert posed(film).reused  # a finished run is looked at without its film


def test_the_sample_photos_have_the_poses_that_came_with_them(tmp_path):
    folder = copy_sample_photos(tmp_path / "banana")
    found = posed(folder, PosingConfig(max_features=1200))
    assert found.left_out == {}
    ours, given = NerfstudioCapture(folder), NerfstudioCapture(sample_capture())
    true = dict(zip([Path(name).name for name in given.file_names], given.c2w.double().numpy()))
    off, angle = aligned(ours.c2w.double().numpy(), np.stack([true[name] for name in ours.file_names]))
    assert off < 0.03
    assert angle < 1.5


def test_photos_without_a_pose_are_named_with_the_reason(tmp_path, fast):
    pictures = walk()
    pictures[3] = picture(camera(3 / 7), blur=7)
    pictures.append(np.full_like(pictures[0], 90))
    folder = write_photos(tmp_path / "photos", pictures)
    (folder / "p09.jpg").write_bytes(b"no photo at all")
    found = posed(folder, fast)
    assert found.left_out == {
        "p03.png": "blurred",
        "p08.png": "too plain, dark or overexposed",
        "p09.jpg": "cannot be read",
    }
    assert len(transforms(folder)["frames"]) == 7
    assert transforms(folder)["posed_from"]["left_out"] == found.left_out


@pytest.mark.parametrize(
    ("pictures", "why", "instead"),
    [
        (lambda at: picture(camera(at), blur=9), r"8 photos: p00\.png.*\(blurred\)", "hold the camera still"),
        (lambda at: picture(turned(at)), r"\(taken from one place, the camera only turned\)", "a step to the side"),
        (lambda at: np.full((240, 320, 3), int(90 + 9 * at), np.uint8), r"\(too plain, dark", "textured things"),
        (
            lambda at: np.random.default_rng(int(100 * at)).integers(0, 255, (240, 320, 3)).astype(np.uint8),
            r"\(no overlap with any other photo\)",
            "two thirds",
        ),
    ],
    ids=["blurred", "turned", "plain", "alone"],
)
def test_what_cannot_be_posed_ends_with_one_message(tmp_path, fast, pictures, why, instead):
    folder = write_photos(tmp_path / "photos", [pictures(at) for at in np.linspace(0, 1, 8)])
    with pytest.raises(UserError, match=why) as caught:
        posed(folder, fast)
    assert str(caught.value).startswith(f"{folder} cannot be posed: 0 of its 8 photos could be placed. The others: ")
    assert instead in str(caught.value).partition(" Instead: ")[2]
    assert sorted(path.suffix for path in folder.iterdir()) == [".png"] * 8


def test_one_photo_and_a_film_that_stands_still_are_refused(tmp_path, fast):
    folder = write_photos(tmp_path / "photos", walk(2)[:1])
    with pytest.raises(UserError, match=r"has 1 photo \(p00\.png\): poses need at least 3 that overlap"):
        posed(folder, fast)
    film = write_film(tmp_path / "still.mp4", [picture(camera(0.5))] * 12)
    with pytest.raises(UserError, match="the camera hardly moves in the 12 frames"):
        posed(film, fast)
    assert not (tmp_path / "still_capture").exists()


def test_without_pycolmap_one_line_says_what_to_install(tmp_path, monkeypatch):
    folder = write_photos(tmp_path / "photos", walk(2))
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(UserError, match=r"need pycolmap: pip install 'tokengs_nerfstudio\[sfm\]'"):
        posed(folder)
    with pytest.raises(UserError, match="need pycolmap"):
        sfm.library()
