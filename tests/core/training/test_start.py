from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made.training import SMALL, random_example

from tokengs_nerfstudio.core.checkpoint.loading import save_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.start import starting_network


@pytest.fixture
def presets(monkeypatch) -> None:
    monkeypatch.setitem(PRESETS, "small", SMALL)
    monkeypatch.setitem(PRESETS, "larger", replace(SMALL, tokens=20, frame="first"))
    monkeypatch.setitem(PRESETS, "wider", replace(SMALL, width=64, scale_cap=0.1))


@pytest.fixture
def weights(tmp_path) -> Path:
    torch.manual_seed(5)
    save_network(TokenGSNetwork(SMALL, initial=SCRATCH), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def test_random_weights_follow_from_the_seed(presets):
    first, again, other = (starting_network("small", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.tokens, again.tokens)
    assert not torch.equal(first.tokens, other.tokens)
    assert first.training
    assert starting_network("small", num_context=3).config == replace(SMALL, num_context=3)


def test_without_a_preset_weights_keep_their_configuration(presets, weights):
    network = starting_network(weights=str(weights), num_context=5)
    assert network.config == replace(SMALL, num_context=5)
    torch.manual_seed(5)
    assert torch.equal(network.tokens, TokenGSNetwork(SMALL, initial=SCRATCH).tokens)
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert network.training


def test_tokens_grow_to_the_preset_whose_conventions_hold(presets, weights):
    network = starting_network("larger", str(weights))
    before = starting_network("small", str(weights))
    assert network.config == PRESETS["larger"]
    assert torch.equal(network.tokens[:12], before.tokens)
    assert network.tokens.shape[0] == 20
    assert torch.equal(network.head.project.weight, before.head.project.weight)


def test_tokens_grow_and_shrink_when_asked(presets, weights):
    before, more, fewer = (starting_network(weights=str(weights), tokens=tokens) for tokens in (None, 30, 5))
    assert more.config == replace(SMALL, tokens=30)
    assert torch.equal(more.tokens[:12], before.tokens)
    assert fewer.tokens.shape[0] == 5
    assert starting_network("small", tokens=7).tokens.shape[0] == 7


@pytest.mark.parametrize("bounded", [False, True])
def test_plain_weights_get_anchors_where_the_preset_has_them(presets, weights, monkeypatch, bounded):
    monkeypatch.setitem(PRESETS, "placed", replace(SMALL, anchors=True, bounded=bounded))
    network, before = starting_network("placed", str(weights)), starting_network("small", str(weights))
    assert network.config == PRESETS["placed"]
    views = random_example().context
    torch.testing.assert_close(network(views).means, before(views).means, atol=0.02, rtol=0.02)
    assert {float(block.ray_scale) for block in network.decoder} == {-4.0}
    assert network.training


def test_anchored_weights_keep_their_kind(presets, weights, monkeypatch, tmp_path):
    for name, bounded in (("placed", False), ("kept", True)):
        monkeypatch.setitem(PRESETS, name, replace(SMALL, anchors=True, bounded=bounded))
    save_network(starting_network("placed", str(weights)), tmp_path / "placed.safetensors")
    with pytest.raises(ValueError, match="bounded False and True"):
        starting_network("kept", str(tmp_path / "placed.safetensors"))
    with pytest.raises(ValueError, match="anchors True and False"):
        starting_network("small", str(tmp_path / "placed.safetensors"))


def test_other_architectures_are_refused(presets, weights):
    with pytest.raises(ValueError, match=r"width 32 and 64, scale_cap 0\.3 and 0\.1"):
        starting_network("wider", str(weights))
    with pytest.raises(ValueError, match="no preset 'nothing'"):
        starting_network("nothing")
