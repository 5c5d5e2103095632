import json
import logging
import struct
import threading
import time
from dataclasses import replace
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tokengs_nerfstudio.core import registry, weight_file
from tokengs_nerfstudio.core.checkpoint import HEADER_KEY, load_network, save_network
from tokengs_nerfstudio.core.key_table import to_own, to_published
from tokengs_nerfstudio.core.network import PRESETS, TokenGSNetwork
from tokengs_nerfstudio.core.registry import PUBLISHED, PublishedWeights, cache_folder, locate, preset, shipped_weights
from tokengs_nerfstudio.core.resizing import dynamic_from_static, resize_network, resize_rows
from tokengs_nerfstudio.core.weight_file import CheckpointError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
NETWORKS = ["G1_base", "G2_latent_multiscale", "G3_dynamic"]


@pytest.fixture
def network(small_config, randomised):
    config = replace(small_config, z_offset=0.25, scale_cap=0.3, frame="mean", scale="bound", image_size=(16, 24))
    return randomised(TokenGSNetwork(config))


def same_tensors(first, second):
    return list(first) == list(second) and all(
        torch.equal(first[key], second[key]) and first[key].dtype == second[key].dtype for key in first
    )


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


@pytest.mark.parametrize("name", NETWORKS)
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


def published_file(config, path):
    with torch.device("meta"):
        shapes = TokenGSNetwork(config).state_dict()
    names = to_published(shapes, multiscale=bool(config.multiscale_layers))
    # Shapes of the published size, values of none: zeros that share one element are written as they are on disk.
    save_file({names[key]: torch.zeros(meta.shape, dtype=torch.bfloat16) for key, meta in shapes.items()}, path)
    return path


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("tokengs_dl3dv_base_6view.safetensors", "base-6view"),
        ("weights.safetensors", "base-4view"),
    ],
)
def test_settings_of_a_published_file_come_from_the_matching_preset(file, expected, tmp_path, caplog, monkeypatch):
    small = {name: replace(PRESETS[name], width=64, heads=4, tokens=8) for name in PRESETS if name.startswith("base-")}
    for name, config in small.items():
        monkeypatch.setitem(PRESETS, name, config)
    with caplog.at_level(logging.WARNING):
        network = load_network(published_file(small["base-2view"], tmp_path / file))
    assert network.config == small[expected]
    assert f"those of preset '{expected}' are assumed" in caplog.text
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


class TestRegistry:
    def test_shipped_names_are_the_files_of_the_package(self):
        for name, path in shipped_weights().items():
            assert locate(name).path == path
            assert load_network(name).num_gaussians > 0

    def test_published_names_know_their_conventions(self):
        assert len(PUBLISHED) == 10
        config = PUBLISHED["latent-6view-lpips"].config
        assert (config.frame, config.scale, config.scale_value) == ("mean", "constant", 0.15)
        assert (config.image_size, config.num_context) == ((256, 448), 6)
        assert preset("eval_dl3dv_2view") is PRESETS["base-2view"]

    def test_a_name_without_its_file_says_where_to_put_it(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        with pytest.raises(CheckpointError, match=r"place the file as .*base-6view\.safetensors"):
            load_network("base-6view")
        with pytest.raises(CheckpointError, match="did you mean 'base-6view'"):
            load_network("base-6vew")

    def test_a_file_put_there_loads_with_its_own_number_of_views(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        small = replace(PRESETS["base-6view"], width=64, heads=4, tokens=8)
        monkeypatch.setitem(PRESETS, "base-6view", small)
        cache_folder().mkdir()
        published_file(small, cache_folder() / "base-6view.safetensors")
        assert load_network("base-6view").config == small


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as one file needs: its size, its hash and its bytes."""

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        content = self.server.files.get(self.path)  # type: ignore[attr-defined]
        self.server.requests.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200 if content else 404)
        if not content:
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_header("X-Repo-Commit", "0123456789" * 4)
        self.send_header("ETag", f'"{sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    from huggingface_hub import constants, file_download

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files, server.requests = {}, []  # type: ignore[attr-defined]
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    for module in (constants, getattr(file_download, "constants", constants)):
        monkeypatch.setattr(module, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield server
    server.shutdown()
    server.server_close()


class TestHub:
    def test_fetches_once_through_the_hub_client(self, hub, network, tmp_path):
        save_network(network, tmp_path / "weights.safetensors")
        hub.files["/someone/splats/resolve/main/deep/small.safetensors"] = (
            tmp_path / "weights.safetensors"
        ).read_bytes()
        first = load_network("hf://someone/splats/deep/small.safetensors")
        assert same_tensors(first.state_dict(), network.state_dict())
        downloads = len(hub.requests)
        load_network("hf://someone/splats/deep/small.safetensors")
        assert len(hub.requests) <= downloads + 1  # at most a question whether the cached file is still current

    def test_a_revision_can_be_named(self, hub, network, tmp_path):
        save_network(network, tmp_path / "weights.safetensors")
        hub.files["/someone/splats/resolve/v2/small.safetensors"] = (tmp_path / "weights.safetensors").read_bytes()
        assert load_network("hf://someone/splats@v2/small.safetensors").config == network.config

    def test_a_missing_file_is_one_line(self, hub):
        with pytest.raises(CheckpointError, match=r"cannot fetch gone\.safetensors from hf://someone/splats") as caught:
            load_network("hf://someone/splats/gone.safetensors")
        assert "\n" not in str(caught.value)

    def test_an_unreachable_hub_is_one_line(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the client's own pauses between its attempts
        with pytest.raises(CheckpointError, match=r"cannot fetch .*pass the path of a local copy") as caught:
            load_network("hf://someone/splats/small.safetensors")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("address", ["hf://someone", "hf://someone/splats", "hf://someone/splats/weights.ckpt"])
    def test_malformed_addresses_are_refused(self, address):
        with pytest.raises(CheckpointError, match=r"no hub address|never pickles"):
            load_network(address)

    def test_published_names_are_fetched_and_their_hash_checked(self, hub, network, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
        save_network(network, tmp_path / "weights.safetensors")
        content = (tmp_path / "weights.safetensors").read_bytes()
        hub.files["/authors/release/resolve/main/six.safetensors"] = content
        entry = PublishedWeights("base-6view", "six views", "authors/release", "six.safetensors")
        good = replace(entry, sha256=sha256(content).hexdigest())
        assert locate("six", {"six": good}).path.read_bytes() == content
        assert locate("six", {"six": good}).preset == "base-6view"
        with pytest.raises(CheckpointError, match="is not the published file 'six': its sha256 differs"):
            locate("six", {"six": replace(entry, sha256="0" * 64)})
        with pytest.raises(CheckpointError, match="place the file as"):
            locate("seven", {"seven": replace(entry, file="seven.safetensors")})


class TestResizing:
    stored = load_file(GOLDEN / "token_resizing.safetensors")

    @pytest.mark.parametrize("key", [key for key in stored if not key.startswith("in.")])
    def test_equals_the_published_rows(self, key):
        kind, count = key.split(".new")
        resize = dynamic_from_static if kind == "dynamic_from_static" else resize_rows
        torch.testing.assert_close(resize(self.stored["in.tokens_old"], int(count)), self.stored[key], atol=0, rtol=0)

    @pytest.mark.parametrize(
        ("old", "new", "total"),
        [(1024, 256, 130818), (4096, 1024, 2096130), (4096, 256, 524036), (1000, 333, 166168), (1024, 1000, 511002)],
    )
    def test_chooses_the_published_rows_of_large_sets(self, old, new, total):
        chosen = resize_rows(torch.arange(old, dtype=torch.float64)[:, None], new)
        assert chosen.sum().item() == total

    @pytest.mark.parametrize("count", [2, 6, 15])
    def test_networks_load_with_other_numbers_of_tokens(self, network, make_views, tmp_path, count):
        save_network(network, tmp_path / "weights.safetensors")
        resized = load_network(tmp_path / "weights.safetensors", num_tokens=count)
        assert resized.config.tokens == resized.num_tokens == count
        assert resized.decode(resized.encode(make_views())).count == count * 3
        save_network(resized, tmp_path / "resized.safetensors")
        assert load_network(tmp_path / "resized.safetensors").config.tokens == count

    def test_latents_are_resized_alike(self, golden_networks, tmp_path):
        golden = golden_networks["G2_latent_multiscale"]
        network = load_network(golden.write(tmp_path / "weights.safetensors"), golden.config, num_latents=4)
        assert network.latents is not None
        torch.testing.assert_close(
            network.latents.detach(), resize_rows(golden.weights["enc_dec_backbone.latents"], 4), atol=0, rtol=0
        )

    def test_dynamic_tokens_start_as_the_static_ones(self, network, make_views):
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

    def test_impossible_numbers_are_refused(self, network):
        with pytest.raises(ValueError, match="at least one token, got 0"):
            resize_network(network, tokens=0)
        with pytest.raises(ValueError, match="no latent bottleneck"):
            resize_network(network, latents=4)


def test_headers_can_be_read_without_this_package(network, tmp_path):
    save_network(network, tmp_path / "weights.safetensors")
    with safe_open(tmp_path / "weights.safetensors", framework="pt") as file:
        stored = json.loads(file.metadata()[HEADER_KEY])
    assert stored["z_offset"] == 0.25
    assert stored["image_size"] == [16, 24]


def test_shipped_folder_is_found_from_the_installed_package():
    assert registry.SHIPPED.is_dir()
