"""How queries read keys and values, by whichever of torch's ways is fastest there and back."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

# More logits than that are computed again for the gradient: those of twelve blocks of LocusGS, with 4,096 tokens and
# four photos, are 23 GB.
_KEPT_LOGITS = 2**27


def heads_first(x: Float[Tensor, "batch token head channel"]) -> Float[Tensor, "batch head token channel"]:
    """A view as attention takes it, of what lies in memory as linear layers leave it: no copy, there and back."""
    return x.transpose(1, 2)


def attention(
    q: Float[Tensor, "batch head token channel"],
    keys: Float[Tensor, "batch head memory channel"],
    values: Float[Tensor, "batch head memory channel"],
    bias: Float[Tensor, "batch 1 token memory"] | None = None,
) -> Float[Tensor, "batch head token channel"]:
    """softmax(q keys^T / sqrt(channel) + bias) values, computed in the values' precision."""
    # Under autocast norms leave float32 behind.
    q, keys = q.to(values.dtype), keys.to(values.dtype)
    bias = None if bias is None else bias.to(values.dtype)
    if not _in_plain_products(q, keys, values, bias):
        return F.scaled_dot_product_attention(q, keys, values, bias)
    if q.shape[:-1].numel() * keys.shape[-2] > _KEPT_LOGITS:
        from torch.utils.checkpoint import checkpoint  # imports sympy: a third of a second for every command

        return checkpoint(_plain_attention, q, keys, values, bias, use_reentrant=False)  # type: ignore[return-value]
    return _plain_attention(q, keys, values, bias)


def _in_plain_products(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> bool:
    """On CPUs biases with gradient have no kernel, and torch's general way takes a third longer than plain products;
    of its kernel for bfloat16 the way back takes three times as long as that of these (256 tokens, AMX)."""
    if q.device.type != "cpu" or not torch.is_grad_enabled():
        return False
    if bias is not None and bias.requires_grad:
        return True
    return q.dtype == torch.bfloat16 and (q.requires_grad or keys.requires_grad or values.requires_grad)


def _plain_attention(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
    with torch.autocast(q.device.type, enabled=False):  # it would have the softmax in float32, copied there and back
        logits = (q * q.shape[-1] ** -0.5) @ keys.mT
        return (logits if bias is None else logits + bias).softmax(dim=-1) @ values
