"""Speed and memory of the network against a plain implementation of the same weights.

Run without options to print the figures, with --check to compare them with the committed ones, with --write to
renew those. Ratios are what is compared: times depend on the machine, ratios much less.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import baselines
import torch
import tyro
from torch import Tensor
from torch.nn import functional as F

from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.inputs import encoder_inputs
from tokengs_nerfstudio.core.network.memory import SceneMemory
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.types import Gaussians, Views

BASELINE = Path(__file__).with_suffix(".json")
CONFIG = replace(
    PRESETS["tiny-plain"],
    width=384,
    encoder_depth=6,
    decoder_depth=6,
    tokens=512,
    gaussians_per_token=64,
    image_size=(128, 128),
)
"""C 384, 6 + 6 blocks, 512 tokens, the plain architecture."""
VIEWS = 4
BF16_FLAGS = ("avx512_bf16", "amx_bf16")
SLACK = 0.85
"""A ratio may fall to this share of the committed one before --check fails: what the noise of a busy machine costs."""


@dataclass
class Options(baselines.BaselineOptions):
    """Benchmark encode + decode at C 384, 6 + 6 blocks, 512 tokens, 4 views of 128x128, float32, on the CPU."""

    repeats: int = 7
    """how often each implementation runs, in turns"""
    threads: int = 1
    """torch's own threads; waiting counts as work with more than one"""


def plain_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    weights = torch.softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5, dim=-1)
    mixed = weights @ value
    return mixed.transpose(1, 2).reshape(mixed.shape[0], mixed.shape[2], -1)


def split_heads(x: Tensor, heads: int) -> Tensor:
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def plain_self_attention(layer: Any, x: Tensor) -> Tensor:
    query, key, value = (split_heads(part, layer.heads) for part in layer.qkv(x).chunk(3, dim=-1))
    return layer.out(plain_attention(layer.query_norm(query), layer.key_norm(key), value))


def plain_cross_attention(layer: Any, x: Tensor, memory: SceneMemory) -> Tensor:
    query = layer.query_norm(split_heads(layer.query(x), layer.heads))
    return layer.out(plain_attention(query, memory.keys, memory.values))


def plain_forward(network: Any, context: Views) -> Gaussians:
    """The base architecture written down step by step, with attention as softmax of a full matrix of scores."""
    inputs = encoder_inputs(context.to(dtype=network.tokens.dtype), network.config)
    x = (network.image_embedding(inputs.images) + network.ray_embedding(inputs.rays)).flatten(1, 2)
    for block in network.encoder:
        x = x + block.self_scale * plain_self_attention(block.self_attention, block.self_norm(x))
        x = x + block.mlp_scale * plain_mlp(block.mlp, block.mlp_norm(x))
    memory = network.image_memory(network.readout_norms[0](x))
    tokens = network.initial_tokens(inputs.images.shape[0])
    for block in network.decoder:
        tokens = tokens + block.cross_scale * plain_cross_attention(
            block.cross_attention, block.cross_norm(tokens), memory
        )
        tokens = tokens + block.self_scale * plain_self_attention(block.self_attention, block.self_norm(tokens))
        tokens = tokens + block.mlp_scale * plain_mlp(block.mlp, block.mlp_norm(tokens))
    return network.head(tokens)


def plain_mlp(mlp: Any, x: Tensor) -> Tensor:
    return mlp.contract(F.gelu(mlp.expand(x)))


def random_network() -> TokenGSNetwork:
    """Weights in which every block counts: at their first values the branches would hardly be felt."""
    network = TokenGSNetwork(CONFIG).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("_scale"):
            parameter.data.normal_(0.6, 0.3)
    return network


def random_views(views: int = VIEWS, height: int = 128, width: int = 128) -> Views:
    c2w = torch.eye(4).repeat(1, views, 1, 1)
    c2w[..., 0, 3] = torch.linspace(0, 1, views)
    intrinsics = torch.tensor([[width, 0.0, width / 2], [0.0, width, height / 2], [0.0, 0.0, 1.0]])
    return Views(torch.rand(1, views, 3, height, width), c2w, intrinsics.expand(1, views, 3, 3))


def fastest(contestants: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Processor seconds of each one's best run, in turns: what else the machine does disturbs these little."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            if turn:  # the first turn warms caches and allocators
                seconds[name].append(time.process_time() - start)
    return {name: min(times) for name, times in seconds.items()}


def memory_bytes(context: Views, decoder_depth: int) -> int:
    network = TokenGSNetwork(replace(CONFIG, decoder_depth=decoder_depth))
    memory = network.encode(context)
    return sum(tensor.untyped_storage().nbytes() for tensor in {memory.keys, memory.values})


def cpu_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


@torch.no_grad()
def measure(repeats: int) -> dict[str, float | None]:
    torch.manual_seed(0)
    network, context = random_network(), random_views()
    rough = TokenGSNetwork(CONFIG, precision="bf16").eval()
    rough.load_state_dict(network.state_dict())
    contestants: dict[str, Callable[[], object]] = {
        "plain": lambda: plain_forward(network, context),
        "ours": lambda: network.decode(network.encode(context)),
    }
    native = bool(cpu_flags() & set(BF16_FLAGS))
    if native:
        contestants["bf16"] = lambda: rough.decode(rough.encode(context))
    times = fastest(contestants, repeats)

    exact, approximate = network.decode(network.encode(context)), rough.decode(rough.encode(context))
    extent = (exact.means - exact.means.mean(dim=1, keepdim=True)).square().sum(dim=-1).mean().sqrt()
    error = (exact.means - approximate.means).norm(dim=-1).mean() / extent
    few, many = memory_bytes(random_views(2), 1), memory_bytes(random_views(2), 12)
    return {
        "seconds_plain": times["plain"],
        "seconds_ours": times["ours"],
        "plain_over_ours": times["plain"] / times["ours"],
        "fp32_over_bf16": times["ours"] / times["bf16"] if native else None,
        "bf16_mean_error_of_scene": error.item(),
        "memory_bytes_per_image_token": memory_bytes(context, 6) / (VIEWS * 16 * 16),
        "memory_depth_12_over_depth_1": many / few,
        "memory_4_views_over_2_views": memory_bytes(context, 1) / few,
    }


def complaints(figures: dict[str, float | None], baseline: dict[str, float | None]) -> list[str]:
    """What is worse than the committed figures allow."""
    found = []
    for name in ("plain_over_ours", "fp32_over_bf16"):
        now, then = figures[name], baseline[name]
        if now is not None and then is not None and now < SLACK * then:
            found.append(f"{name} fell from {then:.2f} to {now:.2f}")
    for name in ("memory_bytes_per_image_token", "memory_depth_12_over_depth_1"):
        if figures[name] != baseline[name]:
            found.append(f"{name} changed from {baseline[name]} to {figures[name]}")
    error = figures["bf16_mean_error_of_scene"]
    if error is not None and error > 0.01:
        found.append(f"bf16 moves the Gaussians by {error:.2%} of the scene, more than 1 %")
    return found


def main(options: Options) -> int:
    torch.set_num_threads(options.threads)
    figures = measure(options.repeats)
    for name, value in figures.items():
        print(f"{name:32s} {'not measured: no bfloat16 in this CPU' if value is None else f'{value:.4g}'}")
    if options.write:
        baselines.write(BASELINE, figures, options.threads)
    return baselines.verdict(complaints(figures, baselines.read(BASELINE)) if options.check else [])


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Options)))
