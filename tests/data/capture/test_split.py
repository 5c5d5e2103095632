import json

import numpy as np
import pytest

from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.data.capture.split import FrameSplit, split_by_fraction, split_by_interval


@pytest.mark.parametrize("count", [1, 2, 3, 15, 31, 50, 101])
@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.9, 1.0])
def test_fraction_split_agrees_with_nerfstudio(count, fraction):
    nerfstudio = pytest.importorskip("nerfstudio.data.utils.dataparsers_utils")
    train, test = nerfstudio.get_train_eval_split_fraction([""] * count, fraction)
    assert split_by_fraction(count, fraction) == FrameSplit(train.tolist(), test.tolist())


def test_interval_split_keeps_every_nth_frame():
    assert split_by_interval(9, 4) == FrameSplit([1, 2, 3, 5, 6, 7], [0, 4, 8])


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1])
def test_senseless_fractions(fraction):
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        split_by_fraction(10, fraction)


@pytest.mark.parametrize("interval", [1, 0, -3])
def test_senseless_intervals(interval):
    with pytest.raises(ValueError, match="at least 2"):
        split_by_interval(10, interval)


def test_default_split_is_nerfstudios(make_capture):
    split = NerfstudioCapture(make_capture(count=20)).split()
    assert split.train == np.linspace(0, 19, 18, dtype=int).tolist()
    assert sorted(split.train + split.test) == list(range(20))
    assert len(split.test) == 2


def test_split_counts_frames_by_name_and_gives_indices_of_the_scene(make_capture):
    folder = make_capture(count=4)
    text = json.loads((folder / "transforms.json").read_text())
    text["frames"].reverse()
    (folder / "transforms.json").write_text(json.dumps(text))
    capture = NerfstudioCapture(folder)
    split = capture.split(interval=4)
    assert [capture.file_names[index] for index in split.test] == ["images/frame_00000.png"]
    assert split.train == [2, 1, 0]


def names(*indices: int) -> list[str]:
    return [f"images/frame_{index:05d}.png" for index in indices]


@pytest.mark.parametrize(
    ("lists", "train", "test"),
    [
        ({"train_filenames": names(0, 2), "test_filenames": names(3), "val_filenames": names(4)}, [0, 2], [3]),
        ({"train_filenames": names(0, 2), "val_filenames": names(4)}, [0, 2], [4]),
        ({"train_filenames": names(4, 2)}, [2, 4], [0, 1, 3]),
        ({"test_filenames": names(1)}, [0, 2, 3, 4], [1]),
        ({"test_filenames": names(1), "val_filenames": names(2)}, [0, 3, 4], [1]),
        ({"train_filenames": ["./images/frame_00001.png"], "test_filenames": []}, [1], []),
    ],
)
def test_listed_splits_are_honoured(make_capture, lists, train, test):
    split = NerfstudioCapture(make_capture(count=5, shared=lists)).split(interval=2)
    assert (split.train, split.test) == (train, test)


def test_listed_frames_without_image_are_left_out_of_the_split(make_capture):
    lists = {"train_filenames": [*names(0, 2), "images/gone.png"], "test_filenames": names(3)}
    folder = make_capture(count=4, shared=lists, frames={1: {"file_path": "images/gone.png"}})
    with pytest.warns(UserWarning, match="1 of 4 images"):
        split = NerfstudioCapture(folder).split()
    assert (split.train, split.test) == ([0, 1], [2])


def test_a_frame_in_both_lists_is_reported(make_capture):
    lists = {"train_filenames": names(0, 1), "test_filenames": names(1, 2)}
    capture = NerfstudioCapture(make_capture(shared=lists))
    with pytest.warns(UserWarning, match="lists 1 frames both for training and for evaluation"):
        assert capture.split().test == [1, 2]


def test_a_split_without_training_frames_is_an_error(make_capture):
    capture = NerfstudioCapture(make_capture(shared={"test_filenames": names(0, 1, 2)}))
    with pytest.raises(ValueError, match="leaves no frame to learn from"):
        capture.split()
