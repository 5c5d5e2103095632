"""What one step of token tuning costs, against the naive step that does everything again.

Naive: encode, decode, colour and depth of all views, gradients for every weight of the network. Ours: the memory is
kept, no depth is rendered, the weights are frozen, a few views a step. Both run in turns in one process, so that other
load on the machine meets both alike; compare the ratio, not the milliseconds of two machines. --check compares the
ratios with the committed ones, --write renews those.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import baselines
import torch
import tyro

from tokengs_nerfstudio.core import (
    SceneTuning,
    Similarity,
    TokenGSNetwork,
    TuningConfig,
    Views,
    load_network,
    render,
)
from tokengs_nerfstudio.core.losses import l1, ssim
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.initial import initial_values
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.tuning.config import StoppingConfig, TokenStageConfig
from tokengs_nerfstudio.core.types import Example

BASELINE = Path(__file__).with_suffix(".json")
SLACK = 0.8
"""A ratio may fall to this share of the committed one before --check fails: what the noise of a busy machine costs."""


@dataclass
class BenchmarkTuning(baselines.BaselineOptions):
    """Time the step of token tuning against the naive step."""

    weights: str = ""
    """registered name or path of weights; empty: random weights of `preset`"""
    preset: str = "tiny"
    """architecture of the random weights"""
    views: int = 4
    """number of context views, all of them supervised"""
    supervised_size: int = 128
    """height and width of the supervised images; the context has the size the network was trained with"""
    repeats: int = 20
    """timed steps of each kind"""
    threads: int = 2
    """threads of torch and of the renderer"""


def random_views(count: int, height: int, width: int) -> Views:
    """Noise seen by cameras side by side."""
    c2w = torch.eye(4).repeat(count, 1, 1)
    c2w[:, 0, 3] = torch.linspace(-0.5, 0.5, count)
    focal = 1.2 * width
    intrinsics = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]).repeat(count, 1, 1)
    return Views(torch.rand(count, 3, height, width), c2w, intrinsics)


def naive_step(network: TokenGSNetwork, context: Views, supervised: Views) -> Callable[[], None]:
    tokens = network.initial_tokens(1).detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([tokens], lr=1e-4)
    size = (supervised.width, supervised.height)

    def step() -> None:
        splats = network.decode(network.encode(context.unsqueeze()), tokens).squeeze()
        rgb = render(splats, supervised.c2w, supervised.intrinsics, *size, depth=True).rgb
        loss = 0.8 * l1(rgb, supervised.images) + 0.2 * (1 - ssim(rgb, supervised.images))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        network.zero_grad()

    return step


def milliseconds(steps: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median wall time of each kind of step, taken in turns after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def measure(args: BenchmarkTuning) -> dict[str, float]:
    torch.manual_seed(0)

    def fresh() -> TokenGSNetwork:
        torch.manual_seed(0)
        if args.weights:
            return load_network(args.weights)
        return TokenGSNetwork(PRESETS[args.preset], initial=initial_values(args.preset))

    naive, ours = fresh(), fresh()
    context = random_views(args.views, *naive.config.image_size)
    supervised = random_views(args.views, args.supervised_size, args.supervised_size)
    planned = 10 * (args.repeats + 1)
    exact, sharp = StoppingConfig(rule="steps"), TokenStageConfig(resolution=100.0)
    full = TuningConfig(space="tokens", stopping=exact, views_per_step=args.views, tokens=sharp)
    subset = TuningConfig(space="tokens", stopping=exact)
    scene = PreparedScene(Example(context, supervised), Similarity.identity())
    steps: dict[str, Callable[[], object]] = {
        "naive": naive_step(naive, context, supervised),
        "all_views": SceneTuning(ours, scene, full, planned).step,
        "as_shipped": SceneTuning(ours, scene, subset, planned).step,
    }
    times = milliseconds(steps, args.repeats)
    figures = {f"milliseconds_{name}": value for name, value in times.items()}
    return figures | {f"naive_over_{name}": times["naive"] / times[name] for name in ("all_views", "as_shipped")}


def complaints(figures: dict[str, float], baseline: dict[str, float]) -> list[str]:
    """What is worse than the committed ratios allow."""
    pairs = [(name, figures[name], baseline[name]) for name in baseline if name.startswith("naive_over")]
    return [f"{name} fell from {then:.2f} to {now:.2f}" for name, now, then in pairs if now < SLACK * then]


def main(args: BenchmarkTuning) -> int:
    torch.set_num_threads(args.threads)
    figures = measure(args)
    for name, value in figures.items():
        print(f"{name:28s} {value:.3g}")
    if args.write:
        baselines.write(BASELINE, figures, args.threads)
    return baselines.verdict(complaints(figures, baselines.read(BASELINE)) if args.check else [])


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(BenchmarkTuning)))
