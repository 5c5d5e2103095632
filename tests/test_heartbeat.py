"""What is said where nobody sees a progress bar."""

import pytest

from tokengs_nerfstudio.heartbeat import Heartbeat, duration


def test_it_is_heard_every_ten_seconds_and_knows_what_is_left():
    now, said, made = [0.0], [], []
    beat = Heartbeat(said.append, clock=lambda: now[0])
    for step in range(40):
        now[0] += 1.0
        beat.step(99 - step, lambda: made.append(1) or "tuning")
    assert len(said) == len(made) == 4
    assert said[0] == "tuning; 10 s gone, at most 1 min 30 s left"


@pytest.mark.parametrize(("seconds", "text"), [(44.6, "45 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations_are_written_as_people_do(seconds, text):
    assert duration(seconds) == text
