import json
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.data import BoundedSampler, EvaluationIndex, ViewSelection, nearest_views, spread_views
from tokengs_nerfstudio.data.view_sampler import camera_distances


def cameras(positions: Tensor, directions: Tensor) -> Tensor:
    """Camera-to-world matrices at positions [frame 3] that look along directions [frame 3]."""
    forward = torch.nn.functional.normalize(directions.double(), dim=-1)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, torch.tensor([[0.1, 0.2, 1.0]]).double()), dim=-1)
    c2w = torch.eye(4, dtype=torch.float64).repeat(len(positions), 1, 1)
    c2w[:, :3, :3] = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=-1)
    c2w[:, :3, 3] = positions.double()
    return c2w.float()


def random_cameras(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return cameras(*torch.randn(2, count, 3, generator=generator))


# --- bounded


@pytest.mark.parametrize("frames", [41, 60, 300])
@pytest.mark.parametrize("views", [(2, 4), (4, 4), (6, 2), (1, 3)])
def test_bounded_selection(frames, views):
    sampler = BoundedSampler(num_context=views[0], num_target=views[1], min_gap=10, max_gap=40)
    rng = np.random.default_rng(0)
    spans = set()
    for _ in range(300):
        selection = sampler.sample(frames, rng)
        context, target = selection.context, selection.target
        assert (len(context), len(target)) == views
        assert context == sorted(set(context))
        assert len(set(context + target)) == sum(views)
        assert min(context + target) >= 0
        assert max(context + target) < frames
        if views[0] > 1:
            spans.add(context[-1] - context[0])
            assert context[0] < min(target)
            assert max(target) < context[-1]
    if views[0] > 1:
        assert spans == set(range(10, 41))


def test_bounded_places_reach_both_ends_of_the_sequence():
    rng = np.random.default_rng(1)
    selections = [BoundedSampler(2, 1, 10, 20).sample(50, rng).context for _ in range(2000)]
    assert min(context[0] for context in selections) == 0
    assert max(context[-1] for context in selections) == 49


def test_bounded_is_decided_by_the_generator():
    sampler = BoundedSampler()
    first, again, other = (sampler.sample(100, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_bounded_uses_a_short_sequence_whole():
    selection = BoundedSampler(4, 2, 10, 40).sample(6, np.random.default_rng(0))
    assert (selection.context[0], selection.context[-1]) == (0, 5)
    assert sorted(selection.context + selection.target) == [0, 1, 2, 3, 4, 5]


def test_bounded_widens_a_gap_that_is_too_short():
    selection = BoundedSampler(4, 0, 1, 1).sample(50, np.random.default_rng(0))
    assert np.diff(selection.context).tolist() == [1, 1, 1]


def test_bounded_targets_repeat_only_when_frames_run_out():
    selection = BoundedSampler(2, 7, 2, 2).sample(3, np.random.default_rng(0))
    assert selection.context == [0, 2]
    assert selection.target[0] == 1
    assert sorted(selection.target[:3]) == [0, 1, 2]
    assert sorted(selection.target[3:6]) == [0, 1, 2]


def test_bounded_errors():
    with pytest.raises(ValueError, match="3 frames cannot give 4 context views"):
        BoundedSampler().sample(3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="min_gap <= max_gap"):
        BoundedSampler(min_gap=5, max_gap=4)
    with pytest.raises(ValueError, match="at least one context"):
        BoundedSampler(num_context=0)


# --- spread


def radius(distances: np.ndarray, chosen: list[int]) -> float:
    return float(distances[:, chosen].min(axis=1).max())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 3, 4])
def test_spread_is_close_to_the_best_possible_covering(seed, count):
    c2w = random_cameras(12, seed)
    distances = camera_distances(c2w)
    best = min(radius(distances, list(chosen)) for chosen in combinations(range(12), count))
    chosen = spread_views(c2w, count)
    assert len(set(chosen)) == count
    assert radius(distances, chosen) <= 1.25 * best


def test_spread_finds_the_groups_of_a_capture():
    centres = torch.tensor([[0.0, 0, 0], [10, 0, 0], [0, 10, 0], [10, 10, 0]])
    positions = centres.repeat_interleave(5, dim=0) + 0.1 * torch.randn(20, 3)
    c2w = cameras(positions, torch.tensor([[0.0, 0, -1]]).expand(20, 3))
    assert {index // 5 for index in spread_views(c2w, 4)} == {0, 1, 2, 3}


def test_spread_sees_directions_where_positions_are_one():
    angles = torch.linspace(0, 2 * torch.pi, 9)[:-1]
    directions = torch.stack([angles.cos(), angles.sin(), torch.zeros(8)], dim=-1)
    gaps = np.diff(sorted(spread_views(cameras(torch.full((8, 3), 2.5), directions), 4)))
    assert gaps.tolist() == [2, 2, 2]


def test_spread_starts_with_the_most_central_view():
    positions = torch.stack([torch.linspace(0, 1, 9), torch.zeros(9), torch.zeros(9)], dim=-1)
    c2w = cameras(positions, torch.tensor([[0.0, 1, 0]]).expand(9, 3))
    assert spread_views(c2w, 1) == [4]
    chosen = spread_views(c2w, 3)
    assert 3 <= chosen[0] <= 5
    assert min(chosen) <= 2
    assert max(chosen) >= 6


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1e4])
def test_spread_knows_no_units(scale):
    c2w = random_cameras(30)
    moved = canonical_frame(c2w[None], frame="mean").cameras(c2w[None])[0]
    moved[:, :3, 3] *= scale
    assert spread_views(moved, 6) == spread_views(c2w, 6)


def test_spread_of_equal_cameras_never_repeats_a_frame():
    c2w = random_cameras(1).repeat(5, 1, 1)
    assert sorted(spread_views(c2w, 5)) == [0, 1, 2, 3, 4]


def test_spread_keeps_to_its_candidates():
    c2w = random_cameras(20)
    chosen = spread_views(c2w, 4, candidates=[19, 3, 5, 8, 13, 3])
    assert set(chosen) < {19, 3, 5, 8, 13}
    local = spread_views(c2w[[19, 3, 5, 8, 13]], 4)
    assert chosen == [[19, 3, 5, 8, 13][index] for index in local]


@pytest.mark.parametrize(("count", "candidates"), [(0, None), (4, None), (2, [1, 1])])
def test_spread_errors(count, candidates):
    with pytest.raises(ValueError, match=rf"cannot choose {count} views among"):
        spread_views(random_cameras(3), count, candidates)


def test_nearest_views_in_order():
    positions = torch.tensor([[0.0, 0, 0], [3, 0, 0], [1, 0, 0], [-2, 0, 0]])
    c2w = cameras(positions, torch.tensor([[0.0, 1, 0]]).expand(4, 3))
    assert nearest_views(c2w, 0) == [2, 3, 1]
    assert nearest_views(c2w, 1, candidates=[3, 0]) == [0, 3]


def test_spread_covers_real_captures_better_than_even_steps(shared):
    from tokengs_nerfstudio.data import NerfstudioCapture

    for scene in ("banana", "skull", "fox"):
        c2w = NerfstudioCapture(shared / "scenes" / scene).c2w
        distances = camera_distances(c2w)
        for count in (4, 6, 8):
            steps = np.linspace(0, len(c2w) - 1, count).round().astype(int).tolist()
            assert radius(distances, spread_views(c2w, count)) < radius(distances, steps)


# --- index


def write_index(tmp_path, content) -> EvaluationIndex:
    (tmp_path / "index.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return EvaluationIndex(tmp_path / "index.json")


@pytest.mark.parametrize(
    "content",
    [
        {"a": {"context": [0, 9], "target": [3, 4]}, "left out": None, "b": {"context": [1], "target": [0]}},
        [{"scene": "a", "context": [0, 9], "target": [3, 4]}, {"key": "b", "context": [1], "target": [0]}],
    ],
    ids=["object", "list"],
)
def test_index(tmp_path, content):
    index = write_index(tmp_path, content)
    assert index.scenes == ["a", "b"]
    assert index.select("a") == ViewSelection([0, 9], [3, 4])
    assert index.select("a", num_frames=10) == ViewSelection([0, 9], [3, 4])
    with pytest.raises(IndexError, match="asks for frame 9 of scene 'a', which has 9 frames"):
        index.select("a", num_frames=9)
    with pytest.raises(ValueError, match=r"has no scene 'c'; it has 2 scenes \(a, b"):
        index.select("c")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("3", "an object or a list of scenes, got int"),
        ([{"context": [0], "target": [1]}], "entry 0 of .* has no 'scene'"),
        ([{"scene": "a", "context": [0], "target": [1]}] * 2, "several entries for the scene 'a'"),
        ({"a": [0, 1]}, "scene 'a' of .* needs 'context' and 'target'"),
        ({"a": {"context": [0]}}, "needs 'context' and 'target'"),
        ({"a": {"context": [], "target": [0]}}, "needs 'context' and 'target'"),
        ({"a": {"context": [0.5], "target": [0]}}, "frame numbers from 0 on"),
        ({"a": {"context": [-1], "target": [0]}}, "frame numbers from 0 on"),
        ({"a": {"context": [True], "target": [0]}}, "frame numbers from 0 on"),
    ],
)
def test_index_errors(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        write_index(tmp_path, content)


def test_index_file_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="no evaluation index"):
        EvaluationIndex(tmp_path / "index.json")


@pytest.mark.parametrize("views", [2, 4, 6])
def test_published_index(shared, views):
    index = EvaluationIndex(shared / "evaluation_index" / f"evaluation_idx_dl3dv_depthsplat_{views}v.json")
    assert len(index.scenes) == 140
    for scene in index.scenes:
        assert len(index.select(scene).context) == views


def test_frames_of_a_camera_that_stands_still_are_spread_over_time():
    c2w = torch.eye(4).repeat(9, 1, 1)
    times = torch.linspace(0.0, 1.0, 9)[torch.tensor([3, 7, 0, 4, 8, 1, 5, 2, 6])]
    chosen = times[spread_views(c2w, 3, times=times)].sort().values
    assert chosen[0] < 0.3
    assert abs(float(chosen[1]) - 0.5) < 0.15
    assert chosen[2] > 0.7


def test_times_are_covered_beside_cameras_and_equal_times_change_nothing():
    """Four cameras, each at two times."""
    c2w = torch.eye(4).repeat(8, 1, 1)
    c2w[:, 0, 3] = torch.tensor([0.0, 1.0, 2.0, 3.0] * 2)
    times = torch.tensor([0.0] * 4 + [1.0] * 4)
    first, second = spread_views(c2w, 2, times=times)
    assert times[first] != times[second]
    assert spread_views(c2w[:4], 2, times=torch.full((4,), 0.5)) == spread_views(c2w[:4], 2)
