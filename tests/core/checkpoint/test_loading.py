import json
import logging
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made.weights import published_file, same_tensors
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tokengs_nerfstudio.core.checkpoint import weight_file
from tokengs_nerfstudio.core.checkpoint.architecture import HEADER_KEY
from tokengs_nerfstudio.core.checkpoint.key_table import to_own, to_published
from tokengs_nerfstudio.core.checkpoint.loading import load_network, network_config, save_network
from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork

NETWORKS = ["G1_base", "G2_latent_multiscale", "G3_dynamic"]


@pytest.mark.parametrize("layout", ["own", "published"])
def test_round_trip_keeps_every_bit_and_the_configuration(network, layout, tmp_path):
    save_network(network, tmp_path / "weights.safetensors", layout)
    again = load_network(tmp_path / "weights.safetensors")
    assert again.config == network.config
    assert same_tensors(again.state_dict(), network.state_dict())
    assert not again.training
    assert all(parameter.requires_grad for parameter in again.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_published_weights_come_back_bit_exactly(name, golden_networks, tmp_path):
    golden = golden_networks[name]
    network = load_network(golden.write(tmp_path / "theirs.safetensors"), golden.config)
    save_network(network, tmp_path / "ours.safetensors", layout="published")
    assert same_tensors(load_file(tmp_path / "ours.safetensors"), dict(sorted(golden.weights.items())))
    assert load_network(tmp_path / "ours.safetensors").config == golden.config


@pytest.mark.parametrize("layout", ["own", "published"])
@pytest.mark.parametrize("ratio", [2.0, 3.25])
def test_the_width_of_mlps_is_read_from_the_file(small_config, randomised, layout, ratio, tmp_path):
    config = replace(small_config, mlp_ratio=ratio, latents=4, latent_depth=1)
    network = randomised(TokenGSNetwork(config))
    save_network(network, tmp_path / "weights.safetensors", layout)
    again = load_network(tmp_path / "weights.safetensors")
    assert again.config == config
    assert {block.mlp.expand.out_features for block in (*again.encoder, *again.decoder)} == {round(32 * ratio)}
    assert same_tensors(again.state_dict(), network.state_dict())
    text = {HEADER_KEY: json.dumps({"frame": "mean", "latents": 4, "latent_depth": 1})}  # as headers were before
    save_file(load_file(tmp_path / "weights.safetensors"), tmp_path / "old.safetensors", text)
    assert load_network(tmp_path / "old.safetensors").config == replace(config, frame="mean")
    bare = tmp_path / "bare.safetensors"
    save_file(load_file(tmp_path / "weights.safetensors"), bare)
    with pytest.raises(CheckpointError, match=rf"matches no published preset .*mlp_ratio {ratio}"):
        load_network(bare)
    with pytest.raises(CheckpointError, match=rf"it has mlp_ratio {ratio} \(not 4\.0\)"):
        load_network(bare, replace(config, mlp_ratio=4.0))
    assert load_network(bare, config).config == config


def test_mlps_have_a_whole_number_of_channels(small_config):
    with pytest.raises(ValueError, match=r"mlp_ratio 2\.7 of width 32 is no whole number of channels"):
        replace(small_config, mlp_ratio=2.7)


@pytest.mark.parametrize("name", [*NETWORKS, "L1_locusgs"])
def test_own_names_are_one_to_one(name, golden_networks):
    golden = golden_networks[name]
    own = to_own(golden.weights)
    assert len(set(own.values())) == len(golden.weights)
    back = to_published(own.values(), multiscale=bool(golden.config.multiscale_layers))
    assert {back[key]: key for key in back} == {published: key for published, key in own.items()}


def test_half_precision_files_load_as_float32(network, tmp_path):
    save_network(network.half(), tmp_path / "half.safetensors")
    loaded = load_network(tmp_path / "half.safetensors")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    torch.testing.assert_close(loaded.tokens, network.tokens.float(), atol=0, rtol=0)


def test_compact_files_round_matrices_and_what_places_and_colours_come_from_more_finely(network, tmp_path):
    save_network(network, tmp_path / "whole.safetensors")
    save_network(network, tmp_path / "compact.safetensors", compact=True)
    again, weights = load_network(tmp_path / "compact.safetensors").state_dict(), network.state_dict()
    for name, tensor in weights.items():
        finer = name.split(".")[0] in ("head", "tokens")
        rounded = tensor.to(torch.float16 if finer else torch.bfloat16).float()
        assert torch.equal(again[name], rounded if tensor.ndim > 1 else tensor), name
        assert again[name].dtype == torch.float32
    assert (tmp_path / "compact.safetensors").stat().st_size < 0.6 * (tmp_path / "whole.safetensors").stat().st_size


def test_files_in_bytes_round_each_row_of_matrices_to_its_own_scale(network, tmp_path):
    save_network(network, tmp_path / "whole.safetensors")
    save_network(network, tmp_path / "bytes.safetensors", compact="bytes")
    save_network(network, tmp_path / "half.safetensors", compact=True)
    again, half = (load_network(tmp_path / f"{name}.safetensors").state_dict() for name in ("bytes", "half"))
    for name, tensor in network.state_dict().items():
        if tensor.ndim < 2 or name.split(".")[0] in ("head", "tokens", "dynamic_tokens", "latents", "anchors"):
            assert torch.equal(again[name], half[name]), name
            continue
        step = tensor.flatten(1).abs().amax(1) / 127
        wrong = (again[name] - tensor).flatten(1).abs().amax(1)
        assert (wrong <= 0.5001 * step + 1e-30).all(), name
    assert network_config(tmp_path / "bytes.safetensors") == network.config
    assert (tmp_path / "bytes.safetensors").stat().st_size < 0.4 * (tmp_path / "whole.safetensors").stat().st_size


def test_the_published_layout_has_no_bytes_and_nobody_has_bits(no_shape_checks, network, tmp_path):
    with pytest.raises(ValueError, match="no place for bytes"):
        save_network(network, tmp_path / "x.safetensors", "published", compact="bytes")
    with pytest.raises(ValueError, match="compact"):
        save_network(network, tmp_path / "x.safetensors", compact="bits")


def test_double_precision_files_stay_double(network, tmp_path):
    save_network(network.double(), tmp_path / "double.safetensors")
    assert same_tensors(load_network(tmp_path / "double.safetensors").state_dict(), network.state_dict())


def test_a_failed_write_leaves_the_old_file(network, tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    save_network(network, path)
    before = path.read_bytes()

    def half_written(tensors, file, text):
        Path(file).write_bytes(before[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(weight_file, "save_file", half_written)
    with pytest.raises(OSError, match="no space"):
        save_network(network, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_save_refuses_what_it_cannot_write(network, tmp_path):
    with pytest.raises(ValueError, match=r"written as \.safetensors"):
        save_network(network, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="unknown layout 'theirs'"):
        save_network(network, tmp_path / "weights.safetensors", "theirs")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("tokengs_dl3dv_base_6view.safetensors", "base-6view"),
        ("dl3dv_2v.safetensors", "base-2view"),
        ("dl3dv-6-views-2vast.safetensors", "base-6view"),
        ("weights.safetensors", "base-4view"),
    ],
)
def test_settings_of_a_published_file_come_from_the_matching_preset(file, expected, tmp_path, caplog, monkeypatch):
    small = {name: replace(PRESETS[name], width=64, heads=4, tokens=8) for name in PRESETS if name.startswith("base-")}
    for name, config in small.items():
        monkeypatch.setitem(PRESETS, name, config)
    with caplog.at_level(logging.WARNING):
        path = published_file(small["base-2view"], tmp_path / file)
        network = load_network(path)
        assert network_config(path) == network.config == small[expected]
    assert caplog.text.count(f"those of preset '{expected}' are assumed") == 1
    assert "the same but for the number of views" in caplog.text


def test_without_header_preset_or_config_the_message_asks_for_one(golden_networks, tmp_path):
    path = golden_networks["G3_dynamic"].write(tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"matches no published preset \(width 32, heads 4.*pass config="):
        load_network(path)


def test_a_config_of_another_architecture_is_refused(golden_networks, tmp_path):
    golden = golden_networks["G1_base"]
    path = golden.write(tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"it has decoder_depth 3 \(not 2\), tokens 16 \(not 9\)"):
        load_network(path, replace(golden.config, decoder_depth=2, tokens=9))
    with pytest.raises(CheckpointError, match="it has width 64"):
        load_network(path, "tiny")
    with pytest.raises(ValueError, match="no preset 'huge'; choose one of tiny"):
        load_network(path, "huge")


def test_a_config_without_the_files_multiscale_layers_is_refused(golden_networks, tmp_path):
    golden = golden_networks["G2_latent_multiscale"]
    path = golden.write(tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"reads 2 encoder blocks together, its configuration \[\]"):
        load_network(path, replace(golden.config, multiscale_layers=()))


def test_the_header_wins_over_a_given_config_and_says_so(network, tmp_path, caplog):
    save_network(network, tmp_path / "weights.safetensors")
    with caplog.at_level(logging.WARNING):
        again = load_network(tmp_path / "weights.safetensors", replace(network.config, z_offset=9.0))
    assert again.config.z_offset == 0.25
    assert "the given one is not used" in caplog.text


def test_strict_loading_lists_every_wrong_key(golden_networks, tmp_path):
    golden = golden_networks["G1_base"]
    wrong = dict(golden.weights)
    del wrong["enc_dec_backbone.decoder_blocks.1.gs_cross_attn.q_proj.weight"]
    wrong["enc_dec_backbone.kv_proj.bias"] = torch.zeros(3)
    wrong["enc_dec_backbone.extra"] = torch.zeros(3)
    save_file(wrong, tmp_path / "wrong.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_network(tmp_path / "wrong.safetensors", golden.config)
    message = str(caught.value)
    assert "1 missing: enc_dec_backbone.decoder_blocks.1.gs_cross_attn.q_proj.weight" in message
    assert "1 unexpected: enc_dec_backbone.extra" in message
    assert "1 mis-shaped: enc_dec_backbone.kv_proj.bias [3] instead of [128]" in message


class TestWrongFiles:
    """Every file that is no network gives one line that says what it is."""

    def refused(self, path, message):
        with pytest.raises(CheckpointError, match=message) as caught:
            load_network(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)

    def test_missing(self, tmp_path):
        self.refused(tmp_path / "none.safetensors", "there is no weight file and no registered weights")

    def test_folder(self, network, tmp_path):
        self.refused(tmp_path, "is a folder, not a weight file and holds no .safetensors file")
        save_network(network, tmp_path / "inside.safetensors")
        self.refused(tmp_path, "it holds inside.safetensors")

    def test_empty(self, tmp_path):
        (tmp_path / "empty.safetensors").touch()
        self.refused(tmp_path / "empty.safetensors", "is empty")

    @pytest.mark.parametrize("keep", [4, 200, 20_000])
    def test_truncated(self, network, tmp_path, keep):
        path = tmp_path / "cut.safetensors"
        save_network(network, path)
        path.write_bytes(path.read_bytes()[:keep])
        self.refused(path, "is cut short" if keep > 4 else "no safetensors file")

    @pytest.mark.parametrize("name", ["weights.ckpt", "weights.pt", "weights.pth", "weights.safetensors"])
    def test_pickle(self, tmp_path, name):
        torch.save({"tokens": torch.zeros(3)}, tmp_path / name)
        self.refused(tmp_path / name, "is a pickle, and opening one can run any code")

    def test_old_pickle(self, tmp_path):
        torch.save({"a": 1}, tmp_path / "weights.bin", _use_new_zipfile_serialization=False)
        self.refused(tmp_path / "weights.bin", "is a pickle")

    def test_text(self, tmp_path):
        path = tmp_path / "page.safetensors"
        path.write_text("<!DOCTYPE html><html>not found</html>")
        self.refused(path, "is no safetensors file")

    def test_header_that_is_no_json(self, tmp_path):
        path = tmp_path / "noise.safetensors"
        path.write_bytes(struct.pack("<Q", 12) + b"abcdefghijkl")
        self.refused(path, "its header is not readable")

    def test_other_safetensors(self, tmp_path):
        path = tmp_path / "other.safetensors"
        save_file({"model.embed.weight": torch.zeros(3, 4)}, path)
        self.refused(path, "holds no TokenGS network; its tensors are model.embed.weight")

    def test_no_tensors(self, tmp_path):
        path = tmp_path / "none.safetensors"
        save_file({}, path)
        self.refused(path, "without any tensor")

    def test_broken_or_newer_configuration(self, network, tmp_path):
        path = tmp_path / "weights.safetensors"
        tensors = network.state_dict()
        save_file(tensors, path, {HEADER_KEY: "{"})
        self.refused(path, "header is broken")
        save_file(tensors, path, {HEADER_KEY: json.dumps({"z_offset": 0.0, "wings": 2})})
        self.refused(path, "written by another version: unknown settings wings")
        save_file(tensors, path, {HEADER_KEY: json.dumps({"width": 64})})
        self.refused(path, r"it has width 32 \(not 64\)")


def test_headers_can_be_read_without_this_package(network, tmp_path):
    save_network(network, tmp_path / "weights.safetensors")
    with safe_open(tmp_path / "weights.safetensors", framework="pt") as file:
        stored = json.loads(file.metadata()[HEADER_KEY])
    assert stored["z_offset"] == 0.25
    assert stored["image_size"] == [16, 24]
