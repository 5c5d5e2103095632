"""Gaussians that begin with points which the photos tell."""

from dataclasses import replace

import pytest
import torch
from made.machines import Machine
from made.scenes import arc_cameras, small_network
from made.textured_walls import walls
from made.tuning import changed, ready, tuning_config

from tokengs_nerfstudio.core.evaluation import score, shown
from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.core.tuning.pacing import Allowance
from tokengs_nerfstudio.core.tuning.planning import Planner
from tokengs_nerfstudio.core.tuning.surfaces import beginning_with, looks_for_surfaces, photos_in, surfaces
from tokengs_nerfstudio.core.tuning.trials import Trials
from tokengs_nerfstudio.core.tuning.whole import planned_tuning, run_through, tune
from tokengs_nerfstudio.core.types import Gaussians

ALL = replace(walls(arc_cameras(9, radius=2.2, span=0.6), size=64), depths=None)
VIEWS, HELD_OUT = ALL.select([0, 1, 3, 4, 5, 7, 8]), ALL.select([2, 6])
SCENE = ready(VIEWS)
CONFIG = tuning_config(space="gaussians", rule="steps", clear_share=0.0)


def same(first: Gaussians, second: Gaussians) -> bool:
    return all(torch.equal(a, b) for (_, a), (_, b) in zip(first.tensors(), second.tensors()))


def with_surfaces(scene: PreparedScene, network: NetworkConfig, config: TuningConfig, seed: int) -> PreparedScene:
    return beginning_with(surfaces(scene, network, config, seed), scene, config, seed)


def known(points: PointCloud | None) -> PointCloud:
    assert points is not None
    return points


def test_points_that_photos_tell_lead_to_better_pictures() -> None:
    def psnr(stereo: int) -> float:
        planned = planned_tuning(small_network(), SCENE, changed(CONFIG, stereo=stereo), steps=60)
        run_through(planned)
        render = shown(planned.tuning.gaussians(), HELD_OUT, planned.tuning.rendering)
        return score(render, HELD_OUT.images).means()["psnr"]

    assert psnr(20) > psnr(0) + 1.0


def test_as_many_come_as_the_stage_begins_with_beside_those_of_the_capture() -> None:
    network = small_network().config
    found = known(with_surfaces(SCENE, network, CONFIG, seed=0).points)
    assert found.count == round(0.35 * 0.35 * 64 * 64)
    own = PointCloud(torch.rand(50, 3), torch.rand(50, 3))
    both = known(with_surfaces(replace(SCENE, points=own), network, CONFIG, seed=0).points)
    assert torch.equal(both.places, torch.cat([own.places, found.places]))
    assert known(with_surfaces(SCENE, network, changed(CONFIG, max_gaussians=400), seed=0).points).count == 140


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, True),
        ({"space": "auto"}, True),
        ({"space": "tokens+gaussians"}, True),
        ({"space": "tokens"}, False),
        ({"points": "off"}, False),
        ({"stereo": 1}, False),
    ],
)
def test_surfaces_are_looked_for_where_gaussians_may_begin_with_them(changes: dict, wanted: bool) -> None:
    config = changed(CONFIG, **changes)
    assert looks_for_surfaces(small_network().config, config, 7) == wanted
    assert (with_surfaces(SCENE, small_network().config, config, seed=0).points is not None) == wanted


def test_a_scene_whose_photos_tell_nothing_stays_as_it_is() -> None:
    plain = ready(replace(VIEWS, images=torch.full_like(VIEWS.images, 0.4)))
    assert with_surfaces(plain, small_network().config, CONFIG, seed=0) is plain


def test_a_turn_of_trials_knows_nothing_from_what_it_leaves_out() -> None:
    trials = Trials(small_network(), CONFIG, 0, False, lambda said: None, 100)
    black = VIEWS.images.clone()
    black[3] = 0
    turn, other = (trials.turn(ready(views), [3]) for views in (VIEWS, replace(VIEWS, images=black)))
    assert torch.equal(known(turn.scene.points).places, known(other.scene.points).places)


def test_a_short_time_is_for_fewer_photos_and_the_plan_says_so(monkeypatch) -> None:
    assert photos_in(0.0, VIEWS, lambda: 0.0) == 0
    assert photos_in(1.0, VIEWS.select([0]), lambda: 0.0) == 0
    monkeypatch.setattr("tokengs_nerfstudio.core.tuning.surfaces.seconds_of_photo", lambda views, clock: 0.1)
    assert photos_in(0.55, VIEWS, lambda: 0.0) == 5

    def photos(seconds: float) -> int:
        planner = Planner(small_network(), SCENE, CONFIG)
        return planner.by_time(Allowance(seconds, lambda: 0.0, 0.0)).plan().config.gaussians.stereo

    assert (photos(1.0), photos(4.0), photos(60.0)) == (1, 4, 24)


@pytest.mark.parametrize("steps", [5, None])
def test_a_plan_repeats_what_began_with_surfaces(tmp_path, monkeypatch, steps) -> None:
    """By time, on a machine so slow that photos and Gaussians become smaller and fewer."""
    machine = Machine(fixed=0.1, per_pixel=1e-6).installed(monkeypatch)
    first = planned_tuning(small_network(), SCENE, CONFIG, steps=steps, seconds=2.0, clock=machine.clock)
    assert (first.plan().config.gaussians.per_pixel < CONFIG.gaussians.per_pixel) == (steps is None)
    run_through(first)
    first.plan().write(tmp_path / "plan.json")
    again = tuning_config(plan=tmp_path / "plan.json")
    assert same(tune(small_network(), SCENE, again), first.tuning.gaussians())
    without = changed(CONFIG, stereo=0)
    assert not same(tune(small_network(), SCENE, without, steps=5), first.tuning.gaussians())


def test_whoever_goes_on_before_gaussians_have_begun_begins_with_the_same_points() -> None:
    config = changed(CONFIG, space="tokens+gaussians", tokens_share=0.5)
    whole = planned_tuning(small_network(), SCENE, config, steps=8)
    for _ in range(3):
        whole.step()
    state, plan = whole.tuning.state_dict(), whole.plan()
    run_through(whole)
    later = Planner(small_network(), SCENE, config).going_on(plan, 8)
    later.tuning.load_state_dict(state)
    run_through(later)
    assert same(later.tuning.gaussians(), whole.tuning.gaussians())


def test_cameras_that_are_corrected_tell_points_where_the_scene_is_tuned(monkeypatch) -> None:
    moved = replace(VIEWS, c2w=VIEWS.c2w.clone())
    moved.c2w[:, 0, 3] += 1.0
    shifted = replace(SCENE.example, target=moved)
    monkeypatch.setattr(
        "tokengs_nerfstudio.core.tuning.surfaces.with_adjusted_cameras", lambda *arguments: (shifted, None)
    )
    network = small_network().config
    given = known(with_surfaces(SCENE, network, CONFIG, seed=0).points)
    found = known(with_surfaces(SCENE, network, changed(CONFIG, adjust=True), seed=0).points)
    torch.testing.assert_close(found.places.mean(0)[0], given.places.mean(0)[0] + 1.0, atol=0.02, rtol=0)
