"""What a benchmark is changed in."""

import pytest
import torch
from made.evaluations import Sequence
from made.scenes import small_network

from tokengs_nerfstudio.data import ViewSelection
from tokengs_nerfstudio.evaluation.cases import Case
from tokengs_nerfstudio.evaluation.variants import (
    ContextExtension,
    Extrapolation,
    PoseNoise,
    TokenCounts,
    Variant,
    variants,
)

FRAMES = tuple(range(16))
CASE = Case(Sequence(16), ViewSelection([0, 5, 10, 15], list(FRAMES)), FRAMES, FRAMES)


def test_the_benchmark_as_it_is():
    network, photos = small_network(), CASE.scene.load([0, 1])
    plain = Variant()
    assert plain.key == ""
    assert plain.views(CASE) is CASE.views
    assert plain.seen(photos, "name", 0) is photos
    assert plain.network(network) is network
    assert plain.beyond(CASE, CASE.views) == []


def test_poses_are_disturbed_by_scene_and_seed_but_for_the_first():
    photos = CASE.scene.load([0, 5, 10])
    noise = PoseNoise(2.0, 0.1)
    moved = noise.seen(photos, "one", 0)
    assert torch.equal(moved.c2w[0, :3, :3], photos.c2w[0, :3, :3])
    assert torch.equal(moved.images, photos.images)
    shift = (moved.c2w - photos.c2w)[1:, :3, 3].norm(dim=-1)
    baseline = torch.cdist(photos.c2w[:, :3, 3], photos.c2w[:, :3, 3]).max()
    assert shift.tolist() == pytest.approx([0.1 * float(baseline)] * 2, rel=1e-4)
    turned = moved.c2w[1, :3, :3] @ photos.c2w[1, :3, :3].mT
    assert float(torch.rad2deg(((turned.trace() - 1) / 2).acos())) == pytest.approx(2.0, abs=0.05)
    assert torch.equal(noise.seen(photos, "one", 0).c2w, moved.c2w)
    assert not torch.equal(noise.seen(photos, "two", 0).c2w, moved.c2w)
    assert not torch.equal(noise.seen(photos, "one", 1).c2w, moved.c2w)


def test_larger_contexts_hold_smaller_ones_and_targets_are_the_same():
    chosen = [ContextExtension(count, 6).views(CASE) for count in (2, 4, 6)]
    assert all(views is not None for views in chosen)
    few, some, many = (views for views in chosen if views is not None)
    assert (len(few.context), len(some.context), len(many.context)) == (2, 4, 6)
    assert set(few.context) < set(some.context) < set(many.context)
    assert many.context == sorted(many.context)
    assert few.target == some.target == many.target == [f for f in FRAMES if f not in many.context]


def test_scenes_with_too_few_frames_are_left_out():
    assert ContextExtension(2, 17).views(CASE) is None
    assert ContextExtension(2, 16).views(CASE) is None  # nothing is left to ask for
    short = Case(Sequence(4), ViewSelection([0, 1, 2], [3]), FRAMES[:4], FRAMES[:4])
    assert Extrapolation().views(short) is None


def test_the_context_of_an_extrapolation_is_in_the_middle():
    change = Extrapolation()
    views = change.views(CASE)
    assert views is not None
    assert views.context == [4, 6, 9, 11]
    assert views.target == [0, 1, 2, 3, 5, 7, 8, 10, 12, 13, 14, 15]
    beyond = dict(zip(views.target, change.beyond(CASE, views)))
    assert (beyond[0], beyond[3], beyond[5], beyond[15]) == (4 / 7, 1 / 7, 0, 4 / 7)


def test_many_targets_of_an_extrapolation_are_thinned_evenly():
    frames = tuple(range(400))
    views = Extrapolation().views(Case(Sequence(), ViewSelection([0, 1], [2]), frames, frames))
    assert views is not None
    assert len(views.target) == 64
    assert (views.target[0], views.target[-1]) == (0, 399)


def test_networks_get_other_numbers_of_tokens():
    assert TokenCounts(7).network(small_network()).config.tokens == 7


def test_all_changes_are_asked_for_once_each():
    found = variants([(1.0, 0.5)], True, [4, 2], [8, 4])
    assert [variant.key for variant in found] == [
        "",
        "pose_noise/1_0.5",
        "extrapolation/middle_half",
        "context_extension/2_of_4_views",
        "context_extension/4_of_4_views",
        "token_count/4_tokens",
        "token_count/8_tokens",
    ]
    assert [variant.label for variant in found][1:4] == ["1 deg, 50 %", "middle half", "2 views"]
    with pytest.raises(ValueError, match="token_count/8_tokens is asked for twice"):
        variants([], False, [], [8, 8])
