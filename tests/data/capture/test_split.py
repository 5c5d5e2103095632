"""One split for `ns-train` and for Python."""

import json
import os
import re
import shutil

import pytest
from made.captures import edit

from tokengs_nerfstudio.data import NerfstudioCapture, SplitRule
from tokengs_nerfstudio.data.capture.split import FrameSplit, split_by_fraction, split_by_interval, split_by_name


@pytest.mark.parametrize("count", [1, 2, 3, 15, 31, 50, 101])
@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.9, 1.0])
def test_fraction_split_agrees_with_nerfstudio(count, fraction):
    nerfstudio = pytest.importorskip("nerfstudio.data.utils.dataparsers_utils")
    train, test = nerfstudio.get_train_eval_split_fraction([""] * count, fraction)
    assert split_by_fraction(count, fraction) == FrameSplit(train.tolist(), test.tolist())


def test_interval_split_keeps_every_nth_frame():
    assert split_by_interval(9, 4) == FrameSplit([1, 2, 3, 5, 6, 7], [0, 4, 8])
    assert split_by_interval(3, 4) == FrameSplit([0, 1, 2], [])


def test_split_by_the_names_of_the_files():
    assert split_by_name(["eval/train_1.png", "a/eval_2.png", "train.png"]) == FrameSplit([0, 2], [1])
    with pytest.raises(ValueError, match=r"'train' or 'eval' in every file name, not so in frame\.png"):
        split_by_name(["train/frame.png", "train.png"])


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1])
def test_senseless_fractions(fraction):
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        split_by_fraction(10, fraction)


@pytest.mark.parametrize("interval", [1, 0, -3])
def test_senseless_intervals(interval):
    with pytest.raises(ValueError, match="at least 2"):
        split_by_interval(10, interval)


@pytest.mark.parametrize(
    ("rule", "test"),
    [
        (SplitRule(), [0, 8]),
        (SplitRule(interval=4), [0, 4, 8]),
        (SplitRule("fraction", fraction=0.8), [4, 8]),
        (SplitRule("all"), []),
    ],
)
def test_rules(make_capture, rule, test):
    split = NerfstudioCapture(make_capture(count=10)).split(rule)
    assert split == FrameSplit([index for index in range(10) if index not in test], test)


def test_a_rule_that_is_none_names_those_there_are(make_capture, no_shape_checks):
    capture = NerfstudioCapture(make_capture())
    with pytest.raises(ValueError, match="one of interval, fraction, filename, all, got 'random'"):
        capture.split(SplitRule("random"))  # pyright: ignore[reportArgumentType]


def test_split_counts_frames_by_name_and_gives_indices_of_the_scene(make_capture):
    folder = make_capture(count=4)
    text = json.loads((folder / "transforms.json").read_text())
    text["frames"].reverse()
    (folder / "transforms.json").write_text(json.dumps(text))
    capture = NerfstudioCapture(folder)
    split = capture.split(SplitRule(interval=4))
    assert [capture.file_names[index] for index in split.test] == ["images/frame_000.png"]
    assert split.train == [2, 1, 0]


def test_one_photo_under_two_frames_is_on_one_side(make_capture):
    again = {3: {"file_path": "images/frame_000.png"}, 4: {"file_path": "images/../images/frame_001.png"}}
    split = NerfstudioCapture(make_capture(count=5, frames=again)).split(SplitRule(interval=3))
    assert split == FrameSplit([1, 4, 2], [0, 3])


def names(*indices: int) -> list[str]:
    return [f"images/frame_{index:03d}.png" for index in indices]


@pytest.mark.parametrize(
    ("lists", "train", "test"),
    [
        ({"train_filenames": names(0, 2), "test_filenames": names(3), "val_filenames": names(4)}, [0, 2], [3]),
        ({"train_filenames": names(0, 2), "val_filenames": names(4)}, [0, 2], [4]),
        ({"train_filenames": names(4, 2)}, [2, 4], [0, 1, 3]),
        ({"test_filenames": names(1)}, [0, 2, 3, 4], [1]),
        ({"val_filenames": names(1)}, [0, 2, 3, 4], [1]),
        ({"test_filenames": names(1), "val_filenames": names(2)}, [0, 3, 4], [1]),
        ({"test_filenames": [], "val_filenames": names(2)}, [0, 1, 3, 4], [2]),
        ({"train_filenames": [], "test_filenames": names(1)}, [0, 2, 3, 4], [1]),
        ({"train_filenames": names(0), "test_filenames": None, "val_filenames": []}, [0], [1, 2, 3, 4]),
        ({"train_filenames": [], "test_filenames": [], "val_filenames": []}, [1, 3], [0, 2, 4]),
        ({"train_filenames": ["./images/frame_001.png", "images\\frame_002.png"]}, [1, 2], [0, 3, 4]),
    ],
)
def test_listed_splits_are_honoured(make_capture, lists, train, test):
    split = NerfstudioCapture(make_capture(count=5, shared=lists)).split(SplitRule(interval=2))
    assert (split.train, split.test) == (train, test)


def test_listed_frames_without_image_are_left_out_of_the_split(make_capture):
    lists = {"train_filenames": [*names(0, 2), "images/gone.png"], "test_filenames": names(3)}
    split = NerfstudioCapture(make_capture(count=4, shared=lists, frames={1: {"file_path": "images/gone.png"}})).split()
    assert (split.train, split.test) == ([0, 1], [2])


def test_val_serves_where_no_photo_of_test_is_there(make_capture):
    lists = {"test_filenames": ["images/gone.png"], "val_filenames": names(2)}
    split = NerfstudioCapture(make_capture(count=4, shared=lists, frames={1: {"file_path": "images/gone.png"}})).split()
    assert (split.train, split.test) == ([0, 2], [1])


def test_a_frame_in_both_lists_is_held_out_and_reported_once(make_capture, caplog):
    lists = {"train_filenames": names(0, 1, 3), "test_filenames": names(1, 2), "val_filenames": names(3)}
    capture = NerfstudioCapture(make_capture(count=4, shared=lists))
    assert capture.split() == capture.split() == FrameSplit([0], [1, 2])
    assert len(caplog.messages) == 1
    assert re.search(
        r"lists 2 frames for training .* also .* for evaluation \(images/frame_001.png, images/frame_003.png\); they "
        "are held out",
        caplog.text,
    )


@pytest.mark.parametrize("train", [{}, {"train_filenames": names(0, 1, 2)}])
def test_a_split_without_training_frames_is_an_error(make_capture, train):
    capture = NerfstudioCapture(make_capture(shared={"test_filenames": names(0, 1, 2)} | train))
    with pytest.raises(ValueError, match=r"all 3 frames .* are held out .* none is left to reconstruct from"):
        capture.split()


@pytest.mark.parametrize("made_by", [os.symlink, os.link, shutil.copy])
def test_links_to_a_photo_and_copies_are_that_photo(make_capture, caplog, made_by):
    listed = {"train_filenames": [*names(0, 2, 3), "other.png"], "test_filenames": names(1)}
    folder = make_capture(count=4)
    edit(folder, lambda meta: meta["frames"].append(meta["frames"][1] | {"file_path": "other.png"}))
    edit(folder, lambda meta: meta.update(listed))
    made_by(folder / "images/frame_001.png", folder / "other.png")
    split = NerfstudioCapture(folder).split()
    assert split == FrameSplit([0, 2, 3], [1, 4])
    assert "lists 1 photos more than once (other.png)" in caplog.text
    assert "different poses" not in caplog.text


def test_photos_that_look_alike_from_elsewhere_or_at_another_time_are_several(make_capture):
    """As pictures of an empty background do."""
    folder = make_capture(count=3, shared={"test_filenames": names(1)}, frames={i: {"time": i} for i in range(3)})
    for name in ("images/frame_001.png", "other.png"):
        shutil.copy(folder / "images/frame_000.png", folder / name)
    edit(folder, lambda meta: meta["frames"].append(meta["frames"][1] | {"file_path": "other.png", "time": 3}))
    assert NerfstudioCapture(folder).split() == FrameSplit([0, 2, 3], [1])


def test_a_photo_with_two_poses_is_said(make_capture, caplog):
    folder = make_capture()
    other = {"file_path": "images/../images/frame_000.png"}
    edit(folder, lambda meta: meta["frames"].append(meta["frames"][1] | other))
    NerfstudioCapture(folder)
    assert "1 of them with different poses (images/../images/frame_000.png)" in caplog.text


def test_that_no_held_out_photo_exists_is_said(make_capture, caplog):
    folder = make_capture(shared={"test_filenames": ["images/frame_001.png"]})
    (folder / "images/frame_001.png").unlink()
    assert NerfstudioCapture(folder).split().test == []
    assert "none of the 1 photos" in caplog.text
