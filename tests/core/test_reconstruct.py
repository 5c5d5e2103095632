"""Photos in the world to Gaussians in the world, in one call."""

from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import tuning_config

from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.geometry.resize import crop_and_resize
from tokengs_nerfstudio.core.reconstruct import reconstruct, reconstruct_scene
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.types import Example, Similarity, Views


def test_weights_that_know_time_take_photos_without() -> None:
    network, views = small_network(dynamic_tokens=8, time_channels=2), photos(blobs(), arc_cameras(3), size=48)
    assert reconstruct(network, views).count == 40 * 8


def test_a_scene_that_moves_comes_at_all_its_times_and_alone_at_the_first() -> None:
    network = small_network(dynamic_tokens=8, time_channels=2)
    torch.nn.init.normal_(network.target_time_embedding.conv.weight, std=1.0)  # type: ignore[union-attr]
    views = photos(blobs(), arc_cameras(3), size=48)
    views = replace(views, times=torch.tensor([0.0, 0.5, 1.0]))
    config = tuning_config(space="tokens", rule="steps")
    baked = reconstruct_scene(network, Example(views, views), config, steps=2)
    assert baked.times == [0.0, 0.5, 1.0]
    assert baked.motion is not None
    # The dynamic tokens' Gaussians move, the static ones' stand still.
    assert baked.motion.moving.min() >= 32 * 8
    assert not torch.equal(baked.at(1.0).means, baked.at(0.0).means)
    torch.testing.assert_close(reconstruct(network, views, config, steps=2).means, baked.at(0.0).means)


def test_what_is_tuned_antialiased_is_baked_to_be_rendered_so() -> None:
    network, views = small_network(), photos(blobs(), arc_cameras(4), size=48)
    config = tuning_config(space="gaussians", rule="steps")
    example = Example(views, views)
    classic, ours = (reconstruct_scene(network, example, config, 3, antialiased=mode) for mode in (False, True))
    assert (classic.rendering.antialiased, ours.rendering.antialiased) == (False, True)
    assert not torch.equal(classic.at().means, ours.at().means)
    feed_forward = [reconstruct(network, views, antialiased=mode) for mode in (False, True)]
    assert torch.equal(feed_forward[0].means, feed_forward[1].means)


def test_planes_follow_into_the_world() -> None:
    network, views = small_network(near=0.02, far=50.0), photos(blobs(), arc_cameras(4), size=48)
    large = replace(views, c2w=views.c2w.clone())
    large.c2w[:, :3, 3] *= 10
    near, far = (reconstruct_scene(network, Example(v, v), steps=0).rendering for v in (views, large))
    assert far.near / near.near == pytest.approx(10.0, rel=1e-3)
    assert far.far / near.far == pytest.approx(10.0, rel=1e-3)


def test_reconstruct_returns_to_the_world_frame() -> None:
    network = small_network()
    turn = torch.linalg.qr(torch.randn(3, 3))[0]
    turn = turn * turn.det().sign()
    world = Similarity(turn, torch.tensor([3.0, -1.0, 2.0]), torch.tensor(2.5)).inverse()
    flat = photos(blobs(), arc_cameras(4), size=48)
    context = replace(flat, c2w=world.cameras(flat.c2w))
    frame = canonical_frame(context.c2w, network.config.frame, network.config.scale, network.config.scale_value)
    inputs = crop_and_resize(context, *network.config.input_size(48, 48))
    with torch.no_grad():
        canonical = network.decode(network.encode(replace(inputs, c2w=frame.cameras(inputs.c2w)).unsqueeze()))
    expected = canonical.squeeze().transformed(frame.inverse())
    result = reconstruct(network, context)
    torch.testing.assert_close(result.means, expected.means)
    torch.testing.assert_close(result.scales, expected.scales)


@pytest.mark.parametrize("scale", ["pointmap", "constant"])
def test_weights_of_a_fixed_scale_take_captures_in_any_units(scale: str) -> None:
    network = small_network(scale=scale)
    near = photos(blobs(), arc_cameras(3), size=32)
    c2w = near.c2w.clone()
    c2w[:, :3, 3] *= 10
    far = replace(near, c2w=c2w)
    torch.testing.assert_close(reconstruct(network, far).means, 10 * reconstruct(network, near).means)


UTM = (500_123.4, 4_649_776.2, 121.3)


def moved(views: Views, unit: float, offset: tuple[float, float, float]) -> Views:
    c2w = views.c2w.double()
    c2w[:, :3, 3] = c2w[:, :3, 3] * unit + torch.tensor(offset, dtype=torch.float64)
    return replace(views, c2w=c2w)


@pytest.mark.parametrize(("unit", "offset"), [(10.0, UTM), (1e-9, (0.0, 0.0, 0.0)), (1e25, (0.0, 0.0, 0.0))])
@pytest.mark.parametrize("scale", ["max_baseline", "constant"])
def test_any_world_of_64_bits_gives_the_same_scene(unit, offset, scale) -> None:
    network, views = small_network(scale=scale), photos(blobs(), arc_cameras(3), size=48)
    plain, far = reconstruct(network, views), reconstruct(network, moved(views, unit, offset))
    assert far.means.dtype == torch.float64
    back = (far.means - torch.tensor(offset, dtype=torch.float64)) / unit
    torch.testing.assert_close(back.float(), plain.means, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(far.scales / unit, plain.scales, atol=1e-6, rtol=1e-3)
    torch.testing.assert_close(far.opacities, plain.opacities, atol=1e-4, rtol=0)


def test_tuning_and_pictures_far_from_the_origin() -> None:
    network, views = small_network(), photos(blobs(), arc_cameras(3), size=48)
    far = moved(views, 1.0, UTM)
    config = tuning_config(space="tokens", rule="steps")
    pictures = []
    for each in (views, far):
        splats = reconstruct(network, each, config, steps=3)
        pictures.append(render(splats, each.c2w, each.intrinsics, 48, 48).rgb)
    torch.testing.assert_close(pictures[0], pictures[1], atol=1e-2, rtol=0)
