"""How long and how large a tuning is for the time there is."""

from dataclasses import replace

import pytest
from made.scenes import arc_cameras, blobs, photos
from made.tuning import tuning_config

from tokengs_nerfstudio.core.tuning.costs import StageSizes, StepCosts
from tokengs_nerfstudio.core.tuning.pacing import Allowance, coarser, most_steps, sized

VIEWS = photos(blobs(), arc_cameras(3), size=96)
LONG = tuning_config(rule="steps", growth_end=0.0)
EVEN = StepCosts(tokens=0.5, fixed=0.01, per_pixel=0.0, per_gaussian=0.0)
BY_PIXELS = StepCosts(tokens=0.0, fixed=0.0, per_pixel=1e-6, per_gaussian=0.0)


def test_what_is_left_is_what_neither_was_spent_nor_is_needed_afterwards():
    assert Allowance(60.0, lambda: 25.0, began=5.0, reserve=3.0).left == 37.0


def test_steps_fill_the_time_and_are_never_more_than_the_photos_bear():
    sizes = StageSizes(LONG, 100, VIEWS)
    assert sized(LONG, "gaussians", EVEN, sizes, 10.0) == (LONG, pytest.approx(1000, abs=1))
    assert sized(LONG, "tokens+gaussians", EVEN, sizes, 20.0)[1] == pytest.approx(530, abs=1)  # 30 of them on tokens
    assert sized(LONG, "tokens", EVEN, sizes, 20.0) == (LONG, pytest.approx(40, abs=1))
    assert sized(LONG, "gaussians", EVEN, sizes, -1.0)[1] == 0
    few = replace(LONG, stopping=tuning_config().stopping)
    assert most_steps(few, "gaussians", 3) == 900
    assert sized(few, "gaussians", EVEN, sizes, 10.0) == (few, 900)


def test_photos_become_smaller_where_too_few_steps_would_fit():
    sizes = StageSizes(LONG, 100, VIEWS)
    config, steps = sized(LONG, "gaussians", BY_PIXELS, sizes, 0.75)
    assert steps >= 300
    assert config == coarser(LONG, 2**0.5)
    assert config.gaussians.per_pixel == pytest.approx(LONG.gaussians.per_pixel / 2)
    assert config.gaussians.levels[-1] == (0.8, 2**0.5)
