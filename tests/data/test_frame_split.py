import pytest

from tokengs_nerfstudio.data.frame_split import FrameSplit, split_by_fraction, split_by_interval


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
