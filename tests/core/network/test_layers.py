import math

import pytest
import torch
from torch.nn import functional as F

from tokengs_nerfstudio.core.network.decoders import CrossAttention
from tokengs_nerfstudio.core.network.layers import (
    GaussianHead,
    MemoryProjection,
    PatchEmbedding,
    SelfAttention,
    TimeEmbedding,
    time_channels,
)


def plain_attention(query, key, value, allowed=None):
    """Softmax attention written out, with a mask where one is given."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if allowed is not None:
        scores = scores.masked_fill(~allowed, float("-inf"))
    return scores.softmax(dim=-1) @ value


def split_heads(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def randomise(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    return module.double()


@pytest.mark.parametrize("static", [None, 4])
def test_self_attention_equals_attention_with_a_mask(static):
    layer = randomise(SelfAttention(12, 3))
    x = torch.randn(2, 7, 12, dtype=torch.float64, requires_grad=True)
    query, key, value = (split_heads(part, 3) for part in layer.qkv(x).chunk(3, dim=-1))
    allowed = torch.ones(7, 7, dtype=torch.bool)
    if static is not None:
        allowed[:static, static:] = False
    mixed = plain_attention(layer.query_norm(query), layer.key_norm(key), value, allowed)
    expected = layer.out(mixed.transpose(1, 2).flatten(2))
    weight = torch.randn_like(expected)
    (wanted,) = torch.autograd.grad((expected * weight).sum(), x)
    actual = layer(x, static)
    (got,) = torch.autograd.grad((actual * weight).sum(), x)
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(got, wanted, atol=1e-12, rtol=0)


def test_cross_attention_reads_the_projected_memory():
    layer, projection = randomise(CrossAttention(12, 3)), randomise(MemoryProjection(20, 12, 3))
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    features = torch.randn(2, 9, 20, dtype=torch.float64)
    memory = projection(features)
    keys, values = (split_heads(part, 3) for part in projection.project(features).chunk(2, dim=-1))
    mixed = plain_attention(layer.query_norm(split_heads(layer.query(x), 3)), projection.key_norm(keys), values)
    torch.testing.assert_close(layer(x, memory), layer.out(mixed.transpose(1, 2).flatten(2)), atol=1e-12, rtol=0)


def test_patches_are_row_major_and_views_stay_apart():
    layer = PatchEmbedding(3, 8, 4)
    maps = torch.randn(2, 3, 3, 8, 12)
    patches = layer(maps)
    assert patches.shape == (2, 3, 6, 8)
    one = F.conv2d(maps[1, 2, :, 4:8, 8:12][None], layer.conv.weight, layer.conv.bias)[0, :, 0, 0]
    torch.testing.assert_close(patches[1, 2, 5], layer.norm(one), atol=1e-5, rtol=0)


def test_time_embedding_equals_the_convolution_of_a_constant_image():
    layer = randomise(TimeEmbedding(3, 8, 4))
    channels = torch.randn(5, 3, dtype=torch.float64)
    image = channels[:, :, None, None].expand(-1, -1, 4, 4)
    torch.testing.assert_close(layer(channels), layer.conv(image)[:, :, 0, 0], atol=1e-12, rtol=0)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_time_channels_are_cosines_then_sines(count):
    times = torch.tensor([0.0, 0.1, 0.5, 1.0], dtype=torch.float64)
    half = count // 2
    expected = [[math.cos(t * 10000 ** (-k / half)) for k in range(half)] for t in times.tolist()]
    sines = [[math.sin(t * 10000 ** (-k / half)) for k in range(half)] for t in times.tolist()]
    rows = [[*c, *s, *([0.0] * (count % 2))] for c, s in zip(expected, sines)]
    wanted = torch.tensor(rows, dtype=torch.float64).reshape(4, count)
    torch.testing.assert_close(time_channels(times, count), wanted, atol=1e-12, rtol=0)


def test_head_activates_each_channel_group():
    head = GaussianHead(4, 2, z_offset=1.0, opacity_bias=2.0, scale_cap=0.3)
    raw = torch.zeros(1, 2, 14)
    raw[0, 0] = torch.tensor([1.0, -2.0, 0.5, 0.3, -0.3, 0.0, 0.0, 1.0, 50.0, 2.0, 0.0, 0.0, 0.0, 2.0])
    splats = head.activate(raw)
    torch.testing.assert_close(splats.means[0, 0], torch.tensor([math.e - 1, 1 - math.e**2, math.sqrt(math.e)]))
    torch.testing.assert_close(splats.colors[0, 0], 0.5 * torch.tensor([0.3, -0.3, 0.0]).tanh() + 0.5)
    torch.testing.assert_close(splats.scales[0, 0], torch.tensor([0.3 / math.e, 0.3, 0.3]))
    torch.testing.assert_close(splats.quats[0, 0], torch.tensor([1.0, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(splats.opacities[0], torch.sigmoid(torch.tensor([0.0, -2.0])))


def test_huge_raw_scales_are_capped_with_a_finite_gradient():
    head = GaussianHead(4, 1, z_offset=0.0, opacity_bias=2.0, scale_cap=0.1)
    raw = torch.full((1, 1, 14), 60.0)
    raw[..., 6:9] = 500.0
    raw.requires_grad_()
    scales = head.activate(raw).scales
    scales.sum().backward()
    torch.testing.assert_close(scales, torch.full((1, 1, 3), 0.1))
    assert raw.grad is not None
    assert torch.equal(raw.grad[..., 6:9], torch.zeros(1, 1, 3))


def test_gaussians_of_a_token_stay_together():
    head = GaussianHead(4, 3, z_offset=0.0, opacity_bias=2.0, scale_cap=0.1)
    tokens = torch.randn(1, 2, 4)
    torch.testing.assert_close(head(tokens).means[:, 3:], head(tokens[:, 1:]).means, atol=1e-6, rtol=0)
