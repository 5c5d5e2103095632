"""Where weights come from: shipped files, names, and the hub's real client against a server of this machine."""

import re
import threading
import time
from dataclasses import replace
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from made.weights import published_file, same_tensors

from tokengs_nerfstudio.core.checkpoint import registry
from tokengs_nerfstudio.core.checkpoint.listing import named_weights
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.checkpoint.registry import (
    PUBLISHED,
    PublishedWeights,
    cache_folder,
    fetched,
    is_here,
    locate,
    preset,
    shipped_weights,
)
from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError
from tokengs_nerfstudio.core.network.config import PRESETS

COMMIT = "0123456789" * 4


class TestRegistry:
    def test_shipped_names_are_the_files_of_the_package(self):
        for name, path in shipped_weights().items():
            assert locate(name).path == path
            assert load_network(name).num_gaussians > 0

    def test_published_names_know_their_conventions(self):
        assert len(PUBLISHED) == 11
        assert len({weights.sha256 for weights in PUBLISHED.values()}) == 11
        assert [name for name, weights in PUBLISHED.items() if weights.sha256 is None] == ["kubric-dynamic"]
        assert all(re.fullmatch("[0-9a-f]{64}", w.sha256) for w in PUBLISHED.values() if w.sha256 is not None)
        assert all(len(weights.revision or "") == 40 for weights in PUBLISHED.values())
        config = PUBLISHED["latent-6view-lpips"].config
        assert (config.frame, config.scale, config.scale_value) == ("mean", "constant", 0.15)
        assert (config.image_size, config.num_context) == ((256, 448), 6)
        assert preset("eval_dl3dv_2view") is PRESETS["base-2view"]

    def test_a_name_without_its_file_says_what_to_fetch_and_where_to_put_it(self, tmp_path, monkeypatch, no_network):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        with pytest.raises(CheckpointError) as caught:
            load_network("latent-6view-ssim")
        said = str(caught.value)
        file = "checkpoints_26.06/dl3dv_latent_6v_ssim.safetensors"
        assert f"cannot fetch {file} from hf://jiaweir/tokengs" in said
        address = f"http://127.0.0.1:9/jiaweir/tokengs/resolve/a7eb20340b99abd29b554c29c339446aebccff36/{file}"
        assert f"fetch {address} (about 1.45 GB) by another way" in said
        assert f"place the file as {tmp_path / 'tokengs_nerfstudio/latent-6view-ssim.safetensors'}" in said
        assert "\n" not in said
        with pytest.raises(CheckpointError, match="did you mean 'base-6view'"):
            load_network("base-6vew")
        with pytest.raises(CheckpointError, match=r"the name of the weights is empty; registered names: .*small"):
            load_network("")

    def test_a_file_put_there_loads_with_its_own_number_of_views(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        small = replace(PRESETS["base-6view"], width=64, heads=4, tokens=8)
        monkeypatch.setitem(PRESETS, "base-6view", small)
        cache_folder().mkdir()
        path = published_file(small, cache_folder() / "base-6view.safetensors")
        hashed = replace(PUBLISHED["base-6view"], sha256=sha256(path.read_bytes()).hexdigest())
        monkeypatch.setitem(PUBLISHED, "base-6view", hashed)
        assert load_network("base-6view").config == small


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the client's own pauses between its attempts


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
        self.send_header("X-Repo-Commit", COMMIT)
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
    server.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
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

    def test_an_unreachable_hub_is_one_line(self, no_network):
        with pytest.raises(CheckpointError, match=r"cannot fetch .*pass the path of a local copy") as caught:
            load_network("hf://someone/splats/small.safetensors")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("address", ["hf://someone", "hf://someone/splats", "hf://someone/splats/weights.ckpt"])
    def test_malformed_addresses_are_refused(self, address):
        with pytest.raises(CheckpointError, match=r"no hub address|never pickles"):
            load_network(address)

    @pytest.fixture
    def release(self, hub, network, tmp_path, monkeypatch):
        """A file of the authors' on the hub, at a revision."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
        save_network(network, tmp_path / "weights.safetensors")
        content = (tmp_path / "weights.safetensors").read_bytes()
        hub.files[f"/authors/release/resolve/{COMMIT}/deep/six.safetensors"] = content
        return PublishedWeights(
            "base-6view", "six views", "authors/release", "deep/six.safetensors", sha256(content).hexdigest(), COMMIT
        )

    def test_published_names_are_fetched_at_their_revision_and_their_hash_checked(self, hub, release, tmp_path):
        location = locate("six", {"six": release})
        assert location.path.read_bytes() == (tmp_path / "weights.safetensors").read_bytes()
        assert location.preset == "base-6view"
        asked = len(hub.requests)
        assert locate("six", {"six": release}) == location
        assert len(hub.requests) == asked
        assert fetched("six", release) == location.path
        with pytest.raises(CheckpointError, match="is not the published file 'six': its sha256 differs"):
            locate("six", {"six": replace(release, sha256="0" * 64)})
        with pytest.raises(CheckpointError, match=r"cannot fetch seven\.safetensors .*place the file as"):
            locate("seven", {"seven": replace(release, file="seven.safetensors")})

    def test_a_file_that_changed_is_hashed_anew(self, release, tmp_path):
        path = locate("six", {"six": release}).path
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(CheckpointError, match="its sha256 differs") as caught:
            locate("six", {"six": release})
        Path(str(caught.value).partition(" is not the published file")[0]).unlink()  # as the message says
        assert locate("six", {"six": release}).path.read_bytes() == content

    def test_the_licence_is_said_once_before_the_file_comes(self, hub, release, caplog):
        def said():
            return [record.getMessage() for record in caplog.records]

        locate("six", {"six": release})
        (line,) = said()
        assert release.licence in line
        assert f"{hub.url}/authors/release/resolve/{COMMIT}/deep/six.safetensors" in line
        assert "\n" not in line
        locate("six", {"six": release})
        assert len(said()) == 1

    def test_without_a_hash_a_note_is_made(self, release, caplog):
        locate("six", {"six": replace(release, sha256=None)})
        assert "nobody has recorded a sha256 of 'six'" in caplog.text

    def test_what_was_fetched_is_here(self, release, monkeypatch):
        monkeypatch.setitem(PUBLISHED, "six", release)
        assert not is_here("six")
        assert {one.name: one.path for one in named_weights()}["six"] is None
        path = locate("six").path
        assert is_here("six")
        assert {one.name: one.path for one in named_weights()}["six"] == path


def test_shipped_folder_is_found_from_the_installed_package():
    assert registry.SHIPPED.is_dir()
