"""Object TokenGS where it differs from TokenGS; `test_tokengs.py` compares its numbers (`O1_object`)."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tokengs_nerfstudio.core.checkpoint.key_table import to_published
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.layers import GaussianHead
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork

KEYS = json.loads((Path(__file__).resolve().parents[2] / "golden/object_keys.json").read_text())


def test_keys_and_shapes_equal_the_published_file():
    with torch.device("meta"):
        network = TokenGSNetwork(PRESETS["object"])
    shapes = {key: list(parameter.shape) for key, parameter in network.state_dict().items()}
    names = to_published(shapes, multiscale=False)
    assert {names[key]: shape for key, shape in shapes.items()} == KEYS["keys"]
    assert network.num_parameters == KEYS["parameters"]


def test_a_bounded_head_keeps_to_its_box_and_has_no_cap():
    head = GaussianHead(4, 1, z_offset=0.0, opacity_bias=0.0, scale_cap=0.075, kind="bounded")
    raw = torch.tensor([[[0.5, -3.0, 1.25, 0.3, 0.0, 0.0, 0.0, 40.0, -40.0, 2.0, 0.0, 0.0, 0.0, 0.0]]])
    raw.requires_grad_()
    splats = head.activate(raw)
    torch.testing.assert_close(splats.means[0, 0], torch.tensor([0.5, -1.0, 1.0]))
    torch.testing.assert_close(splats.scales[0, 0], torch.tensor([0.1 * torch.tensor(2.0).log(), 4.0, 0.0]))
    torch.testing.assert_close(splats.opacities[0], torch.tensor([0.5]))
    splats.means.sum().backward()
    assert raw.grad is not None
    assert raw.grad[0, 0, :3].tolist() == [1.0, 0.0, 0.0]


def test_a_bounded_head_has_no_anchors(small_config):
    with pytest.raises(UserError, match="no use for anchors"):
        replace(small_config, head="bounded", anchors=True)
