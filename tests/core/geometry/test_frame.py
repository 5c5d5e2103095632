import pytest
import torch
from made.cameras import random_cameras, random_similarity

from tokengs_nerfstudio.core.geometry.frame import canonical_frame, local_frame
from tokengs_nerfstudio.core.types import Similarity


@pytest.mark.parametrize("frame", ["first", "middle", "mean"])
@pytest.mark.parametrize("rule", ["constant", "max_baseline", "distance", "bound"])
def test_canonical_frame_is_independent_of_world_units(frame: str, rule: str) -> None:
    c2w = random_cameras(5)
    cameras = canonical_frame(c2w, frame, rule).cameras(c2w)
    world = random_similarity()
    if rule == "constant":
        world = Similarity(world.rotation, world.translation, torch.ones_like(world.scale))
    elsewhere = world.cameras(c2w)
    torch.testing.assert_close(canonical_frame(elsewhere, frame, rule).cameras(elsewhere), cameras)


def test_largest_baseline_becomes_the_value() -> None:
    c2w = random_cameras(6)
    centers = canonical_frame(c2w, "first", "max_baseline", 2.0).cameras(c2w)[:, :3, 3]
    assert torch.cdist(centers, centers).max().item() == pytest.approx(2.0)


@pytest.mark.parametrize("frame", ["first", "middle", "mean"])
@pytest.mark.parametrize("rule", ["constant", "max_baseline", "distance", "bound"])
@pytest.mark.parametrize("count", [1, 3])
def test_coincident_cameras_give_a_finite_frame(frame: str, rule: str, count: int) -> None:
    c2w = random_cameras(1).expand(count, 4, 4)
    similarity = canonical_frame(c2w, frame, rule, 0.7)
    cameras = similarity.cameras(c2w)
    torch.testing.assert_close(cameras, torch.eye(4, dtype=torch.float64).expand(count, 4, 4))
    assert similarity.scale.item() == pytest.approx(0.7)


def test_mean_frame_of_cameras_facing_each_other() -> None:
    front = torch.eye(4, dtype=torch.float64)
    back = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64))
    rotation = canonical_frame(torch.stack([front, back]), "mean").rotation
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3, dtype=torch.float64))
    assert torch.linalg.det(rotation).item() == pytest.approx(1.0)


def test_unknown_names_are_named() -> None:
    with pytest.raises(ValueError, match="camera frame 'last'"):
        canonical_frame(random_cameras(2), "last")
    with pytest.raises(ValueError, match="scale rule 'median'"):
        canonical_frame(random_cameras(2), "first", "median")
    with pytest.raises(ValueError, match="at least one context camera"):
        canonical_frame(random_cameras(2)[:0])


@pytest.mark.parametrize("unit", [1e-20, 1e-7, 1e12])
@pytest.mark.parametrize("rule", ["max_baseline", "distance", "bound"])
def test_no_unit_counts_as_one_place(unit: float, rule: str) -> None:
    c2w = random_cameras(4)
    small = c2w.clone()
    small[:, :3, 3] *= unit
    expected = canonical_frame(c2w, "first", rule).cameras(c2w)
    torch.testing.assert_close(canonical_frame(small, "first", rule).cameras(small), expected, atol=1e-5, rtol=1e-4)


def test_local_frames_are_for_32_bits() -> None:
    c2w = random_cameras(4).double()
    far = c2w.clone()
    far[:, :3, 3] = far[:, :3, 3] * 1e-9 + 4.6e6
    for cameras in (c2w, far):
        local = local_frame(cameras)
        centers = local.cameras(cameras)[:, :3, 3]
        assert local.scale.log2() == local.scale.log2().round()
        assert not centers[0].any()
    assert 1 <= float(local_frame(c2w).cameras(c2w)[:, :3, 3].abs().max()) < 2
