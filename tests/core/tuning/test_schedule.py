"""What a tuning will do."""

import pytest
from made.scenes import small_network
from made.tuning import changed, tuning_config

from tokengs_nerfstudio.core.tuning.schedule import Pace, level_factor, planned_stages, token_level


def test_stages_add_up_to_the_steps() -> None:
    config = tuning_config(share=0.2, most_steps=150, rule="steps")
    assert planned_stages("tokens+gaussians", 0, config, 4) == []
    for steps in (1, 2, 10, 5000):
        stages = planned_stages("tokens+gaussians", steps, config, 4)
        assert sum(stage.steps for stage in stages) == steps
        assert all(stage.steps > 0 for stage in stages)
    assert planned_stages("tokens+gaussians", 5000, config, 4)[0].steps == 150
    few = changed(config, rule="held-out", steps_per_view=30)
    assert [stage.steps for stage in planned_stages("tokens+gaussians", 500, few, 4)] == [100, 120]


def test_levels_go_from_coarse_to_fine() -> None:
    levels = ((0.0, 4.0), (0.2, 2.0), (0.5, 1.0))
    assert [level_factor(progress, levels) for progress in (0.0, 0.19, 0.2, 0.5, 1.0)] == [4, 4, 2, 1, 1]


def test_tokens_look_at_photos_of_about_the_size_of_the_training() -> None:
    config = small_network(image_size=(32, 32)).config
    assert token_level(config, 256, 256, resolution=2.0) == 4.0
    assert token_level(config, 40, 40, resolution=2.0) == 1.0


def test_a_changed_pace_goes_on_where_the_stage_was_and_ends_with_it():
    even = Pace(40)
    assert [even.progress(step) for step in (0, 10, 40)] == [0, 0.25, 1]
    later = even.changed(10, 15)
    assert (later.steps, later.progress(10), later.progress(25)) == (25, 0.25, 1)
    assert later.progress(20) == pytest.approx(0.75)
    assert later.changed(25, 0).progress(25) == 1
