"""Finished runs whose capture is not what it was: cameras lie where the run had them, or a line says what is wrong."""

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from made.captures import edit
from made.tuned_runs import looked_at, run_config, trained
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig
from PIL import Image

from tokengs_nerfstudio.core.errors import CommandEnded
from tokengs_nerfstudio.pipeline import TokenGSPipeline
from tokengs_nerfstudio.world_frame import WorldFrame

Meta = dict[str, Any]
LISTS = ("train_filenames", "val_filenames", "test_filenames")


@pytest.fixture
def scene(capture, tmp_path) -> Path:
    """The capture of the finished run, to be changed: eight photos to learn from, 0 and 8 are held out."""
    return Path(shutil.copytree(capture, tmp_path / "scene"))


@pytest.fixture(scope="module")
def as_it_was(finished, capture) -> TokenGSPipeline:
    return looked_at(finished, capture)


def some_are_gone(meta: Meta) -> None:
    """Three that were learned from, at one end of the circle; those that are held out stay."""
    keep_split(meta)
    gone = {f"images/frame_0000{number}.png" for number in (1, 2, 3)}
    meta["frames"] = [frame for frame in meta["frames"] if frame["file_path"] not in gone]
    meta["train_filenames"] = [name for name in meta["train_filenames"] if name not in gone]


def one_is_new(meta: Meta) -> None:
    """From further away, by a name that comes last."""
    keep_split(meta)
    frame = meta["frames"][1]
    matrix = [[*row[:3], 1.6 * row[3]] for row in frame["transform_matrix"][:3]] + [[0, 0, 0, 1]]
    meta["frames"].append({**frame, "file_path": "images/new.png", "transform_matrix": matrix})
    meta["train_filenames"].append("images/new.png")


def keep_split(meta: Meta) -> None:
    """In words, whatever the rule would make of other photos."""
    names = [frame["file_path"] for frame in meta["frames"]]
    held_out = [names[0], names[8]]
    meta["train_filenames"] = [name for name in names if name not in held_out]
    meta["val_filenames"] = meta["test_filenames"] = held_out


def other_split(meta: Meta) -> None:
    keep_split(meta)
    learned = meta["train_filenames"]
    meta["train_filenames"] = meta["test_filenames"] + learned[2:]
    meta["val_filenames"] = meta["test_filenames"] = learned[:2]


def another_held_out(meta: Meta) -> None:
    keep_split(meta)
    meta["test_filenames"].append(meta["train_filenames"].pop())


def nothing_held_out(meta: Meta) -> None:
    for name in LISTS:
        meta.pop(name, None)
    meta["train_filenames"] = [frame["file_path"] for frame in meta["frames"]]


def other_focal(meta: Meta) -> None:
    for part in (meta, *meta["frames"]):
        part.update({name: 1.5 * part[name] for name in ("fl_x", "fl_y") if name in part})


def other_pose(meta: Meta) -> None:
    meta["frames"][4]["transform_matrix"][2][3] += 0.5


def other_times(meta: Meta) -> None:
    for number, frame in enumerate(meta["frames"]):
        frame["time"] = float(number)


@pytest.mark.parametrize("change", [some_are_gone, one_is_new])
def test_photos_that_came_or_went_leave_the_scene_where_it_was(finished, scene, as_it_was, change, capsys):
    shutil.copy(scene / "images/frame_00001.png", scene / "images/new.png")
    edit(scene, change)
    pipeline = looked_at(finished, scene)
    said = re.sub(r"console\.py:\d+", "", capsys.readouterr().out)
    assert "has another frame than when the run began" in " ".join(said.split())
    ours, theirs = (side.datamanager.eval_dataset.cameras.camera_to_worlds for side in (pipeline, as_it_was))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    expected = as_it_was.get_average_eval_image_metrics()
    found = pipeline.get_average_eval_image_metrics()
    assert found["psnr"] == pytest.approx(expected["psnr"], abs=1e-3)
    assert found["held_out_images"] == expected["held_out_images"] == 2
    outputs = (side.datamanager.train_dataparser_outputs for side in (pipeline, as_it_was))
    mine, former = (WorldFrame.of(part) for part in outputs)
    assert mine.numbers == pytest.approx(former.numbers)


def test_what_nerfstudio_makes_for_itself_lies_there_too(finished, scene, as_it_was):
    """`ns-render dataset` has data managers of its own, by the configuration of the run."""
    edit(scene, some_are_gone)
    pipeline = looked_at(finished, scene, "inference")
    fresh = pipeline.config.datamanager.setup(device="cpu", test_mode="test")
    for part in (pipeline.datamanager, fresh):
        ours, theirs = (data.eval_dataset for data in (part, as_it_was.datamanager))
        poses = (side.cameras.camera_to_worlds for side in (ours, theirs))
        torch.testing.assert_close(*poses, atol=1e-5, rtol=0)
        scales = [side._dataparser_outputs.dataparser_scale for side in (ours, theirs)]
        assert scales[0] == pytest.approx(scales[1])
    again = looked_at(finished, scene, "inference")
    again.load_pipeline(pipeline.state_dict(), 0)  # what a run is loaded from goes with it
    torch.testing.assert_close(
        again.datamanager.train_dataset.cameras.camera_to_worlds,
        pipeline.datamanager.train_dataset.cameras.camera_to_worlds,
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_focal, "scene has other camera intrinsics of 10 photos .images/frame_0000.*train again"),
        (other_pose, r"scene has other camera poses of .* photos \(.*than the run began with; put them back"),
        (other_times, "scene has other camera times of"),
        (other_split, r"made from 2 of the 2 photos to be evaluated on \(images/frame_00001\.png, .*restore the split"),
        (another_held_out, r"made from 1 of the 3 photos to be evaluated on \(images/frame_00009\.png\); restore"),
        (nothing_held_out, r"made from 8 of the 10 photos to be evaluated on"),
    ],
)
def test_what_cannot_be_made_up_for_is_not_measured(finished, scene, monkeypatch, caplog, change, said):
    edit(scene, change)
    pipeline = looked_at(finished, scene)  # it can be looked at all the same
    for measure in (pipeline.get_average_eval_image_metrics, lambda: pipeline.get_eval_image_metrics_and_images(0)):
        with pytest.raises(CommandEnded, match=f"Error: .*{said}"):
            measure()
    monkeypatch.setattr(sys, "argv", ["ns-eval", "--load-config", str(finished / "config.yml")])
    with pytest.raises(CommandEnded, match=f"Error: .*{said}"):
        looked_at(finished, scene)


@pytest.mark.parametrize(
    ("words", "change", "refused"),
    [
        (["dataset"], other_focal, True),
        (["interpolate"], other_pose, True),
        (["dataset"], other_split, False),
        (["camera-path", "--camera-path-filename", "path.json"], other_focal, False),
    ],
)
def test_pictures_from_cameras_of_the_capture_want_those_that_it_had(
    finished, scene, tmp_path, monkeypatch, words, change, refused
):
    monkeypatch.chdir(tmp_path)
    pose = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 4, 0, 0, 0, 1]
    film = {
        "render_width": 32,
        "render_height": 24,
        "seconds": 1,
        "camera_path": [{"camera_to_world": pose, "fov": 50}],
    }
    Path("path.json").write_text(json.dumps(film))
    edit(scene, change)
    monkeypatch.setattr(sys, "argv", ["ns-render", *words, "--load-config", str(finished / "config.yml")])
    if not refused:
        looked_at(finished, scene, "inference")
        return
    with pytest.raises(CommandEnded, match=r"scene has other camera"):
        looked_at(finished, scene, "inference")


@pytest.mark.parametrize("made_by", [os.link, shutil.copy])
def test_photos_by_other_names_are_still_those_that_were_learned_from(finished, scene, made_by):
    """All that was learned from is held out now by names that the run did not know."""
    copies = {f"images/frame_0000{number}.png": f"images/other_{number}.png" for number in (1, 2)}
    for name, other in copies.items():
        made_by(scene / name, scene / other)

    def change(meta: Meta) -> None:
        keep_split(meta)
        meta["frames"] += [{**frame, "file_path": copies[frame["file_path"]]} for frame in meta["frames"][1:3]]
        meta["val_filenames"] = meta["test_filenames"] = list(copies.values())

    edit(scene, change)
    with pytest.raises(CommandEnded, match=r"made from 4 of the 4 photos to be evaluated on"):
        looked_at(finished, scene).get_average_eval_image_metrics()


def test_photos_of_none_of_the_names_are_in_the_world_of_the_run(finished, scene, caplog):
    """As those of `ns-render dataset --data`, taken later and placed in the same world."""
    edit(scene, some_are_gone)

    def renamed(meta: Meta) -> None:
        for name in LISTS:
            meta.pop(name)
        for number, frame in enumerate(meta["frames"]):
            (scene / frame["file_path"]).rename(scene / f"images/{number}.png")
            frame["file_path"] = f"images/{number}.png"

    former = looked_at(finished, scene).datamanager.eval_dataset.cameras.camera_to_worlds
    edit(scene, renamed)
    pipeline = looked_at(finished, scene)
    assert "has none of the photos that the run began with" in caplog.text
    ours = pipeline.datamanager.eval_dataset.cameras.camera_to_worlds
    now = torch.cat([ours, pipeline.train_cameras.camera_to_worlds])
    away = torch.cdist(former[:, :, 3], now[:, :, 3]).amin(1)
    assert float(away.max()) < 1e-3


def test_smaller_copies_of_the_photos_are_the_same_photos(capture, weights, tmp_path, caplog):
    """A run of images_2 is looked at by the full ones, and the other way round."""
    scene = Path(shutil.copytree(capture, tmp_path / "scene"))
    (scene / "images_2").mkdir()
    for photo in (scene / "images").iterdir():
        Image.open(photo).resize((24, 20)).save(scene / "images_2" / photo.name)
    for number, parser in enumerate((None, NerfstudioDataParserConfig(downscale_factor=2))):
        config = run_config(scene, weights, tmp_path / str(number), steps=0)
        if parser is None:
            config.pipeline.datamanager.dataparser.downscale_factor = 2
        else:
            config.pipeline.datamanager.dataparser = parser
        trained(config)
        run = tmp_path / str(number) / "blobs/tokengs/run"
        caplog.clear()
        for test_mode in ("inference", "test"):
            pipeline = looked_at(run, scene, test_mode)
            assert not caplog.messages
        assert pipeline.get_average_eval_image_metrics()["held_out_images"] > 0


def test_runs_of_before_do_not_say_what_their_capture_was(finished, scene):
    checkpoint = looked_at(finished, scene).state_dict()
    checkpoint["_extra_state"] = {**checkpoint["_extra_state"]}
    del checkpoint["_extra_state"]["capture"]
    edit(scene, other_split)
    pipeline = TokenGSPipeline(looked_at(finished, scene).config, "cpu", test_mode="test")
    pipeline.load_pipeline(checkpoint, 0)
    assert pipeline.get_average_eval_image_metrics()["held_out_images"] == 2
    assert pipeline.state_dict()["_extra_state"]["capture"] is None


def test_worlds_that_were_sheared_in_between_are_refused():
    plain = WorldFrame(torch.eye(4).double()[:3], 0.5)
    sheared = WorldFrame(torch.tensor([[1.0, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]).double(), 0.5)
    assert plain.change_from(plain) is None
    assert sheared.change_from(sheared) is None
    for one, other in ((plain, sheared), (sheared, plain)):
        with pytest.raises(ValueError, match="sheared or mirrored since the run began"):
            one.change_from(other)
