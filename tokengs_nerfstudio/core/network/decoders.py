"""Decoders: how tokens read the memory of a scene, and each other."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tokengs_nerfstudio.core.network.anchors import (
    FIRST_RAW_RADIUS,
    POSITION_CHANNELS,
    Anchors,
    BoundedAnchors,
    position_channels,
    ray_bias,
    shrunk,
)
from tokengs_nerfstudio.core.network.attention import attention, heads_first
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.layers import MLP, SelfAttention, doubted
from tokengs_nerfstudio.core.network.memory import SceneMemory

FIRST_RAY_SCALE = -2.25


class CrossAttention(nn.Module):
    """Attention of tokens to a memory that was projected and normalised beforehand."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.query_norm = nn.LayerNorm(width // heads)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "batch token dim"],
        memory: SceneMemory,
        bias: Float[Tensor, "batch token memory"] | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """`bias` is added to the logits of every head."""
        q = heads_first(self.query_norm(rearrange(self.query(x), "b n (h d) -> b n h d", h=self.heads)))
        mixed = attention(q, memory.keys, memory.values, None if bias is None else bias[:, None])
        return self.out(rearrange(mixed, "b h n d -> b n (h d)"))


class _DecoderLayers(nn.Module):
    """What decoder blocks of all kinds are made of; each branch scaled per channel."""

    def __init__(self, width: int, heads: int, hidden: int, init_scale: float) -> None:
        super().__init__()
        self.cross_norm = nn.LayerNorm(width)
        self.cross_attention = CrossAttention(width, heads)
        self.cross_scale = nn.Parameter(torch.full((width,), init_scale))
        self.self_norm = nn.LayerNorm(width)
        self.self_attention = SelfAttention(width, heads)
        self.self_scale = nn.Parameter(torch.full((width,), init_scale))
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width, hidden)
        self.mlp_scale = nn.Parameter(torch.full((width,), init_scale))


class DecoderBlock(_DecoderLayers):
    """Cross-attention to the memory, self-attention among the tokens, an MLP."""

    def forward(
        self, x: Float[Tensor, "batch token dim"], memory: SceneMemory, static: int | None = None
    ) -> Float[Tensor, "batch token dim"]:
        x = x + self.cross_scale * self.cross_attention(self.cross_norm(x), memory)
        x = x + self.self_scale * self.self_attention(self.self_norm(x), static)
        return x + self.mlp_scale * self.mlp(self.mlp_norm(x))


class AnchoredDecoderBlock(_DecoderLayers):
    """A decoder block whose tokens prefer patches that look at their anchor, and know where it is (LocusGS).

    With `timed` dynamic tokens prefer patches of photos near the target's time, too (ours).
    """

    def __init__(self, width: int, heads: int, hidden: int, init_scale: float, timed: bool = False) -> None:
        super().__init__(width, heads, hidden, init_scale)
        self.ray_scale = nn.Parameter(torch.tensor(FIRST_RAY_SCALE))
        self.time_doubt = nn.Parameter(torch.zeros(())) if timed else None
        self.position = MLP(POSITION_CHANNELS, width, width)

    def forward(
        self,
        x: Float[Tensor, "batch token dim"],
        memory: SceneMemory,
        anchors: Anchors,
        static: int | None = None,
        apart: Float[Tensor, "batch token memory"] | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """`memory` with rays. Geometry is computed in the anchors' own precision.

        `apart`: how far each token is in time from the photo of each patch, if anything moves.
        """
        assert memory.rays is not None  # checked where memories come in
        with torch.autocast(x.device.type, enabled=False):
            bias = F.softplus(self.ray_scale) * ray_bias(anchors, memory.rays)
            if apart is not None:
                bias = -doubted(-bias, self.time_doubt, apart)
            channels = position_channels(anchors.coordinates)
        x = x + self.cross_scale * self.cross_attention(self.cross_norm(x), memory, bias)
        x = x + self.self_scale * self.self_attention(self.self_norm(x + self.position(channels)), static)
        return x + self.mlp_scale * self.mlp(self.mlp_norm(x))


class TokenDecoder(nn.ModuleList):
    """A stack of decoder blocks that all read one memory."""

    def __init__(self, depth: int, width: int, heads: int, hidden: int, init_scale: float) -> None:
        super().__init__(DecoderBlock(width, heads, hidden, init_scale) for _ in range(depth))

    def forward(
        self, tokens: Float[Tensor, "batch token dim"], memory: SceneMemory, static: int | None = None
    ) -> Float[Tensor, "batch token dim"]:
        for block in self:
            tokens = block(tokens, memory, static)
        return tokens


class AnchoredDecoder(nn.ModuleList):
    """A stack of decoder blocks with anchors; `TokenAnchors` moves these after every block."""

    def __init__(self, depth: int, width: int, heads: int, hidden: int, init_scale: float, timed: bool = False) -> None:
        super().__init__(AnchoredDecoderBlock(width, heads, hidden, init_scale, timed) for _ in range(depth))


class TokenAnchors(nn.Module):
    """Where the learned tokens' anchors begin, and how what tokens have read moves them."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.bounded, self.z_offset, self.far = config.bounded, config.z_offset, config.far
        count = config.tokens + config.dynamic_tokens
        self.positions = nn.Parameter(torch.empty(count, 3))
        self.radii = nn.Parameter(torch.empty(count, 1))
        self.move = MLP(config.width, config.width, 3)
        self.widen = MLP(config.width, config.width, 1)

    def begin(self, batch: int) -> Anchors:
        """The learned anchors, for each of `batch` scenes."""
        start = (self.positions.expand(batch, -1, -1), self.radii.expand(batch, -1, -1))
        return BoundedAnchors(*start, self.z_offset, self.far) if self.bounded else Anchors(*start)

    def forward(self, anchors: Anchors, tokens: Float[Tensor, "batch token dim"]) -> Anchors:
        """The anchors after a block that left `tokens`; in the parameters' own precision, as all geometry."""
        with torch.autocast(tokens.device.type, enabled=False):
            tokens = tokens.to(self.positions.dtype)
            return anchors.moved(self.move(tokens), self.widen(tokens))

    @torch.no_grad()
    def reset(self, update_scale: float) -> None:
        """Anchors around (0, 0, z_offset) by a standard normal distribution, of radius 1.

        The last layers of the updates begin `update_scale` times torch's own values.
        """
        nn.init.normal_(self.positions)
        if self.bounded:
            self.positions.copy_(shrunk(self.positions))
        else:
            self.positions[:, 2] += self.z_offset
        nn.init.constant_(self.radii, FIRST_RAW_RADIUS)
        for parameter in (*self.move.contract.parameters(), *self.widen.contract.parameters()):
            parameter.mul_(update_scale)
