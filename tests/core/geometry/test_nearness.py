"""How far cameras are apart."""

import math

import torch

from tokengs_nerfstudio.core.geometry.nearness import apart


def test_places_count_in_spreads_and_directions_as_often_as_asked() -> None:
    c2w = torch.eye(4).repeat(3, 1, 1)
    c2w[:, 0, 3] = torch.tensor([-3.0, 0.0, 3.0])  # 2 from their middle in the mean
    distances = apart(c2w, direction=5.0)
    assert distances.diagonal().tolist() == [math.inf] * 3
    torch.testing.assert_close(distances[0, 1:], torch.tensor([1.5, 3.0]))
    c2w[1, :3, :3] = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
    turned = apart(c2w, direction=5.0)
    torch.testing.assert_close(turned[0, 1], torch.tensor(math.hypot(1.5, 10.0)))
    torch.testing.assert_close(apart(c2w * torch.tensor([1, 1, 1, 100.0]), direction=5.0), turned)


def test_cameras_in_one_place_are_no_distance_apart() -> None:
    distances = apart(torch.eye(4).repeat(2, 1, 1), direction=1.0)
    assert distances[0, 1] == 0
