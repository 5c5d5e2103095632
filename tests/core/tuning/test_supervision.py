"""Which photos a step sees."""

import torch
from made.scenes import arc_cameras, blobs, photos

from tokengs_nerfstudio.core.tuning.supervision import Supervision, most_typical_view


def test_every_view_is_served_once_before_any_comes_again_and_never_the_left_out_one() -> None:
    supervision = Supervision(photos(blobs(), arc_cameras(7)), [3], seed=0)
    served = torch.cat([supervision.next_indices(2) for _ in range(6)]).tolist()
    assert sorted(served[:6]) == sorted(served[6:]) == [0, 1, 2, 4, 5, 6]


def test_views_of_one_step_differ_even_across_rounds() -> None:
    supervision = Supervision(photos(blobs(), arc_cameras(3)), [], seed=0)
    for _ in range(20):
        assert len(set(supervision.next_indices(2).tolist())) == 2


def test_the_left_out_view_is_neither_a_twin_nor_an_outlier() -> None:
    c2w = arc_cameras(6)
    c2w[0, 0, 3] -= 30.0  # far away from all
    c2w[5] = c2w[4]  # twins
    assert most_typical_view(c2w) in (1, 2, 3)
