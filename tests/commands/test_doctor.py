"""tokengs-doctor on captures as they should be and on damaged ones."""

import json
import logging
import sys
from pathlib import Path

import pytest
import torch
from made.captures import edit, mask_left_half, write_blobs
from made.cut_outs import write_cut_outs
from made.scenes import arc_cameras, blobs
from PIL import Image, ImageFilter

from tokengs_nerfstudio.commands.doctor import main
from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.core.splat_parameters import splat_parameters
from tokengs_nerfstudio.data.posing.sfm import library


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return write_blobs(tmp_path / "blobs", count=12)


def doctor(capture: Path, capsys, *options: str) -> tuple[int, str]:
    code = main([str(capture), *options])
    return code, capsys.readouterr().out


def test_a_good_capture_is_usable(capture, capsys):
    code, text = doctor(capture, capsys)
    assert code == 0
    assert "12 of 12 found, 48x40 pixels, 2 held out" in text
    assert "field of view 37 degrees" in text
    assert "--pipeline.datamanager.num-context 6" in text
    assert text.endswith("usable\n")
    assert "warning" not in text


def test_everything_as_json(capture, capsys):
    code, text = doctor(capture, capsys, "--json")
    found = json.loads(text)
    assert code == 0
    assert found["usable"]
    assert (found["listed"], found["found"], found["held_out"]) == (12, 12, 2)
    assert found["cameras"]["axes_apart"] > 100
    assert len(found["photos"]) == 12
    assert len(found["context"]) == 6
    assert found["findings"] == []


def missing(folder: Path) -> None:
    (folder / "images/frame_00003.png").unlink()


def none_there(folder: Path) -> None:
    for photo in (folder / "images").iterdir():
        photo.unlink()


def broken(folder: Path) -> None:
    photo = folder / "images/frame_00003.png"
    photo.write_bytes(photo.read_bytes()[:-400])


def no_json(folder: Path) -> None:
    (folder / "transforms.json").write_text("{")


def blurred(folder: Path) -> None:
    photo = folder / "images/frame_00003.png"
    Image.effect_noise((48, 40), 90).convert("RGB").save(photo)
    for other in (folder / "images").iterdir():
        if other != photo:
            picture = Image.open(other)
            Image.blend(picture, Image.effect_noise(picture.size, 90).convert("RGB"), 0.3).save(other)
    Image.open(photo).filter(ImageFilter.GaussianBlur(4)).save(photo)


def senseless_pose(folder: Path) -> None:
    edit(folder, lambda meta: meta["frames"][3].update(transform_matrix=[[1, 0], [0, 1]]))


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (missing, 0, "11 of 12 found"),
        (missing, 0, "frame_00003.png"),
        (none_there, 1, "NOT USABLE"),
        (broken, 1, "NOT USABLE: cannot read the image"),
        (no_json, 1, "is not valid JSON"),
        (blurred, 0, "warning: frame_00003.png is much less sharp"),
        (senseless_pose, 1, "transform_matrix"),
    ],
)
def test_what_is_damaged_is_said(capture, capsys, damage, code, words):
    damage(capture)
    found, text = doctor(capture, capsys)
    assert found == code
    assert words in text
    assert text.splitlines()[-1] == ("not usable as it is" if code else "usable")


def test_what_the_readers_say_is_said_once(capture, capsys):
    missing(capture)
    log, printed = logging.getLogger("tokengs_nerfstudio"), logging.StreamHandler(sys.stdout)
    log.addHandler(printed)
    try:
        assert doctor(capture, capsys)[1].count("do not exist") == 1
        assert printed in log.handlers
    finally:
        log.removeHandler(printed)


def test_cut_outs_and_masks_are_seen(tmp_path, capsys):
    assert "cut out" in doctor(write_cut_outs(tmp_path / "ball", count=12), capsys)[1]
    masked = write_blobs(tmp_path / "masked", count=12)
    mask_left_half(masked, (48, 40))
    assert "masked" in doctor(masked, capsys)[1].splitlines()[1]


def test_weights_that_are_not_there_end_it_with_a_line(capture):
    with pytest.raises(SystemExit, match=r"^Error: .*nowhere"):
        main([str(capture), "--checkpoint", "nowhere.safetensors"])


def test_no_capture_at_all(tmp_path, capsys):
    code, text = doctor(tmp_path / "nothing", capsys)
    assert code == 1
    assert "NOT USABLE" in text


def write_run(folder: Path, confidence: bool = True) -> Path:
    """A finished run that is sure on its left side and not on its right."""
    scene, side = blobs(40), torch.full((3,), 40.0)
    parameters = splat_parameters(BakedScene(scene))
    if confidence:
        parameters["confidence"] = torch.where(scene.means[:, 0] > 0.2, 0.05, 0.8)
    record = {
        "context": ["images/left.jpg", "images/middle.jpg", "images/right.jpg"],
        "context_c2w": arc_cameras(3),
        "context_intrinsics": intrinsics_matrix(side, side, side / 2, side / 2),
        "context_size": [40, 40],
    }
    (folder / "nerfstudio_models").mkdir(parents=True)
    state = {f"_model.gauss_params.{name}": value for name, value in parameters.items()}
    saved = {"pipeline": state, "tuning": {"scene": record}}
    torch.save(saved, folder / "nerfstudio_models/step-000000007.ckpt")
    return folder


def test_a_run_says_where_the_next_photo_would_help_and_draws_it(tmp_path, capsys):
    run = write_run(tmp_path / "run")
    code, text = doctor(run, capsys)
    assert code == 0
    assert "gaussians 40, " in text
    assert "a photo a step to the right of images/" in text
    assert text.endswith(f"drawn     {run / 'next_photo.png'}\n")
    assert Image.open(run / "next_photo.png").width > 300
    code, text = doctor(run, capsys, "--json", "--drawing", str(tmp_path / "there.png"))
    found = json.loads(text)
    assert found["next"]["where"] == "to the right of"
    assert len(found["next"]["c2w"]) == 4
    assert (tmp_path / "there.png").is_file()


def test_a_run_of_an_older_version_ends_in_one_line(tmp_path, capsys):
    run = write_run(tmp_path / "run", confidence=False)
    with pytest.raises(SystemExit) as ended:
        doctor(run, capsys)
    assert "does not say how far its Gaussians can be believed" in str(ended.value.code)


@pytest.fixture
def photos(capture: Path, monkeypatch) -> Path:
    """The photos of a capture, without its poses; what finds poses is there."""
    monkeypatch.setattr("tokengs_nerfstudio.data.doctor.library", lambda: None)
    (capture / "transforms.json").unlink()
    return capture


def test_photos_without_poses_are_usable_once_they_have_some(photos, capsys):
    code, text = doctor(photos, capsys)
    assert code == 0
    assert "photos    12 without poses, 48x40 pixels" in text
    assert f"ns-train tokengs --data {photos} finds them first" in text
    assert text.endswith("usable, once poses are found\n")


def test_photos_without_poses_are_looked_at(photos, capsys):
    blurred(photos)
    Image.new("RGB", (48, 40)).save(photos / "images/frame_00005.png")
    (photos / "images/frame_00007.png").write_bytes((photos / "images/frame_00007.png").read_bytes()[:-400])
    code, text = doctor(photos, capsys, "--json")
    found = json.loads(text)
    assert code == 1
    assert (found["unposed"], found["listed"], found["found"], found["size"]) == (True, 12, 12, [40, 48])
    assert len(found["photos"]) == 11
    said = " ".join(finding["text"] for finding in found["findings"])
    for words in ("frame_00003.png is much less sharp", "frame_00005.png is of one colour", "frame_00007.png: "):
        assert words in said


def test_what_finds_poses_is_said_where_it_is_missing(photos, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    monkeypatch.setattr("tokengs_nerfstudio.data.doctor.library", library)
    code, text = doctor(photos, capsys)
    assert code == 1
    assert "NOT USABLE: photos without poses need pycolmap: pip install" in text


def test_poses_of_another_form_are_said(photos, capsys):
    (photos / "sparse/0").mkdir(parents=True)
    (photos / "sparse/0/cameras.bin").touch()
    code, text = doctor(photos, capsys)
    assert code == 1
    assert "colmap --colmap-path sparse/0" in text


def test_a_video_has_no_poses_either(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tokengs_nerfstudio.data.doctor.library", lambda: None)
    (tmp_path / "walk.mp4").touch()
    code, text = doctor(tmp_path / "walk.mp4", capsys)
    assert code == 0
    assert "those of a video, without poses" in text
