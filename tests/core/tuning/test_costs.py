"""What steps cost: from a few timed ones to those that were not."""

import pytest
from made.machines import Machine
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import ready, tuning_config

from tokengs_nerfstudio.core.tuning.costs import StageSizes, StepCosts, measured_costs, seconds_of
from tokengs_nerfstudio.core.tuning.schedule import PlannedStage

VIEWS = photos(blobs(), arc_cameras(3), size=96)
CONFIG = tuning_config(per_pixel=0.1, clear_share=0.0, growth_end=0.5)


def test_a_few_steps_tell_what_pixels_and_gaussians_cost(monkeypatch):
    machine = Machine(fixed=0.01, per_pixel=1e-6, per_gaussian=1e-5).installed(monkeypatch)
    costs = measured_costs(small_network(), ready(VIEWS), CONFIG, blobs(), "tokens+gaussians", machine.clock)
    assert costs.per_pixel == pytest.approx(1e-6, rel=1e-3)
    assert costs.per_gaussian == pytest.approx(1e-5, rel=0.05)
    assert costs.fixed == pytest.approx(0.01, rel=0.05)
    assert costs.tokens > 0.01
    only = measured_costs(small_network(), ready(VIEWS), CONFIG, blobs(), "tokens", machine.clock)
    assert (only.tokens, only.fixed, only.per_pixel) == (pytest.approx(costs.tokens), 0, 0)


def test_a_stage_costs_what_its_sizes_say():
    sizes = StageSizes(CONFIG, 100, VIEWS)
    assert sizes.pixels(0.0) == 32 * 32  # a photo is never made smaller than that
    assert sizes.pixels(0.9) == 96 * 96
    assert (sizes.count(0.0), sizes.count(0.5), sizes.count(1.0)) == (100, pytest.approx(922), pytest.approx(922))
    costs = StepCosts(tokens=2.0, fixed=1.0, per_pixel=0.0, per_gaussian=0.0)
    assert seconds_of([PlannedStage("tokens", 3), PlannedStage("gaussians", 5)], costs, sizes) == pytest.approx(11.0)
    by_pixels = StepCosts(0.0, 0.0, 1.0, 0.0)
    assert sizes.mean_cost(by_pixels, start=0.8) == pytest.approx(96 * 96)
    assert sizes.mean_cost(by_pixels) < 0.5 * sizes.mean_cost(by_pixels, start=0.8)
