from dataclasses import replace

import pytest
import torch
from made.training import SMALL, random_example

from tokengs_nerfstudio.core.network.anchored_start import anchored_from_plain
from tokengs_nerfstudio.core.network.anchors import shrunk
from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork


@pytest.fixture
def plain() -> TokenGSNetwork:
    return TokenGSNetwork(replace(SMALL, z_offset=0.75, decoder_depth=2), initial=SCRATCH)


@pytest.mark.parametrize("bounded", [False, True])
def test_first_answers_are_the_plain_ones(plain, bounded):
    views = random_example().context
    with torch.no_grad():
        expected, found = plain(views), anchored_from_plain(plain, bounded)(views)
    for (name, before), (_, after) in zip(expected.tensors(), found.tensors()):
        torch.testing.assert_close(after, before, atol=5e-6, rtol=5e-6, msg=name)


def test_bounds_bend_only_what_lies_far_out(plain):
    torch.nn.init.normal_(plain.head.project.bias[:3], std=1.5)
    views, middle = random_example().context, torch.tensor([0.0, 0.0, 0.75])
    with torch.no_grad():
        before = shrunk(plain(views).means - middle)
        after = shrunk(anchored_from_plain(plain, bounded=True)(views).means - middle)
    near = before.abs() <= 1.0
    assert not near.all()
    torch.testing.assert_close(after[near], before[near], atol=5e-6, rtol=5e-6)
    assert torch.all(after[~near].abs() <= before[~near].abs())
    assert torch.all(after[~near].abs() >= 1.0 - 1e-5)
    far = before.abs() > 1.3
    assert torch.all(after[far].abs() < before[far].abs() - 1e-3)


def test_the_weights_and_their_state_are_kept(plain):
    anchored = anchored_from_plain(plain.eval())
    before, after = plain.state_dict(), anchored.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert not anchored.training
    assert all(parameter.requires_grad for parameter in anchored.parameters())
    assert anchored_from_plain(plain.double()).tokens.dtype == torch.float64


@pytest.mark.parametrize("bounded", [False, True])
def test_what_is_silent_at_first_learns(plain, bounded):
    anchored = anchored_from_plain(plain, bounded, ray_scale=-4.0)
    anchored(random_example().context).means.square().sum().backward()
    for mlp in (anchored.anchors.move, anchored.anchors.widen, *(block.position for block in anchored.decoder)):
        assert float(mlp.contract.weight.grad.abs().max()) > 0
    assert all(float(block.ray_scale.grad.abs()) > 1e-7 for block in anchored.decoder)


def test_only_plain_decoders_can_get_anchors(plain):
    with pytest.raises(ValueError, match="has anchors already"):
        anchored_from_plain(anchored_from_plain(plain))
    with pytest.raises(ValueError, match="got latents 3"):
        anchored_from_plain(TokenGSNetwork(replace(SMALL, latents=3, latent_depth=1)))
