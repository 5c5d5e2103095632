from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.network.token_count import dynamic_from_static, resize_network, resize_rows
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork

STORED = load_file(Path(__file__).resolve().parents[2] / "golden" / "token_resizing.safetensors")


@pytest.mark.parametrize("key", [key for key in STORED if not key.startswith("in.")])
def test_equals_the_published_rows(key):
    kind, count = key.split(".new")
    resize = dynamic_from_static if kind == "dynamic_from_static" else resize_rows
    torch.testing.assert_close(resize(STORED["in.tokens_old"], int(count)), STORED[key], atol=0, rtol=0)


@pytest.mark.parametrize(
    ("old", "new", "total"),
    [(1024, 256, 130818), (4096, 1024, 2096130), (4096, 256, 524036), (1000, 333, 166168), (1024, 1000, 511002)],
)
def test_chooses_the_published_rows_of_large_sets(old, new, total):
    chosen = resize_rows(torch.arange(old, dtype=torch.float64)[:, None], new)
    assert chosen.sum().item() == total


@pytest.mark.parametrize("count", [2, 6, 15])
def test_networks_load_with_other_numbers_of_tokens(network, make_views, tmp_path, count):
    save_network(network, tmp_path / "weights.safetensors")
    resized = load_network(tmp_path / "weights.safetensors", num_tokens=count)
    assert resized.config.tokens == resized.num_tokens == count
    assert resized.decode(resized.encode(make_views())).count == count * 3
    save_network(resized, tmp_path / "resized.safetensors")
    assert load_network(tmp_path / "resized.safetensors").config.tokens == count


def test_latents_are_resized_alike(golden_networks, tmp_path):
    golden = golden_networks["G2_latent_multiscale"]
    network = load_network(golden.write(tmp_path / "weights.safetensors"), golden.config, num_latents=4)
    assert network.latents is not None
    torch.testing.assert_close(
        network.latents.detach(), resize_rows(golden.weights["enc_dec_backbone.latents"], 4), atol=0, rtol=0
    )


def test_dynamic_tokens_start_as_the_static_ones(network, make_views):
    dynamic = resize_network(network, dynamic_tokens=6)
    assert dynamic.dynamic_tokens is not None
    assert torch.equal(dynamic.dynamic_tokens, network.tokens)
    with torch.no_grad():
        views = make_views(times=True)
        before = network.decode(network.encode(views))
        after = dynamic.decode(dynamic.encode(views), time=0.3)
    static = network.num_gaussians
    torch.testing.assert_close(after.means[:, :static], before.means, atol=1e-5, rtol=1e-5)
    assert after.count == 2 * static


@pytest.mark.parametrize("count", [2, 15])
def test_anchors_are_chosen_and_repeated_as_their_tokens(small_config, make_views, randomised, count):
    network = randomised(TokenGSNetwork(replace(small_config, anchors=True)))
    resized = resize_network(network, tokens=count)
    rows = resize_rows(torch.arange(6.0)[:, None], count, noise=0.0)[:, 0].long()
    for ours, theirs in zip((resized.anchors.positions, resized.anchors.radii), network.anchors.parameters()):
        torch.testing.assert_close(ours, theirs[rows], atol=0.05, rtol=0)
    assert torch.equal(resized.anchors.positions[6:], network.anchors.positions[rows[6:]]) == (count == 2)
    assert resized.decode(resized.encode(make_views())).count == count * 3


def test_dynamic_tokens_start_at_the_anchors_of_their_static_ones(small_config, make_views, randomised):
    network = randomised(TokenGSNetwork(replace(small_config, anchors=True)))
    dynamic = resize_network(network, dynamic_tokens=4)
    assert dynamic.anchors.positions.shape == (10, 3)
    chosen = [network.tokens.tolist().index(row) for row in dynamic.dynamic_tokens.tolist()]
    for ours, theirs in zip((dynamic.anchors.positions, dynamic.anchors.radii), network.anchors.parameters()):
        assert torch.equal(ours, torch.cat([theirs, theirs[chosen]]))
    views = make_views(times=True)
    before, after = network(views), dynamic(views, 0.3)
    torch.testing.assert_close(after.means[:, : before.count], before.means, atol=1e-5, rtol=1e-5)
    grown = resize_network(dynamic, tokens=8, dynamic_tokens=5)
    assert torch.equal(grown.anchors.positions[8:12], dynamic.anchors.positions[6:])
    assert grown(views, 0.3).count == 13 * 3


def test_impossible_numbers_are_refused(network):
    with pytest.raises(ValueError, match="at least one token, got 0"):
        resize_network(network, tokens=0)
    with pytest.raises(ValueError, match="no latent bottleneck"):
        resize_network(network, latents=4)
