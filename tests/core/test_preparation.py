"""From photos in the world to what a network sees."""

import logging
from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos, small_network

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.preparation import prepare
from tokengs_nerfstudio.core.types import Example, Similarity, Views


def in_the_world(count: int = 4) -> Views:
    """Photos of 48 pixels whose cameras are somewhere, in some unit."""
    world = Similarity(torch.linalg.qr(torch.randn(3, 3))[0], torch.tensor([3.0, -1.0, 2.0]), torch.tensor(7.0))
    views = photos(blobs(), arc_cameras(count), size=48)
    return replace(views, c2w=world.cameras(views.c2w), depths=torch.ones_like(views.images[:, :1]))


def test_context_and_targets_come_into_one_frame_the_context_at_the_networks_size() -> None:
    views, network = in_the_world(), small_network()
    scene = prepare(network, Example(views.select([0, 2]), views))
    context, target = scene.example.context, scene.example.target
    assert (context.height, context.width) == (32, 32)
    assert (target.height, target.width) == (48, 48)
    torch.testing.assert_close(context.c2w, target.c2w[[0, 2]])
    torch.testing.assert_close(scene.to_canonical.inverse().cameras(target.c2w), views.c2w, atol=1e-4, rtol=1e-4)
    # The largest baseline of the context is 1 to this network; depths follow.
    assert float((context.c2w[0, :3, 3] - context.c2w[1, :3, 3]).norm()) == pytest.approx(1.0, abs=1e-4)
    assert target.depths is not None
    assert float(target.depths[0, 0, 0, 0]) == pytest.approx(float(scene.to_canonical.scale))


def test_a_scale_can_be_given() -> None:
    views = in_the_world()
    assert float(prepare(small_network(), Example(views, views), scale=0.25).to_canonical.scale) == 0.25
    with pytest.raises(ValueError, match=r"scale is 0\.0; a number from 1e-12"):
        prepare(small_network(), Example(views, views), scale=0.0)
    for scale in (1e-9, 1e9):
        with pytest.raises(ValueError, match="nothing would be seen; leave the scale out"):
            prepare(small_network(), Example(views, views), scale=scale)


def test_weights_that_know_time_take_photos_without_for_one_moment_and_say_so(caplog) -> None:
    network, views = small_network(dynamic_tokens=8, time_channels=2), in_the_world()
    with caplog.at_level(logging.WARNING):
        scene = prepare(network, Example(views, views))
    assert "one moment" in caplog.text
    assert scene.example.target.times is not None
    assert scene.example.target.times.tolist() == [0.0] * 4
    assert scene.times == (0.0,)


def test_a_scene_is_baked_at_distinct_times_that_are_few_and_reach_both_ends() -> None:
    network, views = small_network(dynamic_tokens=8, time_channels=2), in_the_world(4)
    some = replace(views, times=torch.tensor([0.5, 0.0, 0.5, 0.25]))
    assert prepare(network, Example(some, some)).times == (0.0, 0.25, 0.5)
    many = in_the_world(40)
    many = replace(many, times=torch.linspace(0, 1, 40))
    times = prepare(network, Example(many.select([0, 20]), many)).times
    assert (len(times), times[0], times[-1]) == (32, 0.0, 1.0)
    assert list(times) == sorted(set(times))


def test_weights_that_know_no_time_have_none() -> None:
    views = replace(in_the_world(), times=torch.linspace(0, 1, 4))
    assert prepare(small_network(), Example(views, views)).times == ()


@pytest.mark.usefixtures("no_shape_checks")
def test_what_is_not_one_scenes_photos_is_named() -> None:
    views = in_the_world()
    with pytest.raises(UserError, match=r"takes an Example\(context, target\) of Views, got a Views"):
        prepare(small_network(), views)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"target\.images must be one scene's"):
        prepare(small_network(), Example(views, views.unsqueeze()))
