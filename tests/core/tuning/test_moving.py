"""Scenes that move in tuning: every photo is compared with the scene as it was when it was taken."""

from dataclasses import replace

import pytest
import torch
from made.moving import CAMERAS, CONTEXT, MOVER, moving_network, photos_at, scene_at
from made.scenes import small_network
from made.tuning import USUAL, changed, ready, tuning_config

from tokengs_nerfstudio.core.evaluation import view_psnr
from tokengs_nerfstudio.core.tuning.budget import contributing, most_seen, seen_weights
from tokengs_nerfstudio.core.tuning.moving import _polynomials
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.types import Gaussians, Views

PHOTOS = photos_at([0.0, 0.3, 0.6, 1.0, 0.15, 0.8], cameras=3)
TUNING = tuning_config(space="tokens", rule="steps", tokens_rate=0.02)


def tuned(photos: Views, steps: int = 25) -> SceneTuning:
    scene = ready(CONTEXT, photos, times=tuple(sorted(set(photos.times.tolist()))))
    run = SceneTuning(moving_network(), scene, TUNING, steps)
    while not run.finished:
        run.step()
    return run


def quality(run: SceneTuning) -> torch.Tensor:
    """PSNR of every photo at its own time."""
    views = [PHOTOS.select([place]) for place in range(PHOTOS.num_views)]
    return torch.cat([view_psnr(run.gaussians(float(view.times)), view, run.rendering) for view in views])


def test_photos_supervise_at_their_own_times():
    """The same photos with their times in another order teach the scene less."""
    before, after = quality(tuned(PHOTOS, 0)), quality(tuned(PHOTOS))
    assert (after - before).mean() > 0.3
    confused = quality(tuned(replace(PHOTOS, times=PHOTOS.times.flip(0))))
    assert (after - confused).mean() > 0.5


def test_static_and_dynamic_tokens_are_tuned():
    start, end = (tuned(PHOTOS, steps)._stage.snapshot()[0] for steps in (0, 5))
    changed = (end - start).abs().amax(-1)
    assert changed.shape == (32,)
    assert (changed > 0).all()


def test_the_time_that_is_asked_for_is_the_one_that_is_shown():
    run = tuned(PHOTOS, 2)
    first, last = run.gaussians(0.0), run.gaussians(1.0)
    still = 24 * 8
    assert torch.equal(first.means[:still], last.means[:still])
    assert (first.means[still:] - last.means[still:]).norm(dim=-1).max() > 0.05
    assert torch.equal(run.gaussians().means, first.means)


def test_what_is_seen_at_some_time_counts_as_seen():
    """The red one leaves the picture: at the first time alone nothing of it would be missed later."""

    def gone(time: float) -> Gaussians:
        scene = scene_at(0.5)
        means = scene.means.clone()
        means[MOVER, 0] = 50.0 * (1 - time)
        return replace(scene, means=means)

    views = replace(photos_at([0.5, 0.5], cameras=2), times=torch.tensor([0.0, 1.0]))
    alone, own = (seen_weights(gone(0.0), views, USUAL, splats_at=at) for at in (None, gone))
    assert alone[MOVER] == 0
    assert own[MOVER] > 5
    assert MOVER not in most_seen(gone(0.0), views, MOVER, USUAL)
    assert MOVER in most_seen(gone(0.0), views, MOVER, USUAL, gone)
    assert contributing(gone(0.0), views, USUAL, gone) == contributing(gone(0.0), views, USUAL) + 1


def test_a_limit_leaves_the_same_gaussians_at_all_times():
    scene = ready(CONTEXT, PHOTOS, times=(0.0, 1.0))
    run = SceneTuning(moving_network(), scene, replace(TUNING, max_gaussians=100), 0)
    first, last, everything = run.gaussians(0.0), run.gaussians(1.0), tuned(PHOTOS, 0)
    assert first.count == last.count == 100
    for shown, time in ((first, 0.0), (last, 1.0)):
        found = (shown.means[:, None] - everything.gaussians(time).means).norm(dim=-1).amin(1)
        assert found.max() == 0
    assert run.report().contributing <= 100


def both_tuned(steps: int = 80, **settings: object) -> SceneTuning:
    """Tokens, then the Gaussians of what stands still, with those that move beside them."""
    scene = ready(CONTEXT, PHOTOS, times=tuple(sorted(PHOTOS.times.tolist())))
    config = changed(TUNING, **{"space": "tokens+gaussians", "per_pixel": 0.3, "growth_every": 10, **settings})
    return SceneTuning(moving_network(), scene, config, steps)


def test_what_stands_still_is_tuned_as_gaussians_and_what_moves_beside_them():
    run = both_tuned()
    while run.stage == "tokens":
        run.step()
    before = quality(run).mean()
    while not run.finished:
        run.step()
    first, last = run.gaussians(0.0), run.gaussians(1.0)
    assert first.count == last.count > 64
    for name, values in first.tensors():
        assert torch.equal(values[:-64], dict(last.tensors())[name][:-64]), name
    assert (last.means[-64:] - first.means[-64:]).norm(dim=-1).max() > 0.05
    assert quality(run).mean() > before + 1


def test_a_way_that_the_network_does_not_know_is_learned_from_the_photos():
    """One thing crosses a dark scene; to the network all of it stands still."""
    network = moving_network(0)
    scene = ready(CONTEXT, PHOTOS, times=tuple(sorted(PHOTOS.times.tolist())))
    run = SceneTuning(network, scene, changed(TUNING, space="gaussians", means_rate=0.02), 240)
    at_first = run.gaussians(1.0).means[-64:] - run.gaussians(0.0).means[-64:]
    while not run.finished:
        run.step()
    way = run.gaussians(1.0).means[-64:] - run.gaussians(0.0).means[-64:]
    red = run.gaussians(0.0).colors[-64:, 0] > 0.6
    assert red.any()
    right = (way - at_first)[red] @ CAMERAS.rotation[:, 0]
    assert right.max() > 0.2


def test_detours_are_smooth_and_even():
    values = torch.stack([_polynomials(time) for time in torch.linspace(0, 1, 201).tolist()])
    torch.testing.assert_close(_polynomials(1.0), torch.ones(3))
    torch.testing.assert_close(_polynomials(0.0), torch.tensor([-1.0, 1.0, -1.0]))
    products = torch.trapezoid(values[:, :, None] * values[:, None], dx=1 / 200, dim=0)
    torch.testing.assert_close(products, torch.diag(1 / (2 * torch.arange(1, 4) + 1)), atol=1e-3, rtol=0)


def test_a_tuning_of_both_goes_on_where_it_was_interrupted():
    whole, part = both_tuned(30), both_tuned(30)
    for _ in range(17):
        whole.step()
        part.step()
    again = both_tuned(30)
    again.load_state_dict(part.state_dict())
    assert again.stage == "gaussians"
    while not whole.finished:
        whole.step()
        again.step()
    assert torch.equal(whole.gaussians(0.4).colors, again.gaussians(0.4).colors)
    whole.extend(3)
    whole.step()
    assert whole.gaussians(0.0).count == whole.gaussians(1.0).count


@pytest.mark.parametrize(
    "settings", [{"max_gaussians": 90}, {"harmonics": 1}, {"held_out_from": 4, "rule": "held-out"}]
)
def test_settings_of_gaussians_hold_beside_moving_ones_too(settings):
    run = both_tuned(40, check_every=5, **settings)
    while not run.finished:
        run.step()
    at = [run.gaussians(time) for time in (0.0, 0.5)]
    assert at[0].count == at[1].count <= settings.get("max_gaussians", 10_000)
    assert not torch.equal(at[0].means, at[1].means)
    assert (at[0].harmonics is not None) == ("harmonics" in settings)


def test_gaussians_of_their_own_are_refused_where_everything_moves_or_grows_by_its_pictures():
    scene = ready(CONTEXT, PHOTOS, times=(0.0, 1.0))
    everything = small_network(time_channels=2)
    assert SceneTuning(everything, scene, tuning_config(), 0).space == "tokens"
    assert SceneTuning(moving_network(), scene, tuning_config(), 0).space == "gaussians"
    for space in ("gaussians", "tokens+gaussians"):
        with pytest.raises(ValueError, match="with these weights everything moves"):
            SceneTuning(everything, scene, tuning_config(space=space), 2)
    with pytest.raises(ValueError, match="only 'budget' can tell"):
        SceneTuning(moving_network(), scene, tuning_config(densification="gsplat-mcmc"), 0)
