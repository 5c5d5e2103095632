"""Tuning as a whole: what each space does to the loss, what stays fixed, resuming, what is refused."""

from dataclasses import replace

import pytest
import torch
from made.scenes import blobs, image_error, scene_views, small_network
from made.tuning import FIXED, changed, ready, tuning_config

from tokengs_nerfstudio.core.geometry.disturbance import disturbed
from tokengs_nerfstudio.core.geometry.rays import with_focal
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.reconstruct import reconstruct_scene
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.whole import planned_tuning, run_through, tune
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.samples import sample_capture


@pytest.mark.parametrize("space", ["tokens", "gaussians", "tokens+gaussians"])
def test_every_space_lowers_the_error(space: str) -> None:
    network, views = small_network(), scene_views()
    config = changed(FIXED, space=space, tokens_rate=0.1, tokens_share=0.4)
    start = tune(network, ready(views), config, steps=0)
    end = tune(network, ready(views), config, steps=60)
    assert image_error(end, views) < 0.6 * image_error(start, views)


def test_latents_are_tuned_where_the_weights_have_them() -> None:
    network = small_network(latents=16, latent_depth=1)
    views = scene_views()
    config = changed(FIXED, space="latents", tokens_latent_rate=0.1)
    start = tune(network, ready(views), config, steps=0)
    end = tune(network, ready(views), config, steps=60)
    assert image_error(end, views) < 0.97 * image_error(start, views)


def test_no_steps_is_the_feed_forward_result() -> None:
    network, views = small_network(), scene_views()
    with torch.no_grad():
        expected = network.decode(network.encode(views.unsqueeze())).squeeze()
    tuning = SceneTuning(network, ready(views), tuning_config(), steps=0)
    assert tuning.finished
    assert tuning.step() == {}
    for name in ("means", "quats", "scales", "opacities", "colors"):
        torch.testing.assert_close(getattr(tuning.gaussians(), name), getattr(expected, name), atol=0, rtol=0)


@pytest.mark.parametrize("space", ["tokens", "tokens+gaussians"])
def test_the_network_is_neither_changed_nor_asked_for_gradients(space: str) -> None:
    network, views = small_network(), scene_views()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    tune(network, ready(views), changed(FIXED, space=space), steps=6)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("break_at", [4, 20])
def test_resuming_is_exact(break_at: int) -> None:
    network, views = small_network(), scene_views(10)
    config = changed(
        FIXED, space="tokens+gaussians", tokens_share=0.3, rule="held-out", max_gaussians=400, exposure_rate=3e-3
    )
    whole = SceneTuning(network, ready(views), config, steps=40)
    for _ in range(break_at):
        whole.step()
    saved = whole.state_dict()
    later = SceneTuning(network, ready(views), config, steps=40, seed=99)
    later.load_state_dict(saved)
    while not whole.finished:
        assert float(whole.step()["loss"]) == float(later.step()["loss"])
    assert later.finished
    assert torch.equal(whole.gaussians().means, later.gaussians().means)
    assert whole.report() == later.report()


def test_poses_are_adjusted_before_anything_is_encoded() -> None:
    network, views = small_network(), crop_and_resize(NerfstudioCapture(sample_capture()).load(range(6)), 192, 288)
    wrong = disturbed(views, 1.0, 0.01, seed=0)
    config = changed(FIXED, space="tokens", cameras_adjust=True)
    right = SceneTuning(network, ready(views.select([0, 4]), views), config, steps=1)
    assert right.adjustment is not None
    assert torch.equal(right.cameras.cameras(), views.c2w)
    assert "cameras are as given" in right.report().text
    tuning = SceneTuning(network, ready(wrong.select([0, 4]), wrong), config, steps=1)
    given = SceneTuning(network, ready(wrong.select([0, 4]), wrong), changed(config, cameras_adjust=False), steps=1)
    assert not torch.equal(tuning.cameras.cameras(), wrong.c2w)
    assert not torch.equal(tuning.gaussians().means, given.gaussians().means)
    assert "the poses were adjusted" in tuning.report().text


def test_a_wrong_focal_length_comes_back_and_the_plan_repeats_it(tmp_path) -> None:
    """Held-out photos, whose focal length is as wrong, are seen by it too."""
    network, views = small_network(), crop_and_resize(NerfstudioCapture(sample_capture()).load(range(6)), 192, 288)
    wrong = replace(views, intrinsics=with_focal(views.intrinsics, 1.1))
    config = changed(FIXED, space="tokens", cameras_focal=True)
    planned = planned_tuning(network, ready(wrong.select([0, 4]), wrong), config, steps=1)
    run_through(planned)
    tuning = planned.tuning
    assert abs(1.1 * tuning.focal - 1) < 0.01
    torch.testing.assert_close(tuning.supervision.views.intrinsics, views.intrinsics, rtol=0.01, atol=0)
    torch.testing.assert_close(tuning.corrected(wrong).intrinsics, tuning.supervision.views.intrinsics)
    assert torch.equal(tuning.cameras.cameras(), wrong.c2w)
    planned.plan().write(tmp_path / "plan.json")
    again = changed(FIXED, plan=tmp_path / "plan.json")
    baked = reconstruct_scene(network, Example(wrong.select([0, 4]), wrong), again)
    assert baked.focal == pytest.approx(tuning.focal, rel=1e-3)


@pytest.mark.parametrize("space", ["tokens", "tokens+gaussians"])
@pytest.mark.parametrize("steps", [0, 12])
def test_the_number_of_gaussians_can_be_limited(space: str, steps: int) -> None:
    network, views = small_network(), scene_views(3)
    config = changed(FIXED, space=space, per_pixel=2.0, clear_share=0.0, start_share=1.0)
    whole = tune(network, ready(views), config, steps)
    few = tune(network, ready(views), changed(config, max_gaussians=100), steps)
    assert few.count == 100 < whole.count


def test_auto_tunes_tokens_first_only_with_enough_views() -> None:
    network = small_network()
    few, many = scene_views(4), scene_views(12)
    assert SceneTuning(network, ready(few, many), tuning_config(), steps=0).space == "gaussians"
    assert SceneTuning(network, ready(few), tuning_config(few_views=9), steps=0).space == "gaussians"
    assert SceneTuning(network, ready(few, many), tuning_config(few_views=9), steps=0).space == "tokens+gaussians"


def test_each_view_is_shown_at_its_own_time() -> None:
    network = small_network(dynamic_tokens=8, time_channels=2)
    views = replace(scene_views(4), times=torch.tensor([0.0, 0.0, 1.0, 1.0]))
    seen: list[float | None] = []
    decode = network.decode
    network.decode = lambda memory, tokens=None, time=None: (seen.append(time), decode(memory, tokens, time))[1]  # type: ignore[method-assign]
    tuning = SceneTuning(network, ready(views), changed(FIXED, views_per_step=4, space="tokens"), steps=3)
    seen.clear()
    tuning.step()
    assert sorted(seen) == [0.0, 1.0]


@pytest.mark.usefixtures("no_shape_checks")
def test_what_cannot_be_tuned_is_named() -> None:
    views = scene_views(3)
    with pytest.raises(ValueError, match="no scene latents"):
        SceneTuning(small_network(), ready(views), tuning_config(space="latents"), steps=1)
    moving = small_network(time_channels=2)
    timed = replace(views, times=torch.linspace(0, 1, 3))
    with pytest.raises(ValueError, match="everything moves"):
        SceneTuning(moving, ready(timed), tuning_config(space="gaussians"), steps=1)
    with pytest.raises(ValueError, match="at least one supervised view"):
        SceneTuning(small_network(), ready(views, views.select(slice(0, 0))), tuning_config(), steps=1)
    with pytest.raises(ValueError, match=r"TuningConfig\.gaussians\.levels is empty"):
        SceneTuning(small_network(), ready(views), tuning_config(levels=()), steps=1)


def test_a_state_of_another_kind_of_tuning_is_refused() -> None:
    network, views = small_network(), scene_views(4)
    state = SceneTuning(network, ready(views), changed(FIXED, space="tokens"), steps=4).state_dict()
    for settings, message in (
        ({"space": "gaussians"}, "tuned with tuning.space 'tokens', now it is 'gaussians'"),
        ({"space": "tokens", "densification": "gsplat-default"}, "densification 'budget', now it is 'gsplat-default'"),
        ({"space": "tokens", "pose_rate": 1e-3}, "refined poses False, now it is True"),
    ):
        other = SceneTuning(network, ready(views), changed(FIXED, **settings), steps=4)
        with pytest.raises(ValueError, match=message):
            other.load_state_dict(state)
    antialiased = SceneTuning(network, ready(views), changed(FIXED, space="tokens"), steps=4, antialiased=True)
    for older in (state, {**state, "kind": {k: v for k, v in state["kind"].items() if k != "antialiased"}}):
        with pytest.raises(ValueError, match="tuned with antialiased False, now it is True"):
            antialiased.load_state_dict(older)


def test_tuning_starts_from_given_gaussians_whatever_the_weights_know() -> None:
    views = scene_views(4)
    moving = small_network(dynamic_tokens=8, time_channels=2)
    tuning = SceneTuning(moving, ready(views), FIXED, steps=12, start=blobs(50, seed=9))
    before = image_error(tuning.gaussians(), views)
    while not tuning.finished:
        tuning.step()
    assert tuning.space == "gaussians"
    assert image_error(tuning.gaussians(), views) < before
    again = SceneTuning(moving, ready(views), FIXED, steps=12, start=blobs(50, seed=9))
    again.load_state_dict(tuning.state_dict())
    assert torch.equal(again.gaussians().means, tuning.gaussians().means)


@pytest.mark.usefixtures("no_shape_checks")
def test_what_is_no_prepared_scene_is_named() -> None:
    views = scene_views(3)
    with pytest.raises(ValueError, match=r"must be what prepare\(.*\) makes, got a Views"):
        SceneTuning(small_network(), views, tuning_config(), steps=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot start from no Gaussians"):
        SceneTuning(small_network(), ready(views), tuning_config(), 1, start=blobs().select(slice(0, 0)))
