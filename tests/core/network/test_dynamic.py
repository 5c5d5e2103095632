"""Dynamic tokens of networks that look into the photos: their Gaussians belong to a time, the others to all."""

from dataclasses import replace

import pytest
import torch
from made.training import random_example

from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.network.config import PRESETS, NetworkConfig
from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.photo_colors import PhotoColors
from tokengs_nerfstudio.core.network.surfaces import SurfacePull, Surfaces
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.start import starting_network
from tokengs_nerfstudio.core.types import Views

MOVING = NetworkConfig(
    width=32, heads=2, encoder_depth=1, decoder_depth=2, tokens=6, dynamic_tokens=3, time_channels=2,
    gaussians_per_token=4, anchors=True, sweep=True, photo_colors=True, surfaces=True, footprint=0.3,
)  # fmt: skip
STILL = MOVING.tokens * MOVING.gaussians_per_token


@pytest.fixture
def network(randomised) -> TokenGSNetwork:
    return randomised(TokenGSNetwork(MOVING))


@pytest.fixture
def photos() -> Views:
    return replace(random_example().context, times=torch.tensor([[0.0, 0.5, 1.0]]).expand(2, 3))


def test_time_moves_the_gaussians_of_dynamic_tokens_alone(network, photos):
    early, late = (network(photos, time) for time in (0.0, 1.0))
    for before, after in ((early.means, late.means), (early.colors, late.colors)):
        assert torch.equal(before[:, :STILL], after[:, :STILL])
        assert not torch.isclose(before[:, STILL:], after[:, STILL:]).all()


def test_static_tokens_do_not_hear_of_dynamic_ones(network, photos):
    before = network(photos, 0.5)
    with torch.no_grad():
        network.dynamic_tokens.add_(1.0)
    after = network(photos, 0.5)
    assert torch.equal(before.means[:, :STILL], after.means[:, :STILL])
    assert not torch.isclose(before.means[:, STILL:], after.means[:, STILL:]).all()


def test_times_have_gradients_through_all_that_knows_them(photos):
    network = TokenGSNetwork(MOVING, initial=SCRATCH)
    for embedding in (network.time_embedding, network.target_time_embedding):
        torch.nn.init.normal_(embedding.conv.weight, std=0.1)
    with torch.no_grad():
        network.anchors.positions.copy_(photos.c2w[0, 1, :3, 3] + 3.0 * photos.c2w[0, 1, :3, 2])
    times = photos.times.clone().requires_grad_(True)
    target = torch.tensor([0.3, 0.6], requires_grad=True)
    moving = network(replace(photos, times=times), target).select(slice(STILL, None))
    (moving.means.sum() + moving.colors.sum()).backward()
    assert (times.grad != 0).all()
    assert (target.grad != 0).all()
    for part in (network.photo_colors, network.surface_pull, *network.decoder):
        assert part.time_doubt.grad != 0


def test_dynamic_tokens_read_the_photos_of_their_time(photos):
    network = TokenGSNetwork(MOVING, initial=SCRATCH)
    with torch.no_grad():
        for block in network.decoder:
            block.time_doubt.fill_(3.0)
    memory = network.encode(photos)
    changed = memory.values.clone()
    patches = changed.shape[2] // 3
    changed[:, :, 2 * patches :] += torch.randn_like(changed[:, :, 2 * patches :])
    other = replace(memory, values=changed)
    early, late = (
        (network.decode(memory, time=time).scales - network.decode(other, time=time).scales).abs().mean(-1)
        for time in (0.0, 1.0)
    )
    assert torch.equal(early[:, :STILL], late[:, :STILL])
    assert early[:, STILL:].mean() < 0.2 * late[:, STILL:].mean()


def test_photos_of_another_time_are_doubted():
    cameras = random_example().context[:1].select([0, 0])
    red, blue = torch.zeros(2, 3, cameras.height, cameras.width)
    red[0], blue[2] = 1.0, 1.0
    photos = replace(cameras, images=torch.stack([red, blue])[None])
    blend = PhotoColors(8, 2, timed=True)
    with torch.no_grad():
        blend.gate.bias.fill_(-30.0)
        blend.time_doubt.fill_(2.0)
    ahead = photos.c2w[:, :1, :3, 3] + 3.0 * photos.c2w[:, :1, :3, 2]
    means, grey = ahead.expand(1, 2, 3), torch.full((1, 2, 3), 0.5)
    apart = torch.tensor([[[0.0, 0.0], [0.0, 0.5]]])  # the second Gaussian moves; the blue photo is of another time
    still, moving = blend(grey, means, torch.zeros(1, 1, 8), photos, apart)[0]
    torch.testing.assert_close(still, torch.tensor([0.5, 0.0, 0.5]))
    torch.testing.assert_close(moving, torch.tensor([1.0, 0.0, 0.0]), atol=1e-4, rtol=0)


def test_surfaces_of_another_time_do_not_draw():
    cameras = random_example().context[:1].select([0, 0])
    shape = (1, 2, cameras.height // 2, cameras.width // 2)
    depths = torch.tensor([2.0, 4.0])[None, :, None, None].expand(shape)
    drawing = SurfacePull(8, 2, timed=True)
    with torch.no_grad():
        drawing.stay.bias.fill_(-30.0)
        drawing.doubts.fill_(-20.0)
    direction = cameras.c2w[:, :1, :3, 2]
    means = (cameras.c2w[:, :1, :3, 3] + 3.0 * direction).expand(1, 2, 3)
    apart = torch.tensor([[[0.0, 0.0], [0.0, 0.5]]])
    drawn = drawing(means, torch.zeros(1, 1, 8), cameras, Surfaces(depths.log(), torch.full(shape, 0.1)), apart)
    depth = ((drawn - cameras.c2w[:, :1, :3, 3]) * direction).sum(-1)[0]
    torch.testing.assert_close(depth, torch.tensor([3.0, 2.0]), atol=1e-3, rtol=0)


def test_files_keep_them(network, photos, tmp_path):
    save_network(network, tmp_path / "w.safetensors")
    again = load_network(tmp_path / "w.safetensors")
    assert again.config == MOVING
    assert torch.equal(again(photos, 0.4).means, network(photos, 0.4).means)


def test_they_can_grow_out_of_static_weights(monkeypatch, photos, tmp_path, randomised):
    monkeypatch.setitem(PRESETS, "moving", MOVING)
    still = randomised(TokenGSNetwork(replace(MOVING, dynamic_tokens=0, time_channels=0)))
    save_network(still, tmp_path / "still.safetensors")
    moving = starting_network("moving", str(tmp_path / "still.safetensors"))
    assert moving.config == MOVING
    torch.testing.assert_close(moving(photos, 0.4).means[:, :STILL], still(photos).means, atol=1e-5, rtol=1e-5)
