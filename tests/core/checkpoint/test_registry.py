"""Where weights come from: shipped files, names, and the hub's real client against a server of this machine."""

import threading
import time
from dataclasses import replace
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from made.weights import published_file, same_tensors

from tokengs_nerfstudio.core.checkpoint import registry
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.checkpoint.registry import (
    PUBLISHED,
    PublishedWeights,
    cache_folder,
    locate,
    preset,
    shipped_weights,
)
from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError
from tokengs_nerfstudio.core.network.config import PRESETS


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


def test_shipped_folder_is_found_from_the_installed_package():
    assert registry.SHIPPED.is_dir()
