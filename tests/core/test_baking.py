"""Gaussians at several times and in between."""

from dataclasses import fields, replace

import pytest
import torch
from made.moving import CONTEXT, moving_network, photos_at
from made.scenes import blobs
from made.tuning import ready

from tokengs_nerfstudio.core.baking import BakedScene, Motion, bake
from tokengs_nerfstudio.core.evaluation import view_psnr
from tokengs_nerfstudio.core.types import Example, Gaussians, RenderConfig


def moved(gaussians: Gaussians, moving: list[int], step: float) -> Gaussians:
    """Some of the Gaussians farther along x, paler and turned the longer way round to nearly the same rotation."""
    means, colors, quats = gaussians.means.clone(), gaussians.colors.clone(), gaussians.quats.clone()
    means[moving, 0] += step
    colors[moving] = colors[moving] * (1 - 0.1 * step)
    quats[moving] = -quats[moving]
    return replace(gaussians, means=means, colors=colors, quats=quats)


def a_motion() -> tuple[Motion, list[Gaussians]]:
    first = blobs(10)
    bakes = [first, moved(first, [2, 7], 1.0), moved(first, [2, 7], 4.0)]
    motion = Motion.between([0.0, 0.5, 0.75], bakes)
    assert motion is not None
    return motion, bakes


def same(first: Gaussians, second: Gaussians) -> None:
    for field in fields(Gaussians):
        torch.testing.assert_close(getattr(first, field.name), getattr(second, field.name), msg=field.name)


def test_only_what_moves_is_kept():
    motion, _ = a_motion()
    assert motion.moving.tolist() == [2, 7]
    assert motion.states.means.shape == (3, 2, 3)


@pytest.mark.parametrize(("time", "index"), [(0.0, 0), (0.5, 1), (0.75, 2), (-1.0, 0), (9.0, 2)])
def test_at_its_own_times_and_beyond_them_a_scene_is_what_was_baked(time, index):
    motion, bakes = a_motion()
    shown = motion.applied(bakes[0], time)
    same(shown, replace(bakes[index], quats=shown.quats))
    alike = (shown.quats * bakes[index].quats).sum(-1).abs()
    torch.testing.assert_close(alike, torch.ones(10))


def test_in_between_is_linear_and_turns_the_short_way():
    motion, bakes = a_motion()
    shown = motion.applied(bakes[0], 0.6)
    torch.testing.assert_close(shown.means[2], bakes[0].means[2] + torch.tensor([1 + 0.4 * 3.0, 0.0, 0.0]))
    torch.testing.assert_close(shown.colors[7], bakes[1].colors[7].lerp(bakes[2].colors[7], 0.4))
    same(shown.select(torch.tensor([0, 1, 3])), bakes[0].select(torch.tensor([0, 1, 3])))
    # All bakes have the same rotations, with one sign or the other.
    torch.testing.assert_close((shown.quats * bakes[0].quats).sum(-1), torch.ones(10))


def test_quaternions_in_between_are_of_unit_length():
    first = blobs(4)
    turned = replace(first, quats=first.quats.roll(1, dims=-1))
    motion = Motion.between([0.0, 1.0], [first, turned])
    assert motion is not None
    torch.testing.assert_close(motion.applied(first, 0.5).quats.norm(dim=-1), torch.ones(4))


def test_a_scene_that_stands_still_has_no_motion():
    assert Motion.between([0.0, 1.0], [blobs(4), blobs(4)]) is None


def test_turning_in_between_is_even():
    """A third of the way a Gaussian has turned by a third of the angle; means of quaternions have not."""
    angle = torch.tensor(150.0).deg2rad() / 2
    turned = torch.stack([angle.cos(), torch.zeros(()), torch.zeros(()), angle.sin()])
    first = replace(blobs(1), quats=torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    motion = Motion.between([0.0, 1.0], [first, replace(first, quats=turned[None])])
    assert motion is not None
    third = (angle / 3).cos(), (angle / 3).sin()
    torch.testing.assert_close(motion.applied(first, 1 / 3).quats[0, [0, 3]], torch.stack(third))


def test_who_moves_and_by_how_much_from_one_time_to_another():
    motion, bakes = a_motion()
    scene = BakedScene(bakes[0], motion)
    assert scene.moving.nonzero()[:, 0].tolist() == [2, 7]
    gone = scene.displacement(0.25, 0.75)
    torch.testing.assert_close(gone[[2, 7]], torch.tensor([[3.5, 0.0, 0.0]]).expand(2, 3))
    assert gone[[0, 1, 3]].abs().max() == 0
    assert not BakedScene(bakes[0]).moving.any()
    assert BakedScene(bakes[0]).displacement(0.0, 1.0).abs().max() == 0


@pytest.mark.parametrize(
    ("time", "following"),
    [(None, 0.5), (-1.0, 0.0), (0.0, 0.5), (0.3, 0.5), (0.5 - 1e-7, 0.75), (0.75, None), (2.0, None)],
)
def test_the_next_time_is_the_first_one_later(time, following):
    motion, bakes = a_motion()
    assert BakedScene(bakes[0], motion).next_time(time) == following
    assert BakedScene(bakes[0]).next_time(time) is None


def test_memory_is_that_of_what_moves_at_all_times():
    motion, bakes = a_motion()
    assert BakedScene(bakes[0], motion).memory == 3 * 2 * 14 * 4
    assert BakedScene(bakes[0]).memory == 0


def test_any_times_can_be_baked_but_a_scene_that_stands_still_is_baked_once():
    asked = []

    def splats_at(time: float | None) -> Gaussians:
        asked.append(time)
        return moved(blobs(10), [2], time or 0.0)

    moving = ready(CONTEXT, times=(0.0, 1.0))
    scene = bake(splats_at, moving, RenderConfig(), [0.75, 0.25, 0.5, 0.25])
    assert asked == [0.25, 0.5, 0.75] == scene.times
    asked.clear()
    assert bake(splats_at, ready(CONTEXT), RenderConfig(), [0.25, 0.5]).motion is None
    assert asked == [None]


def test_in_between_a_scene_that_really_moves_looks_as_if_decoded_for_that_time():
    """Less than half a decibel against the truth is lost where it would cost one and more to stand still."""
    network, photos = moving_network(), photos_at([0.0, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 1.0], cameras=3)
    with torch.no_grad():
        memory = network.encode(CONTEXT.unsqueeze())
    scene, rendering = (
        ready(CONTEXT, photos, times=(0.0, 0.33, 0.67, 1.0)),
        network.config.rendering(Example(CONTEXT, photos)),
    )
    baked = bake(lambda time: network.decode(memory, time=time).squeeze(), scene, rendering)

    def scores(splats_at) -> torch.Tensor:
        views = [photos.select([place]) for place in range(photos.num_views)]
        return torch.cat([view_psnr(splats_at(float(view.times)), view, rendering) for view in views])

    decoded, between = (scores(at) for at in (lambda time: network.decode(memory, time=time).squeeze(), baked.at))
    assert (decoded - between).abs().max() < 0.5
    still = scores(lambda time: baked.at(0.5))
    assert (decoded - still).mean() > 1.0
    # Nothing is so near the limit that any way from one time to the next would do.
    ends = BakedScene(baked.at(0.0), Motion.between([0.0, 1.0], [baked.at(0.0), baked.at(1.0)]))
    assert (decoded - scores(ends.at)).max() > (decoded - between).max()
