"""The way through planned stages."""

import pytest

from tokengs_nerfstudio.core.tuning.course import Course
from tokengs_nerfstudio.core.tuning.schedule import PlannedStage

STAGES = (PlannedStage("tokens", 4), PlannedStage("gaussians", 10))


def walked(steps: int) -> Course:
    course = Course(STAGES)
    for _ in range(steps):
        course.step()
    return course


def test_stage_after_stage_to_the_end():
    course = walked(3)
    assert (course.here, course.later, course.progress, course.steps_left) == (STAGES[0], STAGES[1:], 0.75, 11)
    course.leave()
    assert (course.here, course.later, course.progress, course.steps_left) == (STAGES[1], (), 0.0, 10)
    course.leave()
    assert course.finished
    assert (course.here, course.steps_left) == (None, 0)
    course.extend([PlannedStage("gaussians", 7)])
    assert (course.finished, course.steps_left) == (False, 7)


def test_another_pace_goes_on_from_where_it_is_and_is_remembered():
    course = walked(2)
    course.repace(2, 6)
    assert (course.progress, course.steps_of_stage, course.steps_left) == (0.5, 8, 16)
    course.step()
    assert course.progress == pytest.approx(0.5 + 0.5 / 6)
    assert course.paces == ((2, 6),)
    again = Course(())
    again.load_state_dict(course.state_dict())
    assert again.state_dict() == course.state_dict()
    assert (again.progress, again.steps_left, again.stages) == (course.progress, course.steps_left, STAGES)


def test_states_without_a_pace_keep_to_their_plan():
    state = walked(1).state_dict()
    del state["pace"]
    course = Course(())
    course.load_state_dict(state)
    assert (course.progress, course.steps_of_stage, course.paces) == (0.25, 4, ())
