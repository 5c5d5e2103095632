"""The blocks of the network: patch embeddings, attention, encoder and decoder blocks, the Gaussian head."""

import math
from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tokengs_nerfstudio.core.constants import constant
from tokengs_nerfstudio.core.network.anchors import Anchors
from tokengs_nerfstudio.core.network.attention import attention, heads_first
from tokengs_nerfstudio.core.network.config import Head
from tokengs_nerfstudio.core.network.memory import SceneMemory
from tokengs_nerfstudio.core.types import Gaussians

RAW_CHANNELS = 14

TIME_UNIT = 30.0
"""How strongly photos that are of another time are doubted, for a parameter of one; times are in [0, 1]."""

# Limits that only the head of LocusGS has.
_LOWEST_ANCHORED_SCALE = -10.0
_ANCHORED_QUATERNION_FLOOR = 1e-4
# Of a bounded head, which Object TokenGS has.
_BOUNDED_SCALE = 0.1


class PatchEmbedding(nn.Module):
    """A strided convolution over square patches and a LayerNorm; views one after another, patches row-major."""

    def __init__(self, channels: int, width: int, patch_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)
        self.norm = nn.LayerNorm(width)

    def forward(self, maps: Float[Tensor, "batch view channel height width"]) -> Float[Tensor, "batch view patch dim"]:
        patches = self.conv(rearrange(maps, "b v c h w -> (b v) c h w"))
        return self.norm(rearrange(patches, "(b v) c h w -> b v (h w) c", b=maps.shape[0]))


class TimeEmbedding(nn.Module):
    """A strided convolution over an image that holds one time everywhere, so every patch has the same embedding."""

    def __init__(self, channels: int, width: int, patch_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)

    def forward(self, channels: Float[Tensor, "*batch time"]) -> Float[Tensor, "*batch dim"]:
        return F.linear(channels, self.conv.weight.sum(dim=(2, 3)), self.conv.bias)


def time_channels(times: Float[Tensor, "*batch"], count: int) -> Float[Tensor, "*batch {count}"]:
    """Times in [0, 1] as `count` channels: cosines, then sines, of t * 10000^(-k / (count // 2)); 0 last if odd."""
    half = count // 2
    steps = torch.arange(half, dtype=times.dtype, device=times.device)
    angles = times[..., None] * torch.exp(-math.log(10000.0) * steps / max(half, 1))
    return F.pad(torch.cat([angles.cos(), angles.sin()], dim=-1), (0, count % 2))


def doubted(
    doubt: Float[Tensor, "*batch"], of_time: Float[Tensor, ""] | None, apart: Float[Tensor, "*batch"] | None
) -> Float[Tensor, "*batch"]:
    """The doubt about photos, with that about their being of another time by `apart`, where anything moves."""
    return doubt if of_time is None or apart is None else doubt + TIME_UNIT * F.softplus(of_time) * apart


class MLP(nn.Module):
    """Two layers with a GELU between; `outputs` is `width` unless said."""

    def __init__(self, width: int, hidden: int, outputs: int | None = None) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width if outputs is None else outputs)

    def forward(self, x: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token out"]:
        return self.contract(F.gelu(self.expand(x)))


class SelfAttention(nn.Module):
    """Attention among tokens, with queries and keys normalised per head.

    With `static` given, the first `static` tokens attend to each other only and the rest attend to all tokens. The
    two groups are two plain attention calls, which needs no mask the size of tokens squared.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.query_norm = nn.LayerNorm(width // heads)
        self.key_norm = nn.LayerNorm(width // heads)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "batch token dim"], static: int | None = None
    ) -> Float[Tensor, "batch token dim"]:
        q, k, v = rearrange(self.qkv(x), "b n (three h d) -> b n three h d", three=3, h=self.heads).unbind(2)
        q, k, v = (heads_first(part) for part in (self.query_norm(q), self.key_norm(k), v))
        if static is None:
            mixed = attention(q, k, v)
        else:
            still = attention(q[:, :, :static], k[:, :, :static], v[:, :, :static])
            moving = attention(q[:, :, static:], k, v)
            mixed = torch.cat([still, moving], dim=2)
        return self.out(rearrange(mixed, "b h n d -> b n (h d)"))


class MemoryProjection(nn.Module):
    """Features to the one set of keys and values that a whole stack of decoder blocks shares."""

    def __init__(self, features: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(features, 2 * width)
        self.key_norm = nn.LayerNorm(width // heads)

    def forward(self, features: Float[Tensor, "batch memory dim"]) -> SceneMemory:
        keys, values = rearrange(self.project(features), "b n (two h d) -> b n two h d", two=2, h=self.heads).unbind(2)
        keys, values = heads_first(self.key_norm(keys)), heads_first(values)
        # Under autocast LayerNorm returns float32: stored like the values, the keys are converted once, not per block.
        # The values are copied out of the projection, which would otherwise keep the raw keys alive beside them.
        return SceneMemory(keys=keys.to(values.dtype), values=values.contiguous())


class EncoderBlock(nn.Module):
    """Self-attention over all patches of all views, then an MLP; each branch scaled per channel."""

    def __init__(self, width: int, heads: int, hidden: int, init_scale: float) -> None:
        super().__init__()
        self.self_norm = nn.LayerNorm(width)
        self.self_attention = SelfAttention(width, heads)
        self.self_scale = nn.Parameter(torch.full((width,), init_scale))
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width, hidden)
        self.mlp_scale = nn.Parameter(torch.full((width,), init_scale))

    def forward(self, x: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        x = x + self.self_scale * self.self_attention(self.self_norm(x))
        return x + self.mlp_scale * self.mlp(self.mlp_norm(x))


class Encoder(nn.ModuleList):
    """A stack of encoder blocks; `layers` are those whose outputs are read."""

    def __init__(self, depth: int, width: int, heads: int, hidden: int, init_scale: float) -> None:
        super().__init__(EncoderBlock(width, heads, hidden, init_scale) for _ in range(depth))

    def forward(
        self, x: Float[Tensor, "batch token dim"], layers: Sequence[int]
    ) -> list[Float[Tensor, "batch token dim"]]:
        """The outputs of the blocks at `layers` (from zero), in the order of the blocks."""
        outputs = []
        for number, block in enumerate(self):
            x = block(x)
            if number in layers:
                outputs.append(x)
        return outputs


class GaussianHead(nn.Module):
    """Tokens to activated Gaussians: each token gives `gaussians_per_token` of them, one after another."""

    def __init__(
        self,
        width: int,
        gaussians_per_token: int,
        z_offset: float,
        opacity_bias: float,
        scale_cap: float,
        opacity_floor: float = 0.0,
        kind: Head = "open",
    ) -> None:
        super().__init__()
        self.kind: Head = kind
        self.z_offset, self.scale_cap = z_offset, scale_cap
        self.opacity_bias, self.opacity_floor = opacity_bias, opacity_floor
        self.project = nn.Linear(width, RAW_CHANNELS * gaussians_per_token)

    def forward(self, tokens: Float[Tensor, "batch token dim"], anchors: Anchors | None = None) -> Gaussians:
        """Computed in the parameters' own precision: in bfloat16 a position of 10 would be rounded by 0.09."""
        with torch.autocast(tokens.device.type, enabled=False):
            raw = self.project(tokens.to(self.project.weight.dtype))
            return self.activate(rearrange(raw, "b n (g c) -> b (n g) c", c=RAW_CHANNELS), anchors)

    def activate(self, raw: Float[Tensor, "batch gaussian 14"], anchors: Anchors | None = None) -> Gaussians:
        """Raw channels: position 0:3, colour 3:6, scale 6:9, quaternion 9:13, opacity 13.

        With anchors positions are relative to them, and the z offset is theirs. A bounded head cuts positions at +-1
        and has no cap on scales (Object TokenGS).
        """
        position, color, scale, quaternion, opacity = raw.split([3, 3, 3, 4, 1], dim=-1)
        if anchors is None:
            means = position.clamp(-1, 1) if self.kind == "bounded" else position.sign() * position.abs().expm1()
            means = means + constant([0.0, 0.0, self.z_offset], means)
        else:
            means = anchors.around(position.unflatten(1, (anchors.count, -1))).flatten(1, 2)
            scale = scale.clamp(min=_LOWEST_ANCHORED_SCALE)
        return Gaussians(
            means=means,
            quats=F.normalize(quaternion, dim=-1, eps=1e-12 if anchors is None else _ANCHORED_QUATERNION_FLOOR),
            scales=self._scales(scale),
            opacities=self.opacity_floor
            + (1 - self.opacity_floor) * torch.sigmoid(opacity[..., 0] - self.opacity_bias),
            colors=0.5 * torch.tanh(color) + 0.5,
        )

    def _scales(self, raw: Float[Tensor, "batch gaussian 3"]) -> Float[Tensor, "batch gaussian 3"]:
        if self.kind == "bounded":
            return _BOUNDED_SCALE * F.softplus(raw)
        # Capping the exponent equals capping the scale, and stays finite where exp would overflow.
        return torch.exp((raw - 1.0).clamp(max=0.0) + math.log(self.scale_cap))
