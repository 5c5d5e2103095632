from dataclasses import replace

import pytest
import torch
from made.training import random_views

from tokengs_nerfstudio.core.geometry.frame import FrameRule
from tokengs_nerfstudio.core.geometry.rays import project
from tokengs_nerfstudio.core.types import Example, Views


def test_a_moved_example_keeps_what_cameras_see() -> None:
    """Points moved with the cameras stay on their pixels; the largest context distance is the value asked for."""
    views = random_views(2, 5)
    depth = torch.rand(2, 2, 1, 16, 16)
    context, target = views.select([0, 1, 2]), replace(views.select([3, 4]), depths=depth)
    moved_example = Example(context, target).moved(FrameRule("middle", "max_baseline", 1.5).of(context.c2w))
    centres = moved_example.context.c2w[..., :3, 3]
    apart = (centres[:, :, None] - centres[:, None]).norm(dim=-1).flatten(1).amax(1)
    torch.testing.assert_close(apart, torch.full((2,), 1.5))
    world, moved = views.c2w[:, 3:, :3, 3], moved_example.target.c2w[:, :, :3, 3]
    ahead_world, ahead_moved = target.c2w[..., :3, 2], moved_example.target.c2w[..., :3, 2]
    old = (views.c2w[:, :3, None, :3, 3] - views.c2w[:, None, :3, :3, 3]).norm(dim=-1).flatten(1).amax(1)
    factor = (1.5 / old)[:, None, None]
    pixels, distance = project(world + 2.0 * ahead_world, context.c2w, context.intrinsics)
    again, depth_again = project(moved + 2.0 * factor * ahead_moved, moved_example.context.c2w, context.intrinsics)
    sound = distance.abs() > 0.3
    torch.testing.assert_close(again[sound], pixels[sound], atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(depth_again, distance * factor, atol=1e-5, rtol=1e-4)
    assert moved_example.target.depths is not None
    torch.testing.assert_close(moved_example.target.depths, depth * factor[..., None, None])


def still(times: list[float], target: list[float]) -> Example:
    def views(moments: list[float]) -> Views:
        count = len(moments)
        pose = torch.eye(4).expand(count, 4, 4)
        return Views(torch.zeros(count, 3, 8, 8), pose, torch.eye(3).expand(count, 3, 3), torch.tensor(moments))

    return Example(views(times), views(target))


@pytest.mark.parametrize(
    ("times", "target", "found"),
    [
        ([0.25, 0.5, 0.75], [0.5], ([0, 0.5, 1], [0.5])),
        ([0.5, 0.25], [0.75, 0.75], ([0.5, 0], [1, 1])),
        ([0.3, 0.3], [0.3], ([0, 0], [0])),
        ([7.0], [9.0], ([0], [1])),
    ],
)
def test_times_of_an_example_run_from_0_to_1(times, target, found):
    example = still(times, target).in_its_times()
    assert example.context.times.tolist() == pytest.approx(found[0])
    assert example.target.times.tolist() == pytest.approx(found[1])
    bare = Example(replace(example.context, times=None), example.target).in_its_times()
    assert bare.context.times is bare.target.times is None
