"""What a step of training costs on one core, part by part, in milliseconds of processor time a scene.

One process and one thread, the best of several runs: other load on the machine then matters least. Every part is run
again on the very inputs that the step gave it. --check compares how the step relates to plain float32 matrix products,
which depends little on the machine, with the committed ratios; --write renews those.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import baselines
import numpy as np
import torch
import tyro
from torch import Tensor, nn

from tokengs_nerfstudio.core import TokenGSNetwork, load_network
from tokengs_nerfstudio.core.losses import reconstruction_loss
from tokengs_nerfstudio.core.network.sweep import sweep_costs, swept
from tokengs_nerfstudio.core.records import TensorRecord
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.gradients import predict, render_targets, scene_gradients
from tokengs_nerfstudio.core.training.network_training import NetworkTraining
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.source import BatchShape

BASELINE = Path(__file__).with_suffix(".json")
YARDSTICK = 512
"""Products of square matrices of this size are what a step is compared with."""
SLACK = 1.3
"""A ratio may grow by this before --check fails: what the noise of a busy machine costs."""

Figures = dict[str, float]


@dataclass
class BenchmarkTraining(baselines.BaselineOptions):
    """Time one training step of `tiny` at 64 px, 4 + 4 views, by part."""

    weights: str = "tiny"
    """registered name or path of the weights"""
    scenes: int = 8
    """scenes in the step"""
    side: int = 64
    """height and width of the images"""
    precision: Literal["fp32", "bf16"] = "fp32"
    """arithmetic of encoder and decoder"""
    repeats: int = 8
    """timed runs of each part"""
    json: Path | None = None
    """also write the figures to this file"""


def best(run: Callable[[], object], repeats: int) -> float:
    """Processor time of the fastest of `repeats` runs after one that is not counted, in milliseconds."""
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        run()
        times.append(1e3 * (time.process_time() - start))
    return min(times[1:])


def procedural_example(network: TokenGSNetwork, scenes: int, side: int) -> Example:
    """Usual procedural scenes: four context views, three novel targets and one that is shown."""
    batches = Batches(ProceduralCurriculumConfig().source(), network.config)
    shape = BatchShape(scenes, context=4, novel=3, shown=1, height=side, width=side)
    return batches.placed(batches.source.draw(shape, np.random.default_rng(0), 1.0))


def measure(options: BenchmarkTraining) -> Figures:
    """Milliseconds a scene of every part, and ratios to plain matrix products."""
    network = load_network(options.weights, precision=options.precision).train().requires_grad_(True)
    example = procedural_example(network, options.scenes, options.side)
    training = NetworkTraining(network, TrainingConfig())
    whole = best(lambda: training.step(example, 0.0), options.repeats)
    network_ms = _network(network, example, options.repeats)
    parts = {**network_ms, **_pictures(network, example, options.repeats), **_updates(training, example, options)}
    figures = {name: value / options.scenes for name, value in {**parts, "step": whole}.items()}
    product = best(_yardstick(), 4 * options.repeats)
    step_gflop = 6e-9 * options.scenes * multiplications(network, options.side)
    ideal = product * step_gflop / (2e-9 * YARDSTICK**3)
    return {
        **figures,
        "gflop_per_scene": step_gflop / options.scenes,
        "gflop_per_second": 2e-6 * YARDSTICK**3 / product,
        "network_over_products": sum(network_ms.values()) / ideal,
        "step_over_products": whole / ideal,
    }


def multiplications(network: TokenGSNetwork, side: int, views: int = 4) -> float:
    """Of one scene's forward pass, in linear layers, convolutions and attention."""
    config = network.config
    patches, tokens, pixels = views * (side // config.patch_size) ** 2, network.num_tokens, config.patch_size**2
    sizes = {"encoder": patches, "image_memory": patches, "decoder": tokens, "head": tokens}
    weights = {name: sum(p.numel() for p in getattr(network, name).parameters() if p.ndim > 1) for name in sizes}
    linear = sum(sizes[name] * weights[name] for name in sizes) + patches * 9 * pixels * config.width
    if network.surface_head is not None:
        convolutions = [part for part in network.surface_head.modules() if isinstance(part, nn.Conv2d)]
        linear += patches * network.surface_head.side**2 * sum(part.weight.numel() for part in convolutions)
    pairs = config.encoder_depth * patches**2 + config.decoder_depth * tokens * (patches + tokens)
    return linear + 2 * config.width * pairs


def _network(network: TokenGSNetwork, example: Example, repeats: int) -> Figures:
    """The plane sweep, and what else becomes of photos and of tokens, there and back."""
    context = example.context
    swept_once = best(lambda: swept(context, sweep_costs(context)), repeats) if network.config.sweep else 0.0
    memory = network.encode(context)
    encode = best(lambda: _back(network.encode(context)), repeats)
    decode = best(lambda: _back(network.decode(memory.leaves())), repeats)
    network.zero_grad(set_to_none=True)
    return {"sweep": swept_once, "encode": encode - swept_once, "decode": decode}


def _back(result: TensorRecord) -> None:
    tensors = [tensor for _, tensor in result.tensors() if tensor.requires_grad]
    torch.autograd.backward(tensors, [torch.ones_like(tensor) for tensor in tensors])


def _pictures(network: TokenGSNetwork, example: Example, repeats: int) -> Figures:
    """Rendering and losses, forwards and backwards."""
    rendering, config = network.config.rendering(example), TrainingConfig()
    with torch.no_grad():
        splats = predict(network, example)
        renders = render_targets(splats, example, rendering, depth=True)

    def draw() -> Any:
        return render_targets(splats.leaves(), example, rendering, depth=True)

    def draw_and_back() -> None:
        drawn = draw()
        torch.autograd.backward([drawn.rgb, drawn.depth], [torch.ones_like(drawn.rgb), torch.ones_like(drawn.depth)])

    def compare() -> None:
        reconstruction_loss(renders.leaves(), example.target, splats.leaves(), config.loss).total.backward()

    forward = best(draw, repeats)
    backward = max(best(draw_and_back, repeats) - forward, 0.0)
    return {"rendering": forward, "rendering_backward": backward, "loss": best(compare, repeats)}


def _updates(training: NetworkTraining, example: Example, options: BenchmarkTraining) -> Figures:
    """The optimizers, by class, and the norm of the gradient."""
    network, config = training.network, training.config
    scene_gradients(network, example[:1], network.config.rendering, config, 1)
    times = {"clip": best(lambda: nn.utils.clip_grad_norm_(network.parameters(), config.clip), options.repeats)}
    for optimizer in training.optimizers:
        name = type(optimizer).__name__.lower()
        times[name] = times.get(name, 0.0) + best(optimizer.step, options.repeats)
    return times


def _yardstick() -> Callable[[], Tensor]:
    left, right = torch.randn(2, YARDSTICK, YARDSTICK)
    return lambda: left @ right


def complaints(figures: Figures, baseline: Figures) -> list[str]:
    """What is worse than the committed ratios allow."""
    pairs = [(name, figures[name], baseline[name]) for name in ("network_over_products", "step_over_products")]
    return [f"{name} rose from {then:.2f} to {now:.2f}" for name, now, then in pairs if now > SLACK * then]


def main(options: BenchmarkTraining) -> int:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    figures = measure(options)
    for name, value in figures.items():
        print(f"{name:28s} {value:.3g}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    if options.write:
        baselines.write(BASELINE, figures, threads=1)
    return baselines.verdict(complaints(figures, baselines.read(BASELINE)) if options.check else [])


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(BenchmarkTraining)))
