from dataclasses import replace

import pytest
import torch
from made.cut_outs import cut_out_views
from made.scenes import small_network

from tokengs_nerfstudio.core.geometry.frame import canonical_frame
from tokengs_nerfstudio.core.geometry.turntable import object_size
from tokengs_nerfstudio.core.metrics import psnr
from tokengs_nerfstudio.core.network.initial import InitialValues
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.scale_search import LADDER, _searched, choose_scale, needs_search
from tokengs_nerfstudio.core.types import Similarity, Views

SIZE = 32


@pytest.fixture
def network(small_config):
    """Weights of a constant scale, whose Gaussians fill the view in front of the canonical camera."""
    config = replace(
        small_config, tokens=64, gaussians_per_token=8, scale="constant", scale_value=0.15, scale_cap=0.4,
        z_offset=2.0, opacity_bias=0.0, near=0.01, far=1e10,
    )  # fmt: skip
    initial = InitialValues(token_std=0.5, head_std=0.3, quaternion_w=1.0, decoder_scale=0.3)
    return TokenGSNetwork(config, initial=initial).eval()


@pytest.fixture
def cameras():
    """Three cameras one behind another and side by side, in a frame of arbitrary place and units."""
    c2w = torch.eye(4).repeat(3, 1, 1)
    c2w[:, :3, 3] = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.2, 0.0], [0.4, -0.3, 0.5]])
    focal = 0.8 * SIZE
    intrinsics = torch.tensor([[focal, 0.0, SIZE / 2], [0.0, focal, SIZE / 2], [0.0, 0.0, 1.0]]).expand(3, 3, 3)
    return c2w, intrinsics


def in_units(c2w, factor):
    scaled = c2w.clone()
    scaled[:, :3, 3] *= factor
    return scaled


@torch.no_grad()
def shown(network, views, frame):
    """The scene rendered from the context cameras, through the world frame."""
    canonical = Views(views.images, frame.cameras(views.c2w), views.intrinsics, views.times).unsqueeze()
    time = 0.5 if network.config.time_channels else None
    world = network.decode(network.encode(canonical), time=time).squeeze().transformed(frame.inverse())
    near = 0.01 / frame.scale.item()
    return render(world, views.c2w, views.intrinsics, SIZE, SIZE, near=near, depth=False).rgb


@pytest.mark.parametrize("size", [LADDER[1], LADDER[4]])
def test_finds_the_size_the_photos_were_made_at(network, cameras, size):
    c2w, intrinsics = cameras
    with torch.no_grad():
        for block in network.decoder:
            block.cross_scale.zero_()  # the scene no longer depends on the photos, so the right answer is known
    blank = Views(torch.full((3, 3, SIZE, SIZE), 0.5), c2w, intrinsics)
    truth = canonical_frame(c2w, "first", "max_baseline", size)
    photos = Views(shown(network, blank, truth).clamp(0, 1), in_units(c2w, 7.0), intrinsics)
    assert photos.images.std() > 0.05
    found = choose_scale(network, photos)
    torch.testing.assert_close(found.scale, truth.scale / 7.0)


@pytest.mark.parametrize("rule", ["constant", "pointmap", "max_baseline", "distance", "bound"])
def test_the_units_of_a_capture_do_not_matter(network, cameras, rule):
    network.config = replace(network.config, scale=rule)
    assert needs_search(network) == (rule in ("constant", "pointmap"))
    c2w, intrinsics = cameras
    target = torch.rand(3, 3, SIZE, SIZE)
    scores = []
    for factor in (0.1, 1.0, 10.0):
        views = Views(target, in_units(c2w, factor), intrinsics)
        scores.append(psnr(shown(network, views, choose_scale(network, views)), target).mean())
    assert max(scores) - min(scores) < 0.02


def test_the_search_sees_a_few_photos_of_half_the_side(network, cameras, monkeypatch):
    c2w, intrinsics = (value.repeat(3, 1, 1) for value in cameras)
    looked_at = []
    encode = network.encode
    monkeypatch.setattr(network, "encode", lambda views: looked_at.append(views) or encode(views))
    choose_scale(network, Views(torch.rand(9, 3, 40, 64), c2w, intrinsics), ladder=(0.2, 0.4))
    assert [tuple(views.images.shape) for views in looked_at] == [(1, 6, 3, 16, 32)] * 2
    assert float(looked_at[0].intrinsics[0, 0, 0, 0]) == pytest.approx(float(intrinsics[0, 0, 0]) * 16 / 32)


@pytest.mark.parametrize("best", range(7))
def test_every_second_size_and_the_best_ones_neighbours_are_tried(best):
    tried = []
    scores = _searched([float(size) for size in range(7)], lambda size: tried.append(size) or -abs(size - best))
    assert max(scores, key=scores.__getitem__) == best
    assert len(tried) == len(set(tried)) == len(scores) <= 5


def test_a_ladder_of_one_size_is_tried():
    assert _searched([0.4], lambda size: size) == {0.4: 0.4}


def test_networks_with_time_are_judged_at_each_photos_time(network, cameras):
    timed = TokenGSNetwork(replace(network.config, dynamic_tokens=4, time_channels=2))
    c2w, intrinsics = cameras
    views = Views(torch.rand(3, 3, SIZE, SIZE), c2w, intrinsics, torch.tensor([0.0, 0.5, 1.0]))
    assert isinstance(choose_scale(timed, views, ladder=(0.2, 0.4)), Similarity)


def test_one_camera_is_enough(network, cameras):
    c2w, intrinsics = cameras
    views = Views(torch.rand(1, 3, SIZE, SIZE), c2w[:1], intrinsics[:1])
    assert any(choose_scale(network, views).scale.item() == pytest.approx(size) for size in LADDER)


def test_impossible_ladders_are_refused(network, cameras):
    c2w, intrinsics = cameras
    views = Views(torch.rand(3, 3, SIZE, SIZE), c2w, intrinsics)
    for ladder in ((), (0.1, 0.0)):
        with pytest.raises(ValueError, match="needs positive numbers"):
            choose_scale(network, views, ladder)


def test_objects_are_as_large_as_their_weights_want_them():
    views = cut_out_views(6)
    network = small_network(head="bounded", frame="orbit", scale="constant", scale_value=0.5)
    frame = choose_scale(network, views)
    assert object_size(frame.views(views)) == pytest.approx(0.5, rel=1e-4)
    torch.testing.assert_close(frame.points(torch.zeros(1, 3)), torch.zeros(1, 3), atol=1e-3, rtol=0)
