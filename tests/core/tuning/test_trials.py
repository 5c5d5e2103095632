"""Trials: which photos are left out, what is tried, how long, and the table that names the best."""

from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import ready, tuning_config

from tokengs_nerfstudio.core.tuning.candidates import FEED_FORWARD, MANY, Candidate, candidates
from tokengs_nerfstudio.core.tuning.evidence import Evidence, TrialCosts, TrialSize, fitted, fitting
from tokengs_nerfstudio.core.tuning.trials import Trials, turn_of, turns

NETWORK = small_network().config
EVIDENCE = Evidence(
    tried=(Candidate(FEED_FORWARD), Candidate("tokens"), Candidate("gaussians", {"gaussians.reseed": False}, "as is")),
    scores=((15.0, 17.0), (18.0, 19.0), (20.0, 16.5)),
    left_out=((1,), (3,)),
    size=TrialSize(),
    seconds=3.2,
)


@pytest.mark.parametrize("points", ["alone", "off"])
@pytest.mark.parametrize(("score", "chosen"), [(20.4, "beside"), (20.6, "other")])
def test_points_alone_and_none_have_to_be_a_lead_ahead_of_both(points, score, chosen):
    tried = (Candidate("gaussians", {}, "beside"), Candidate("gaussians", {"gaussians.points": points}, "other"))
    assert replace(EVIDENCE, tried=tried, scores=((20.0,), (score,))).best.words == chosen


def test_every_space_is_tried_and_what_somebody_has_set_is_not():
    def names(photos_: int, **settings: object) -> list[str]:
        return [candidate.name for candidate in candidates(tuning_config(**settings), NETWORK, photos_)]

    usual = [FEED_FORWARD, "tokens", "gaussians", "tokens+gaussians"]
    assert names(MANY) == names(MANY - 1, reseed=False) == usual
    assert names(MANY - 1) == [*usual[:2], *(f"{space}, no new places" for space in usual[2:])]
    assert names(4, space="tokens") == []
    assert candidates(tuning_config(), small_network(time_channels=2).config, 4) == []


def test_a_candidate_changes_what_it_is_about_alone():
    assert EVIDENCE.tried[2].applied(tuning_config(ssim=0.3)) == tuning_config(
        ssim=0.3, space="gaussians", reseed=False
    )
    assert EVIDENCE.tried[0].applied(tuning_config()) == tuning_config()


def test_the_table_names_the_best_first():
    assert EVIDENCE.best.space == "tokens"
    lines = EVIDENCE.table().splitlines()
    assert lines[1].split() == ["*", "tokens", "18.50", "dB"]
    assert [line.split()[0] for line in lines[2:]] == ["gaussians,", "feed-forward"]
    assert "2 left-out photos, 2 turns" in lines[0]
    assert EVIDENCE.rows()[1] == {"tried": "tokens", "psnr": 18.5, "by_turn": [18.0, 19.0], "chosen": True}


@pytest.mark.parametrize(("score", "best"), [(18.9, "tokens"), (19.1, "gaussians")])
def test_what_is_no_better_than_tokens_by_a_lead_is_not_chosen(score, best):
    evidence = replace(EVIDENCE, scores=((15.0,), (18.5,), (score,)))
    assert evidence.best.space == best
    starred = next(line for line in evidence.table().splitlines() if "*" in line)
    assert best in starred


def test_of_many_photos_tokens_have_no_lead():
    many = replace(EVIDENCE, scores=((15.0,), (18.5,), (18.6,)), few=False)
    assert many.best.space == "gaussians"
    assert "than tokens" not in many.table()


@pytest.mark.parametrize(
    ("gaps", "asked", "pull"),
    [((1.2, 2.7), 0.05, 0.05), ((1.2, 2.9), 0.05, 0.1), ((4.0,), 0.03, 0.03), ((), 0.05, 0.05)],
)
def test_gaussians_that_know_their_photos_by_heart_fade_unless_somebody_has_chosen(gaps, asked, pull):
    evidence, config = replace(EVIDENCE, gaps=gaps), tuning_config(opacity_pull=asked)
    decided = evidence.decided(config)
    assert decided.gaussians.opacity_pull == pull
    assert replace(decided, gaussians=config.gaussians) == evidence.best.applied(config)
    assert ("opacity_pull" in evidence.table()) == (sum(gaps) >= 4)


def test_trials_tell_how_much_better_gaussians_show_what_they_are_tuned_on():
    views, steps = photos(blobs(), arc_cameras(5)), TrialSize(2, 6, 2)
    trials = Trials(small_network(), tuning_config(max_gaussians=60), 0, False, lambda said: None, 60)
    turn = turn_of(trials.network, ready(views), [2])
    tried = [Candidate(FEED_FORWARD), Candidate("gaussians"), Candidate("gaussians", {"gaussians.reseed": False})]
    scores, gap = trials.scores(turn, tried, steps)
    seen, _ = trials.scores(replace(turn, left_out=turn.scene.example.target), tried, steps)
    assert gap == pytest.approx(seen[1] - scores[1])
    assert trials.scores(turn, tried[:1], steps)[1] is None


@pytest.mark.parametrize(
    ("few", "turns_", "seconds", "tried", "fit"),
    [
        (False, 2, 20.0, 3, 2),
        (False, 2, 9.0, 2, 2),
        (True, 2, 9.0, 3, 1),
        (True, 2, 4.0, 2, 2),
        (False, 1, 10.0, 3, 1),
    ],
)
def test_tokens_that_would_leave_no_time_for_turns_are_not_tried(few, turns_, seconds, tried, fit):
    costs = TrialCosts(before=0.5, tokens=8.0, gaussians=1.0)
    found, size = fitting(EVIDENCE.tried, replace(TrialSize(), turns=turns_), costs, seconds, few)
    assert (len(found), size.turns) == (tried, fit)
    assert ("tokens" in [candidate.space for candidate in found]) == (tried == 3)


def test_of_few_photos_one_is_left_out_in_turn_and_of_many_those_that_the_network_does_not_see():
    few = photos(blobs(), arc_cameras(4))
    assert [len(left) for left in turns(ready(few), 3)] == [1, 1, 1]
    assert len({left[0] for left in turns(ready(few), 3)}) == 3
    assert list(turns(ready(photos(blobs(), arc_cameras(2))), 2)) == []
    many = photos(blobs(), arc_cameras(17))
    first, second = turns(ready(many.select([0, 5, 11, 16]), many), 4)
    assert len(first) == len(second) == 2
    assert len({*first, *second}) == 4
    assert not {*first, *second} & {0, 5, 11, 16}


def test_a_turn_is_placed_anew_without_what_is_left_out():
    views = photos(blobs(), arc_cameras(4), size=96)
    turn = turn_of(small_network(), ready(views), [1])
    assert turn.scene.example.context.num_views == turn.scene.example.target.num_views == 3
    assert (turn.left_out.height, turn.left_out.num_views) == (64, 1)
    back = turn.scene.to_canonical.inverse().views(turn.left_out)
    torch.testing.assert_close(back.c2w, views.c2w[1:2], atol=1e-5, rtol=1e-5)


def test_a_trial_of_a_large_capture_looks_at_some_of_its_photos():
    views = photos(blobs(), arc_cameras(60))
    turn = turn_of(small_network(), ready(views.select([0, 20, 40, 59]), views), [7, 30])
    assert turn.scene.example.context.num_views == 4
    assert turn.scene.example.target.num_views == 48


def test_the_network_always_keeps_something_to_see():
    views = photos(blobs(), arc_cameras(4))
    assert all(left != [2] for left in turns(ready(views.select([2]), views), 4))
    twins = photos(blobs(), arc_cameras(2).repeat_interleave(2, 0))
    assert [len(left) for left in turns(ready(twins.select([0]), twins), 4)] == [1, 1]
    assert all(left in ([2], [3]) for left in turns(ready(twins.select([0]), twins), 4))


@pytest.mark.parametrize(
    ("seconds", "turns_", "token_steps"), [(100.0, 4, 20), (28.0, 4, 12), (11.5, 1, 20), (6.0, 1, 10), (5.0, 0, 20)]
)
def test_trials_are_as_long_as_there_is_time(seconds, turns_, token_steps):
    size = fitted(TrialSize(), before=1.0, steps=10.0, seconds=seconds)
    assert (size.turns, size.token_steps) == (turns_, token_steps)
