"""Gaussians at several times and in between."""

from dataclasses import fields, replace

import pytest
import torch
from made.scenes import blobs

from tokengs_nerfstudio.core.baking import Motion
from tokengs_nerfstudio.core.types import Gaussians


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
