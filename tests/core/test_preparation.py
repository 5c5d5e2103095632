"""From photos in the world to what a network sees."""

import logging
from dataclasses import replace

import pytest
import torch
from made.cameras import random_similarity
from made.cut_outs import cut_out_views
from made.scenes import arc_cameras, blobs, photos, small_network
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.turntable import object_size
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import moments_of, prepare
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


def around_an_object() -> tuple[TokenGSNetwork, Views]:
    """Weights for single objects, and photos of one whose masks say where it is."""
    settings = {"head": "bounded", "frame": "orbit", "scale": "constant", "z_offset": 0.0, "background": 1.0}
    cut = cut_out_views(8)
    assert cut.alphas is not None
    solid = (cut.alphas > 0.5).float()
    return small_network(**settings), replace(cut, alphas=None, masks=solid)


def test_to_weights_of_single_objects_what_masks_hide_is_nothing_before_their_background() -> None:
    network, views = around_an_object()
    scene = prepare(network, Example(views.select([0, 2, 4, 6]), views))
    target = scene.example.target
    assert target.masks is None
    assert target.alphas is not None
    hidden = views.masks == 0
    assert torch.equal(target.alphas == 0, hidden)
    assert (target.images.masked_select(hidden) == 1).all()
    torch.testing.assert_close(target.images.masked_select(~hidden), views.images.masked_select(~hidden))
    assert scene.example.context.alphas is not None
    # The object is one unit long, at the origin; the first camera looks at it from the front.
    assert float(target.c2w[0, 2, 3]) == pytest.approx(-float(scene.to_canonical.scale) * 10**0.5, rel=1e-3)
    assert target.c2w[0, :2, 3].abs().max() < 1e-3
    assert object_size(scene.example.context) == pytest.approx(1.0, rel=1e-3)
    both = replace(views, alphas=torch.full_like(views.images[:, :1], 0.7))
    again = prepare(network, Example(both, both)).example.target.alphas
    assert again is not None
    assert torch.equal(again == 0, hidden)
    assert float(again.max()) == pytest.approx(0.7)


def test_objects_that_nothing_cuts_out_are_warned_of(caplog) -> None:
    network, views = around_an_object()
    opaque = replace(views, masks=None)
    with caplog.at_level(logging.WARNING):
        prepare(network, Example(views, views))
        assert not caplog.records
        prepare(network, Example(opaque, opaque))
    assert "Give photos with an alpha channel, or a `mask_path`" in caplog.text


def test_other_weights_leave_masks_as_they_are() -> None:
    _, views = around_an_object()
    masks = prepare(small_network(), Example(views, views)).example.target.masks
    assert masks is not None
    assert torch.equal(masks, views.masks)


@pytest.mark.parametrize(
    ("times", "count", "expected"),
    [
        ([0.5, 0.0, 0.5, 1.0], None, (0.0, 0.5, 1.0)),
        ([0.0, 0.25, 0.5, 0.75, 1.0], 3, (0.0, 0.5, 1.0)),
        ([0.0, 0.5, 1.0], 4, (0.0, 0.25, 0.5, 1.0)),
        ([0.0, 0.25, 1.0], 5, (0.0, 0.25, 0.4375, 0.625, 1.0)),
        ([0.5, 0.5], 8, (0.5,)),
    ],
)
def test_as_many_moments_as_asked_for(times, count, expected) -> None:
    """The photos' own, then the middles of the widest gaps; a scene of one moment has no more."""
    assert moments_of(torch.tensor(times), count) == expected


def test_more_than_the_usual_moments_can_be_asked_for() -> None:
    assert len(moments_of(torch.linspace(0, 1, 100), 100)) == 100


def test_cameras_that_stay_leave_the_scene_to_the_bit() -> None:
    views, network = in_the_world(), small_network()
    scene = prepare(network, Example(views, views))
    assert scene.alignment(scene.example.target.c2w.clone()) is None
    assert scene.following(scene.example.target.c2w.clone()) is scene


def test_a_scene_that_moved_with_its_cameras_is_placed_where_it_was() -> None:
    views, network = in_the_world(), small_network()
    scene = prepare(network, Example(views, views))
    there = random_similarity().map(Tensor.float)
    placed = scene.following(there.cameras(scene.example.target.c2w))
    points = torch.randn(5, 3)
    moved = there.points(scene.to_canonical.points(points))
    torch.testing.assert_close(placed.to_canonical.inverse().points(moved), points, atol=1e-3, rtol=1e-3)
    assert placed.example is scene.example
