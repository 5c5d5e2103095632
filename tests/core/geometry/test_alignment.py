"""The similarity between cameras and the same ones elsewhere."""

import math

import pytest
import torch
from made.cameras import random_cameras, random_similarity
from made.points import shaken
from made.scenes import arc_cameras

from tokengs_nerfstudio.core.geometry.alignment import alignment
from tokengs_nerfstudio.core.rotation import rigid_motion
from tokengs_nerfstudio.core.types import Similarity


@pytest.mark.parametrize("count", [1, 2, 7])
def test_cameras_that_moved_together_tell_how(count: int) -> None:
    cameras, there = random_cameras(count), random_similarity().map(lambda value: value.double())
    found = alignment(cameras, there.cameras(cameras))
    torch.testing.assert_close(found.similarity.cameras(cameras), there.cameras(cameras))
    if count > 1:
        torch.testing.assert_close(found.similarity.scale, there.scale)


def test_cameras_on_a_line_that_look_one_way_are_enough() -> None:
    cameras = torch.eye(4).double().repeat(5, 1, 1)
    cameras[:, 0, 3] = torch.arange(5.0)
    there = random_similarity().map(lambda value: value.double())
    found = alignment(cameras, there.cameras(cameras)).similarity
    torch.testing.assert_close(found.rotation, there.rotation)
    torch.testing.assert_close(found.scale, there.scale)


def test_cameras_in_one_place_only_turn() -> None:
    one = arc_cameras(1).double()
    cameras = one @ rigid_motion(torch.rand(4, 3).double(), torch.zeros(4, 3).double())
    turned = Similarity.identity(dtype=torch.float64)
    turned = Similarity(rigid_motion(torch.tensor([[0.1, 0.2, 0.3]]).double(), torch.zeros(1, 3))[0, :3, :3], *(
        turned.translation + 1, turned.scale
    ))  # fmt: skip
    found = alignment(cameras, turned.cameras(cameras))
    assert float(found.similarity.scale) == 1.0
    torch.testing.assert_close(found.similarity.cameras(cameras), turned.cameras(cameras))
    assert found.degrees == pytest.approx(math.degrees(math.sqrt(0.14)))


def test_a_few_wrong_cameras_do_not_count() -> None:
    """Three of ten are off by five degrees, the others by a hundredth of one: so is the similarity."""
    right = arc_cameras(10).double()
    found = shaken(right, 0.01)
    wrong = right.clone()
    wrong[[0, 4, 5]] = shaken(right, 5.0)[[0, 4, 5]]
    assert alignment(wrong, found).degrees < 0.02
    assert alignment(wrong, found).shift < 2e-4
    assert "turned by 0.0" in alignment(wrong, found).text
