"""Files of the family: LocusGS, whose tokens have anchors, and Object TokenGS."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made.weights import published_file, same_tensors
from safetensors.torch import load_file, save_file

from tokengs_nerfstudio.core.checkpoint.key_table import to_published, unused_tensors
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
LOCUS = ("locus", "locus-4view")


@pytest.mark.parametrize("layout", ["own", "published"])
@pytest.mark.parametrize("bounded", [False, True])
def test_anchored_networks_make_the_round_trip(small_config, randomised, layout, bounded, tmp_path):
    network = randomised(TokenGSNetwork(replace(small_config, anchors=True, bounded=bounded)))
    save_network(network, tmp_path / "weights.safetensors", layout)
    again = load_network(tmp_path / "weights.safetensors")
    assert again.config == network.config
    assert same_tensors(again.state_dict(), network.state_dict())


def test_what_nothing_reads_in_files_with_anchors_is_ignored_and_written_as_ones(golden_networks, tmp_path):
    golden = golden_networks["L1_locusgs"]
    network = load_network(golden.write(tmp_path / "theirs.safetensors"), golden.config)
    save_network(network, tmp_path / "ours.safetensors", layout="published")
    ours = load_file(tmp_path / "ours.safetensors")
    different = {key for key, tensor in golden.weights.items() if not torch.equal(tensor, ours[key])}
    assert {key: tensor.shape for key, tensor in ours.items()} == {k: t.shape for k, t in golden.weights.items()}
    assert len(different) == 9 * golden.config.decoder_depth
    assert all(torch.all(ours[key] == (0.0 if key.endswith("bias") else 1.0)) for key in different)


@pytest.mark.parametrize("preset", ["locus", "locus-4view"])
def test_a_file_of_locusgs_loads_from_disk(preset, tmp_path, monkeypatch):
    """All keys that its published files have, in their order, none of which says more than its shape; but smaller."""
    small = {name: replace(PRESETS[name], width=32, heads=2, tokens=PRESETS[name].tokens // 64) for name in LOCUS}
    for name, config in small.items():
        monkeypatch.setitem(PRESETS, name, config)
    with torch.device("meta"):
        network = TokenGSNetwork(small[preset])
        own = network.state_dict()
        shapes = {to_published([*own], multiscale=False)[key]: tensor.shape for key, tensor in own.items()}
        shapes |= {key: tensor.shape for key, tensor in unused_tensors(small[preset]).items()}
    keys = json.loads((GOLDEN / "locus_keys.json").read_text())["keys"]
    assert set(keys) == set(shapes)
    weights = {key: torch.randn(shapes[key]) for key in keys}
    save_file(weights, tmp_path / "model.safetensors")
    loaded = load_network(tmp_path / "model.safetensors")
    assert loaded.config == small[preset]
    names = to_published(loaded.state_dict(), multiscale=False)
    assert all(torch.equal(weights[names[key]], tensor) for key, tensor in loaded.state_dict().items())


def test_a_file_of_object_tokengs_is_known_by_its_depths(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "object", replace(PRESETS["object"], width=32, heads=2, tokens=8))
    path = published_file(PRESETS["object"], tmp_path / "AH_tokengs_lifting.safetensors")
    config = load_network(path).config
    assert config == PRESETS["object"]
    assert (config.head, config.frame, config.background) == ("bounded", "orbit", 1.0)


def test_files_with_anchors_find_their_preset(small_config, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "base", small_config)
    monkeypatch.setitem(PRESETS, "locus", replace(small_config, anchors=True))
    assert load_network(published_file(PRESETS["locus"], tmp_path / "weights.safetensors")).config == PRESETS["locus"]
    assert load_network(published_file(PRESETS["base"], tmp_path / "plain.safetensors")).config == PRESETS["base"]


def test_unused_tensors_are_strangers_in_files_without_anchors(golden_networks, tmp_path):
    golden = golden_networks["G1_base"]
    key = "enc_dec_backbone.decoder_blocks.0.gs_cross_attn.tau_sample"
    save_file({**golden.weights, key: torch.ones(())}, tmp_path / "wrong.safetensors")
    with pytest.raises(CheckpointError, match=f"1 unexpected: {key}"):
        load_network(tmp_path / "wrong.safetensors", golden.config)
