import pytest

from tokengs_nerfstudio.core.training.pace import Pace, duration


def test_rate_and_time_left_are_those_of_the_last_steps():
    now = [100.0]
    pace = Pace(0.2, window=2, clock=lambda: now[0])
    assert pace.scenes_per_second == 0.0
    assert pace.seconds_left is None
    for step, seconds in enumerate((10.0, 2.0, 2.0), start=1):
        now[0] += seconds
        pace.step(6, 0.2 + 0.1 * step)
    assert pace.scenes_per_second == pytest.approx(3.0)
    assert pace.seconds_left == pytest.approx(0.5 / 0.2 * 4.0)
    assert pace.text(1234, 0.25) == "step 1,234  loss 0.2500  3.0 scenes/s  0:10 left"


def test_durations_read_as_people_write_them():
    assert [duration(seconds) for seconds in (None, 9.4, 309, 3909)] == ["-", "0:09", "5:09", "1:05:09"]
