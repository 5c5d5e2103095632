"""Gaussians that begin with points of the scene."""

import math
from dataclasses import replace

import torch
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import ready, tuning_config

from tokengs_nerfstudio.core.evaluation import score, shown
from tokengs_nerfstudio.core.geometry.points import PointCloud
from tokengs_nerfstudio.core.preparation import prepare
from tokengs_nerfstudio.core.tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.candidates import candidates
from tokengs_nerfstudio.core.tuning.seeds import dome, surroundings
from tokengs_nerfstudio.core.types import Example

SCENE = blobs(300)
TRUTH = photos(SCENE, arc_cameras(8), size=48)
SUPERVISED, HELD_OUT = TRUTH.select([0, 2, 5, 7]), TRUTH.select([1, 3, 4, 6])
KNOWN = PointCloud(SCENE.means, SCENE.colors)


def began(known: PointCloud | None, steps: int = 1, **settings) -> SceneTuning:
    scene = replace(ready(SUPERVISED), points=known)
    return SceneTuning(small_network(), scene, settings_of(**settings), steps)


def settings_of(**settings):
    return tuning_config(space="gaussians", rule="steps", clear_share=0.0, **settings)


def among(points: PointCloud, tuning: SceneTuning) -> torch.Tensor:
    """Which points have a Gaussian in their place."""
    return ((points.places[:, None] - tuning.gaussians().means).abs().amax(-1) < 1e-6).any(1)


def test_points_that_photos_see_are_among_the_first_gaussians_in_place_of_new_ones() -> None:
    unseen = PointCloud(torch.tensor([[0.0, 0.0, -5.0]]), torch.rand(1, 3))
    both = PointCloud.joined([KNOWN, unseen], torch.cat)
    tuning, without = began(both), began(None)
    seen = KNOWN.seen_by(SUPERVISED)
    assert among(seen, tuning).all()
    assert not among(unseen, tuning).any()
    assert not among(seen, without).any()
    added = began(both, reseed=False).gaussians().count
    assert added == began(None, reseed=False).gaussians().count + seen.count
    assert tuning.gaussians().count < added


def test_points_keep_to_the_limit_and_to_what_is_wanted() -> None:
    assert began(KNOWN, max_gaussians=280).gaussians().count <= 280
    assert not among(KNOWN, began(KNOWN, points="off")).any()
    assert torch.equal(began(KNOWN, points="alone", reseed=False).gaussians().means, KNOWN.seen_by(SUPERVISED).places)
    config = settings_of(per_pixel=0.0, points="alone", reseed=False)
    start = SCENE.select(slice(0, 40))
    thinned = SceneTuning(small_network(), replace(ready(SUPERVISED), points=KNOWN), config, 1, start)
    assert thinned.gaussians().count == 40
    few = KNOWN.select(torch.tensor([0, 1, 2]))
    assert not among(few, began(few)).any()


def test_points_come_once_however_often_a_tuning_goes_on() -> None:
    tuning = began(KNOWN, steps=2, reseed=False, per_pixel=0.0)
    count = tuning.gaussians().count
    for _ in range(2):
        tuning.step()
    tuning.extend(2)
    assert tuning.gaussians().count == count


def test_points_alone_are_surrounded_where_they_leave_photos_wrong() -> None:
    seen = KNOWN.seen_by(SUPERVISED)
    tuning = began(seen, points="alone")
    assert among(seen, tuning).all()
    assert tuning.gaussians().count == seen.count + -(-seen.count // 3)
    dark = replace(SUPERVISED, images=SUPERVISED.images * 0.1)
    points = seen.gaussians()
    around = surroundings(points, dark, tuning.rendering, seed=0)
    assert around.count == dome(dark).count + -(-seen.count // 3)


def test_points_lead_to_better_pictures() -> None:
    def psnr(points: PointCloud | None) -> float:
        tuning = began(points, steps=40)
        while not tuning.finished:
            tuning.step()
        return score(shown(tuning.gaussians(), HELD_OUT, tuning.rendering), HELD_OUT.images).means()["psnr"]

    assert psnr(KNOWN) > psnr(None) + 1.0


def test_points_come_into_the_networks_frame_with_the_cameras() -> None:
    scene = prepare(small_network(), Example(SUPERVISED, SUPERVISED), points=KNOWN)
    assert scene.points is not None
    torch.testing.assert_close(scene.points.places, scene.to_canonical.points(KNOWN.places))
    assert prepare(small_network(), Example(SUPERVISED, SUPERVISED)).points is None


def test_trials_are_about_points_where_there_are_some() -> None:
    def names(known: bool, surfaces: bool = False, **settings: str) -> set[str]:
        config = tuning_config(**settings)
        return {one.name for one in candidates(config, small_network().config, 12, known, surfaces)}

    without = names(False)
    assert names(True) - without == {"gaussians, points alone", "gaussians, no points"}
    assert names(False, surfaces=True) - without == names(True, surfaces=True) - without == {"gaussians, no points"}
    assert names(True, points="beside") == names(True)
    assert names(True, points="off") == without
    few = {one.name: one for one in candidates(tuning_config(), small_network().config, 4, points=True)}
    without_any = few["gaussians, no new places, no points"]
    assert without_any.settings == {"gaussians.reseed": False, "gaussians.points": "off"}


def stride(tuning: SceneTuning) -> float:
    """How far the next step, an optimizer's first, moves centres at most, in extents: by their rate."""
    before = tuning.gaussians().means.clone()
    tuning.step()
    return float((tuning.gaussians().means - before).abs().max()) / tuning.extent


def test_gaussians_beside_known_points_go_a_quarter_of_the_way_of_those_that_search() -> None:
    def begun(known: PointCloud | None, **settings) -> SceneTuning:
        return began(known, steps=10, averaging=0.0, **settings)

    assert math.isclose(stride(begun(KNOWN)), 3e-3, rel_tol=0.01)
    assert math.isclose(stride(begun(None)), 1.2e-2, rel_tol=0.01)
    assert math.isclose(stride(begun(KNOWN, points="off")), 1.2e-2, rel_tol=0.01)
    assert math.isclose(stride(begun(KNOWN, means_rate=5e-3)), 5e-3, rel_tol=0.01)
    few = KNOWN.select(torch.arange(8))
    assert math.isclose(stride(begun(few, points="beside")), 1.2e-2, rel_tol=0.01)


def test_what_was_tuned_once_need_not_search_when_it_goes_on() -> None:
    tuning = began(None, steps=1, averaging=0.0)
    tuning.step()
    tuning.extend(10)
    assert math.isclose(stride(tuning), 3e-3, rel_tol=0.01)


def test_a_tuning_goes_on_at_its_rate_without_the_points_it_began_with() -> None:
    first, again = began(KNOWN, steps=10), began(None, steps=10)
    first.step()
    again.load_state_dict(first.state_dict())
    first.step()
    again.step()
    assert torch.equal(first.gaussians().means, again.gaussians().means)


def test_a_stage_ends_with_the_mean_of_its_last_steps() -> None:
    """With a weight of a half for each next step."""
    tuning, seen = began(KNOWN, steps=4, averaging=0.5, growth_end=0.0), []
    while not tuning.finished:
        tuning.step()
        if not tuning.finished:
            seen.append(tuning.gaussians().means.clone())
    last = began(KNOWN, steps=4, averaging=0.0, growth_end=0.0)
    while not last.finished:
        last.step()
    mean = (seen[0] + seen[1]) / 2
    for means in (seen[2], last.gaussians().means):
        mean = (mean + means) / 2
    torch.testing.assert_close(tuning.gaussians().means, mean, rtol=1e-5, atol=1e-6)
