"""What a camera looks at."""

import numpy as np

from tokengs_nerfstudio.core.geometry.looking import distance_seen

AHEAD = np.array([0.0, 0.0, 1.0])


def test_the_median_of_what_is_near_the_axis_and_before_the_camera():
    points = np.array([[0, 0, 2.0], [0.1, 0, 3.0], [0, -0.2, 9.0], [5.0, 0, 1.0], [0, 0, -7.0], [0, 0, -8.0]])
    assert distance_seen(np.zeros(3), AHEAD, points) == 3
    assert distance_seen(np.array([0, 0, 10.0]), -AHEAD, points[:3]) == 7


def test_one_where_nothing_is_seen():
    assert distance_seen(np.zeros(3), AHEAD, -AHEAD[None]) == 1
    assert distance_seen(np.zeros(3), AHEAD, np.zeros((0, 3))) == 1
