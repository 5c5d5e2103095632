import math

import torch
from made.walls import SIZE, wall

from tokengs_nerfstudio.core.geometry.footprint import pixel_widths


def test_a_pixel_is_as_wide_as_its_depth_over_the_focal_length_and_the_nearest_camera_counts():
    views = wall([(0.0, 0.0), (0.1, 0.0)])
    views.c2w[0, 1, 2, 3] = 1.0  # the second camera stands one unit further on
    points = torch.tensor([[[0.0, 0.0, 2.0], [0.0, 0.0, -1.0], [50.0, 0.0, 2.0], [0.8, 0.0, 2.0]]])
    widths = pixel_widths(points, views)
    torch.testing.assert_close(widths, torch.tensor([[1.0 / SIZE, 0.0, 0.0, 2.0 / SIZE]]))


def test_scenes_of_a_batch_are_measured_by_themselves_and_by_any_unit():
    first, second = wall([(0.0, 0.0)]), wall([(0.0, 0.0)])
    second.c2w[..., :3, 3] -= torch.tensor([0.0, 0.0, 2.0])
    points = torch.tensor([[0.1, 0.2, 2.0]])
    both = pixel_widths(points.expand(2, 1, 3), type(first).cat([first, second]))
    torch.testing.assert_close(both[:, 0], torch.tensor([2.0, 4.0]) / SIZE)
    second.c2w[..., :3, 3] *= 1e-9
    assert math.isclose(float(pixel_widths(1e-9 * points, second[0])[0]), 4e-9 / SIZE, rel_tol=1e-5)
