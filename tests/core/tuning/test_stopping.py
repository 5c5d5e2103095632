"""When a tuning ends, and with which of the states that it has seen."""

import torch
from made.scenes import image_error, scene_views, small_network
from made.tuning import FIXED, changed, ready

from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning


def test_stopping_returns_the_best_state_seen() -> None:
    network, views = small_network(), scene_views(10)
    config = changed(FIXED, space="gaussians", rule="held-out", held_out_from=4, means_rate=3e-2, patience=1.0)
    tuning = SceneTuning(network, ready(views), config, steps=60)
    left_out = views.select(tuning.supervision.held_out)
    seen = [image_error(tuning.gaussians(), left_out)]
    while not tuning.finished:
        tuning.step()
        if not tuning.finished and tuning.steps_done % config.stopping.check_every == 0:
            seen.append(image_error(tuning.gaussians(), left_out))
    assert tuning.supervision.held_out[0] not in tuning.supervision.trained
    assert image_error(tuning.gaussians(), left_out) <= min(seen) + 1e-7


def test_gaussians_never_end_worse_than_they_started_on_the_left_out_view() -> None:
    network, views = small_network(), scene_views(10)
    wild = changed(
        FIXED,
        space="gaussians",
        rule="held-out",
        means_rate=5.0,
        means_decay=1.0,
        scales_rate=3.0,
        patience=1.0,
        reseed=False,
    )
    tuning = SceneTuning(network, ready(views), wild, steps=30)
    left_out = views.select(tuning.supervision.held_out)
    start = image_error(tuning.gaussians(), left_out)
    while not tuning.finished:
        tuning.step()
    assert image_error(tuning.gaussians(), left_out) <= start + 1e-7


def test_a_stage_is_not_given_up_between_two_looks() -> None:
    network, views = small_network(), scene_views(10)
    config = changed(FIXED, space="tokens", tokens_rate=0.1, rule="held-out", check_every=20, patience=0.3)
    tuning = SceneTuning(network, ready(views), config, steps=40)
    while not tuning.finished:
        tuning.step()
    assert tuning.steps_done == 40
    assert tuning.report().best_step > 0


def test_a_fixed_number_of_steps_is_exact() -> None:
    network, views = small_network(), scene_views(10)
    tuning = SceneTuning(network, ready(views), changed(FIXED, space="tokens"), steps=7)
    while not tuning.finished:
        tuning.step()
    assert tuning.steps_done == 7


def test_no_view_is_left_out_while_poses_are_refined() -> None:
    network, views = small_network(), scene_views(10)
    config = changed(FIXED, space="gaussians", rule="held-out", held_out_from=4)
    assert SceneTuning(network, ready(views), config, steps=3).supervision.held_out
    tuning = SceneTuning(network, ready(views), changed(config, pose_rate=1e-3), steps=3)
    assert tuning.supervision.held_out == []
    while not tuning.finished:
        tuning.step()
    assert tuning.steps_done == 3
    assert not torch.equal(tuning.cameras.cameras(), views.c2w)
