import torch
from made.training import random_views

from tokengs_nerfstudio.core.geometry.mirror import mirrored, mirrored_scenes
from tokengs_nerfstudio.core.geometry.rays import project


def test_mirrored_views_show_the_mirrored_world() -> None:
    views = random_views(1, 3).squeeze()
    other = mirrored(views)
    points = torch.randn(1, 6, 3)[0] + torch.tensor([0.0, 0.0, 4.0])
    flipped = points * torch.tensor([-1.0, 1.0, 1.0])
    pixels, depth = project(points, views.c2w, views.intrinsics)
    there, depth_there = project(flipped, other.c2w, other.intrinsics)
    torch.testing.assert_close(depth_there, depth)
    torch.testing.assert_close(there[..., 1], pixels[..., 1], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(there[..., 0], 16 - pixels[..., 0], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(other.images[..., 0], views.images[..., -1])
    assert bool((torch.linalg.det(other.c2w[:, :3, :3]) > 0.99).all())
    twice = mirrored(other)
    for ours, theirs in ((twice.images, views.images), (twice.c2w, views.c2w), (twice.intrinsics, views.intrinsics)):
        torch.testing.assert_close(ours, theirs)


def test_only_the_chosen_scenes_are_mirrored() -> None:
    views = random_views(2)
    mixed = mirrored_scenes(views, torch.tensor([False, True]))
    torch.testing.assert_close(mixed.images[0], views.images[0])
    torch.testing.assert_close(mixed.c2w[0], views.c2w[0])
    torch.testing.assert_close(mixed.images[1], views.images[1].flip(-1))
    assert float(mixed.intrinsics[1, 0, 0, 2]) == 16 - 7.0
