"""Photos are known by their cameras."""

import pytest
from made.scenes import arc_cameras

from tokengs_nerfstudio.core.geometry.twins import same_cameras


@pytest.mark.parametrize("count", [5, 40])
@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_cameras_are_found_among_others_and_no_neighbours(count, offset):
    cameras = arc_cameras(count)
    cameras[:, :3, 3] += offset
    same = same_cameras(cameras[[3, 1]], cameras)
    assert same.nonzero().tolist() == [[0, 3], [1, 1]]
    turned = cameras[[1]]
    turned[0, :3, :2] *= -1
    assert not same_cameras(turned, cameras).any()
