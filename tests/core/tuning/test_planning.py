"""Evidence and time together: what is tried and taken, when a tuning ends, and that a plan repeats it."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from made.machines import Machine
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import changed, ready, tuning_config

from tokengs_nerfstudio.core import reconstruct
from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.tuning.evidence import TrialSize
from tokengs_nerfstudio.core.tuning.pacing import Allowance
from tokengs_nerfstudio.core.tuning.plan import TuningPlan
from tokengs_nerfstudio.core.tuning.planning import Planner
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.whole import planned_tuning, run_through, tune
from tokengs_nerfstudio.core.types import Gaussians

LONG = tuning_config(space="gaussians", rule="steps", growth_every=10, per_pixel=0.5)


def scene(count: int = 5) -> PreparedScene:
    return ready(photos(blobs(), arc_cameras(count)))


@pytest.fixture
def short_trials(monkeypatch) -> None:
    monkeypatch.setattr("tokengs_nerfstudio.core.tuning.trials.TrialSize", partial(TrialSize, 4, 12, 2))


def same(first: Gaussians, second: Gaussians) -> bool:
    return all(torch.equal(a, b) for (_, a), (_, b) in zip(first.tensors(), second.tensors()))


@pytest.mark.parametrize(
    "machine",
    [
        Machine(fixed=0.02),
        Machine(fixed=0.002, per_pixel=1e-5, per_gaussian=2e-5),
        Machine(fixed=0.01, per_pixel=1e-5, slowness=lambda now: 2.0 if now > 2 else 1.0),
        Machine(fixed=0.02, per_pixel=1e-5, slowness=lambda now: 0.5 if 2 < now < 3 else 1.0),
    ],
    ids=["even", "growing", "slower", "faster"],
)
def test_the_time_given_is_the_time_taken(monkeypatch, machine):
    machine = replace(machine).installed(monkeypatch)
    planned = planned_tuning(small_network(), scene(), LONG, seconds=5.0, clock=machine.clock)
    run_through(planned)
    assert machine.now == pytest.approx(5.0, rel=0.1)


@pytest.mark.parametrize("first", [1.0, 100.0])
def test_what_is_done_once_for_all_steps_does_not_count_as_a_slow_machine(monkeypatch, first):
    """Without a look before the last step, a few of them would be all."""
    machine = Machine(fixed=0.02).installed(monkeypatch)
    planned = planned_tuning(small_network(), scene(), LONG, seconds=5.0, clock=machine.clock)
    began = machine.now
    machine.slowness = lambda now: first if now == began else 1.0
    run_through(planned)
    assert machine.now == pytest.approx(5.0, rel=0.05)
    assert planned.tuning.steps_done == pytest.approx((5.0 - began) / 0.02 - first, rel=0.05)


def test_a_stage_that_takes_longer_than_reckoned_takes_nothing_from_the_next(monkeypatch):
    """With ten times fewer steps than planned, of tokens and of Gaussians alike."""
    machine = Machine(fixed=0.01, slowness=lambda now: 10.0 if now > 0.2 else 1.0).installed(monkeypatch)
    config = changed(LONG, space="tokens+gaussians", tokens_share=0.5, tokens_most_steps=1000)
    planned = planned_tuning(small_network(), scene(), config, seconds=8.0, clock=machine.clock)
    (_, tokens), (_, gaussians) = planned.plan().stages
    taken = {"tokens": 0, "gaussians": 0}
    while not planned.tuning.finished:
        taken[planned.tuning.stage] += 1
        planned.step()
    assert machine.now == pytest.approx(8.0, rel=0.1)
    assert taken["tokens"] == pytest.approx(0.1 * tokens, rel=0.3)
    assert taken["gaussians"] == pytest.approx(0.1 * gaussians, rel=0.3)


def test_less_time_means_smaller_photos_and_fewer_gaussians(monkeypatch):
    machine = Machine(per_pixel=2e-5).installed(monkeypatch)
    short, long = (
        planned_tuning(small_network(), scene(), LONG, seconds=seconds, clock=machine.clock) for seconds in (1.0, 20.0)
    )
    assert long.tuning.config.gaussians.levels == LONG.gaussians.levels
    assert min(level for _, level in short.tuning.config.gaussians.levels) > 1
    assert short.tuning.config.gaussians.per_pixel < LONG.gaussians.per_pixel
    assert short.plan().decided.keys() == {"gaussians.levels", "gaussians.per_pixel"}


def test_few_photos_end_a_tuning_before_its_time(monkeypatch):
    machine = Machine(fixed=0.001).installed(monkeypatch)
    config = changed(LONG, rule="held-out", steps_per_view=20)
    planned = planned_tuning(small_network(), scene(), config, seconds=9.0, clock=machine.clock)
    run_through(planned)
    assert planned.tuning.steps_done == 5 * 20
    assert machine.now < 1


def test_steps_win_over_seconds(monkeypatch):
    machine = Machine(fixed=1.0).installed(monkeypatch)
    planned = planned_tuning(small_network(), scene(), LONG, steps=7, seconds=1.0, clock=machine.clock)
    run_through(planned)
    assert (planned.tuning.steps_done, machine.steps) == (7, 7)


def test_trials_choose_what_shows_the_left_out_photos_best(monkeypatch):
    machine = Machine(fixed=0.01).installed(monkeypatch)
    planned = planned_tuning(small_network(), scene(), tuning_config(), seconds=40.0, clock=machine.clock)
    (best,) = (row for row in planned.trials if row["chosen"])
    assert best["psnr"] >= max(row["psnr"] for row in planned.trials) - 0.5
    assert planned.tuning.space == best["tried"].partition(",")[0]
    assert planned.tuning.config.gaussians.reseed == ("places" not in best["tried"])
    assert 0 < machine.now <= 0.25 * 40
    assert planned.tuning.supervision.views.num_views == 5  # all of them, those that were left out before too


@pytest.mark.usefixtures("short_trials")
@pytest.mark.parametrize(("slowness", "turns"), [(1.0, 2), (3.0, 1)])
def test_trials_end_early_on_a_machine_that_becomes_slower(monkeypatch, slowness, turns):
    machine = Machine(fixed=0.05, slowness=lambda now: slowness if now > 1 else 1.0).installed(monkeypatch)
    planned = planned_tuning(small_network(), scene(), tuning_config(), seconds=40.0, clock=machine.clock)
    assert len(planned.trials[0]["by_turn"]) == turns
    assert machine.now <= 0.25 * 40


@pytest.mark.usefixtures("short_trials")
@pytest.mark.parametrize(
    ("changes", "left_out"), [({}, 0), ({"patience": 0.5}, 1), ({"trials": False}, 1), ({"held_out_from": 99}, 0)]
)
def test_after_trials_all_photos_supervise_unless_somebody_wants_to_stop_otherwise(changes, left_out):
    """With fewer photos than one is left out of, the limit on steps stays."""
    config = tuning_config(max_gaussians=50, **changes)
    tuning = planned_tuning(small_network(), scene(9), config, steps=100).tuning
    assert len(tuning.supervision.held_out) == left_out
    assert tuning.config.stopping.rule == ("steps" if changes == {} else "held-out")


@pytest.mark.usefixtures("short_trials")
def test_no_trials_where_they_are_not_wanted_or_the_space_is_given(monkeypatch):
    machine = Machine(fixed=0.01).installed(monkeypatch)
    for config in (tuning_config(trials=False), tuning_config(space="tokens")):
        assert planned_tuning(small_network(), scene(), config, 200, clock=machine.clock).trials == ()
    assert planned_tuning(small_network(), scene(2), tuning_config(), 200, clock=machine.clock).trials == ()
    assert machine.steps == 0
    assert planned_tuning(small_network(), scene(), tuning_config(), 200, clock=machine.clock).trials


@pytest.mark.usefixtures("short_trials")
def test_a_plan_repeats_a_tuning_to_the_bit(tmp_path, monkeypatch):
    """Though the machine is another one now, and far slower."""
    machine = Machine(fixed=0.04, slowness=lambda now: 1 + now / 20).installed(monkeypatch)
    config = tuning_config(rule="steps")
    first = planned_tuning(small_network(), scene(), config, seed=3, seconds=25.0, clock=machine.clock)
    run_through(first)
    assert first.tuning.course.paces
    assert first.plan().decided
    first.plan().write(tmp_path / "plan.json")
    assert TuningPlan.read(tmp_path / "plan.json").as_numbers() == first.plan().as_numbers()
    taken, again = machine.steps, tuning_config(plan=tmp_path / "plan.json")
    repeated = tune(small_network(), scene(), again, clock=Machine(fixed=100.0).clock)
    assert machine.steps - taken == first.tuning.steps_done
    assert same(repeated, first.tuning.gaussians())
    assert same(tune(small_network(), scene(), again, steps=3), repeated)


def test_a_plan_of_before_keeps_its_numbers():
    saved = planned_tuning(small_network(), scene(), LONG, steps=2).plan().as_numbers()
    for added in ("start_share", "views_per_step", "stereo", "averaging"):
        del saved["tuning"]["gaussians"][added]
    old = TuningPlan.of_numbers(saved | {"tuning": saved["tuning"] | {"views_per_step": 3}}).config.gaussians
    assert (old.start_share, old.views_per_step, old.stereo, old.averaging) == (1.0, 3, 0, 0.0)


def test_a_plan_for_other_photos_is_taken_with_a_warning(tmp_path, caplog):
    first = planned_tuning(small_network(), scene(), LONG, steps=2)
    first.plan().write(tmp_path / "plan.json")
    tune(small_network(), scene(4), tuning_config(plan=tmp_path / "plan.json"))
    assert "made for 5 photos of 32x32, here are 4 of 32x32" in caplog.text


def test_what_was_decided_is_laid_over_the_options_of_a_run_that_goes_on():
    plan = replace(
        planned_tuning(small_network(), scene(), LONG, steps=2).plan(),
        decided={"space": "tokens", "gaussians.reseed": False},
    )
    assert plan.going_on(tuning_config(ssim=0.5)) == tuning_config(space="tokens", reseed=False, ssim=0.5)
    assert plan.going_on(tuning_config(space="gaussians")).space == "gaussians"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace('"version": 1', '"version": 9'), "it has version 9, this program knows 1"),
        (lambda text: text.replace('"ssim": 0.2', '"ssim": 7'), "ssim is 7"),
        (lambda text: text.replace('"ssim"', '"beauty"'), "does not know: beauty"),
        (lambda text: text[:-9], "plan.json is not valid JSON"),
        (lambda _: "{}", "cannot be read as a plan of a tuning"),
    ],
)
def test_a_file_that_is_no_plan_is_named(tmp_path, change, said):
    path = tmp_path / "plan.json"
    planned_tuning(small_network(), scene(), LONG, steps=2).plan().write(path)
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=said):
        TuningPlan.read(path)


def test_a_plan_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="there is no plan"):
        TuningPlan.read(str(tmp_path / "plan.json"))


def test_reconstruct_takes_seconds():
    views = photos(blobs(), arc_cameras(3))
    splats = reconstruct(small_network(), views, LONG, seconds=0.5)
    assert splats.count > 0
    with pytest.raises(UserError, match="seconds is 0"):
        reconstruct(small_network(), views, LONG, seconds=0)


def test_without_time_there_is_what_the_network_predicts(monkeypatch, caplog):
    machine = Machine(fixed=0.01).installed(monkeypatch)
    planned = planned_tuning(small_network(), scene(), LONG, seconds=1.0, clock=machine.clock, began=-2.0)
    assert planned.tuning.finished
    assert planned.plan().steps == machine.steps == 0
    assert "1 s leave no time to tune" in caplog.text


@pytest.mark.usefixtures("short_trials")
@pytest.mark.parametrize(("steps", "looks"), [(None, 1), (100, 1), (7, 0)])
def test_what_the_network_predicts_can_be_looked_at_before_anything_is_tried(monkeypatch, steps, looks):
    machine = Machine(fixed=0.01).installed(monkeypatch)
    network, prepared, seen = small_network(), scene(), []
    planner = Planner(
        network, prepared, tuning_config(), begun=lambda tuning: seen.append((machine.steps, tuning.gaussians()))
    )
    planned = planner.tuning(steps, Allowance(40.0, machine.clock, machine.clock()))
    assert bool(planned.trials) == bool(looks)
    assert len(seen) == looks
    for taken, gaussians in seen:
        assert taken == 0
        assert same(gaussians, SceneTuning(network, prepared, tuning_config(), 0).gaussians())
