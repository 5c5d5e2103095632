"""Decoders: how tokens read the memory of a scene, and each other."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tokengs_nerfstudio.core.network.layers import MLP, SelfAttention, heads_first
from tokengs_nerfstudio.core.types import SceneMemory


class CrossAttention(nn.Module):
    """Attention of tokens to a memory that was projected and normalised beforehand."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.query_norm = nn.LayerNorm(width // heads)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch token dim"], memory: SceneMemory) -> Float[Tensor, "batch token dim"]:
        q = heads_first(self.query_norm(rearrange(self.query(x), "b n (h d) -> b n h d", h=self.heads)))
        mixed = F.scaled_dot_product_attention(q, memory.keys.to(q.dtype), memory.values.to(q.dtype))
        return self.out(rearrange(mixed, "b h n d -> b n (h d)"))


class DecoderBlock(nn.Module):
    """Cross-attention to the memory, self-attention among the tokens, an MLP; each branch scaled per channel."""

    def __init__(self, width: int, heads: int, init_scale: float) -> None:
        super().__init__()
        self.cross_norm = nn.LayerNorm(width)
        self.cross_attention = CrossAttention(width, heads)
        self.cross_scale = nn.Parameter(torch.full((width,), init_scale))
        self.self_norm = nn.LayerNorm(width)
        self.self_attention = SelfAttention(width, heads)
        self.self_scale = nn.Parameter(torch.full((width,), init_scale))
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width)
        self.mlp_scale = nn.Parameter(torch.full((width,), init_scale))

    def forward(
        self, x: Float[Tensor, "batch token dim"], memory: SceneMemory, static: int | None = None
    ) -> Float[Tensor, "batch token dim"]:
        x = x + self.cross_scale * self.cross_attention(self.cross_norm(x), memory)
        x = x + self.self_scale * self.self_attention(self.self_norm(x), static)
        return x + self.mlp_scale * self.mlp(self.mlp_norm(x))


class TokenDecoder(nn.ModuleList):
    """A stack of decoder blocks that all read one memory."""

    def __init__(self, depth: int, width: int, heads: int, init_scale: float) -> None:
        super().__init__(DecoderBlock(width, heads, init_scale) for _ in range(depth))

    def forward(
        self, tokens: Float[Tensor, "batch token dim"], memory: SceneMemory, static: int | None = None
    ) -> Float[Tensor, "batch token dim"]:
        for block in self:
            tokens = block(tokens, memory, static)
        return tokens
