"""Parity with LocusGS where it has more to compare than TokenGS (`test_tokengs.py` compares the rest)."""

import json
from pathlib import Path

import pytest
import torch

from tokengs_nerfstudio.core.checkpoint.key_table import to_published, unused_tensors
from tokengs_nerfstudio.core.checkpoint.loading import load_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.inputs import EncoderInputs
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
KEYS = json.loads((GOLDEN / "locus_keys.json").read_text())
NETWORKS = ["L1_locusgs", "L2_locusgs_limits"]


@pytest.fixture
def golden(request, golden_networks):
    return golden_networks[request.param]


@pytest.mark.parametrize("golden", NETWORKS, indirect=True)
def test_every_block_and_the_gradients_of_anchors_equal_the_published_ones(golden, as_published, tmp_path):
    network = load_network(golden.write(tmp_path / "weights.safetensors"), golden.config).double()
    images, rays = (golden.tensors[f"in.{name}"].double() for name in ("images_normalised", "plucker"))
    memory = network._encode(EncoderInputs(images, rays))
    depth = golden.config.decoder_depth
    stages = network.decode_stages(memory, range(1, depth + 1))
    for block in range(depth):
        gaussians = as_published(stages.gaussians.map(lambda values, block=block: values[:, block]))
        torch.testing.assert_close(gaussians, golden.tensors[f"out64.gaussians_{block}"], atol=1e-9, rtol=1e-9)
        anchors = golden.tensors[f"out64.anchor_xyz_{block}"]
        torch.testing.assert_close(stages.anchors[:, block], anchors, atol=1e-9, rtol=1e-9)
    flat = gaussians.flatten()
    (flat * torch.sin(1 + 0.7310585 * torch.arange(len(flat), dtype=torch.float64))).sum().backward()
    for name in ("positions", "radii"):
        stored = golden.tensors[f"grad64.gs_anchor_{'xyz' if name == 'positions' else 'radius'}_raw"]
        torch.testing.assert_close(getattr(network.anchors, name).grad, stored, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("preset", ["locus", "locus-4view"])
def test_keys_and_shapes_equal_the_published_files(preset):
    with torch.device("meta"):
        network = TokenGSNetwork(PRESETS[preset])
        unused = {key: list(tensor.shape) for key, tensor in unused_tensors(network.config).items()}
    shapes = {key: list(parameter.shape) for key, parameter in network.state_dict().items()}
    names = to_published(shapes, multiscale=False)
    ours = {names[key]: shape for key, shape in shapes.items()} | unused
    rows = {"gs_tokens", "gs_anchor_xyz_raw", "gs_anchor_radius_raw"}
    expected = {
        key: [network.config.tokens, *shape[1:]] if key in rows else shape for key, shape in KEYS["keys"].items()
    }
    assert ours == expected
    assert len(unused) == 108
    total = sum(torch.Size(shape).numel() for shape in ours.values())
    assert total == KEYS["parameters"][preset]
