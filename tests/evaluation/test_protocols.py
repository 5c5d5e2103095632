"""Presets, sizes and scales by what the weights are."""

import json
from dataclasses import replace

import pytest
import torch
from made.cameras import pinhole
from made.captures import write_weights
from made.weights import published_file

from tokengs_nerfstudio.core.checkpoint.loading import is_published, save_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.evaluation.protocols import PROTOCOLS, Framing, Scaling, Weights, with_context

SMALL = replace(PRESETS["base"], width=32, heads=2, encoder_depth=1, decoder_depth=1, tokens=8)


@pytest.mark.parametrize("views", [2, 4, 6])
def test_the_indices_that_come_along_are_those_of_the_benchmark(views, shared):
    protocol = PROTOCOLS[f"dl3dv-{views}view"]
    assert protocol.index is not None
    theirs = shared / f"evaluation_index/evaluation_idx_dl3dv_depthsplat_{views}v.json"
    assert json.loads(protocol.index.read_text()) == json.loads(theirs.read_text())


@pytest.mark.parametrize("views", [2, 4, 6])
def test_an_index_has_140_scenes_of_50_targets_with_the_context_among_them(views):
    protocol = PROTOCOLS[f"dl3dv-{views}view"]
    assert protocol.index is not None
    scenes = json.loads(protocol.index.read_text())
    assert len(scenes) == 140
    for scene in scenes.values():
        assert len(scene["context"]) == views == protocol.num_context
        assert len(set(scene["target"])) == 50
        assert set(scene["context"]) <= set(scene["target"])


def test_published_files_are_known_by_layout_and_by_who_wrote_them(tmp_path):
    own = write_weights(tmp_path / "own.safetensors")
    published = published_file(SMALL, tmp_path / "published.safetensors")
    written = tmp_path / "written.safetensors"
    save_network(TokenGSNetwork(SMALL), written, layout="published")
    assert [is_published(file) for file in (own, published, written)] == [False, True, False]
    assert not is_published("tiny")


def test_weights_say_at_which_size_they_are_compared():
    own, published = Weights(PRESETS["tiny"], False), Weights(PRESETS["base"], True)
    dl3dv, captures = PROTOCOLS["dl3dv-4view"], PROTOCOLS["captures"]
    assert own.framing(dl3dv, None, 128, "auto") == Framing((256, 448), 128, False)
    assert published.framing(dl3dv, None, 128, "auto") == Framing((256, 256), 128, True)
    assert published.framing(dl3dv, (64, 96), 128, "exact") == Framing((64, 96), 128, False)
    assert own.framing(dl3dv, None, 128, "published").published_rounding
    assert published.framing(captures, None, 100, "auto") == Framing(None, 100, False)
    assert (own.image_folder, published.image_folder) == (None, None)
    assert Weights(PRESETS["locus"], True).image_folder == "images_8"
    assert Weights(PRESETS["tiny"], False).image_folder is None


def photos(height: int, width: int, depths: torch.Tensor | None = None) -> Views:
    lens = pinhole(torch.tensor([[50.0, 50.0, width / 2, height / 2]]))
    return Views(torch.rand(1, 3, height, width), torch.eye(4)[None], lens, depths=depths)


def test_published_crops_are_half_a_pixel_off_and_whole_photos_are_not_cropped():
    views = photos(54, 97)
    shifted, exact = (Framing((32, 56), 128, rounding).seen(views) for rounding in (True, False))
    assert float(shifted.intrinsics[0, 0, 2] - exact.intrinsics[0, 0, 2]) == pytest.approx(0.5 * 56 / 94, abs=1e-3)
    whole = Framing(None, 27, False)
    assert whole.seen(views) is views
    assert whole.compared(views).images.shape[-2:] == (32, 57)  # no side below 32
    large = Framing(None, 40, False).compared(views)
    assert large.images.shape[-2:] == (40, 72)


def test_lengths_of_benchmarks_are_those_that_published_weights_know():
    base, kubric, tiny = PRESETS["base"], PRESETS["kubric-dynamic"], PRESETS["tiny"]
    views = photos(8, 8, torch.full((1, 1, 8, 8), 2.0))
    assert Scaling.of(base, "dl3dv").factor(views) == 0.15
    assert Scaling.of(base, "captures").factor(views) is None
    assert Scaling.of(tiny, "dl3dv").factor(views) is None
    assert 0.4 < (Scaling.of(kubric, "kubric").factor(views) or 0) < 0.5
    assert Scaling.of(kubric, "kubric").factor(replace(views, depths=None)) is None


def test_views_can_be_more_or_fewer():
    assert with_context(PROTOCOLS["captures"], None) is PROTOCOLS["captures"]
    assert with_context(PROTOCOLS["captures"], 6).num_context == 6
