"""Speed of the CPU renderer, forward and backward: against the torch reference, over threads, beside torch's pool.

Run without options to print the figures, with --check to compare them with the committed ones, with --write to
renew those. Ratios are what is compared: times depend on the machine, ratios much less.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import baselines
import torch
import tyro
from torch import Tensor

from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.types import Gaussians

BASELINE = Path(__file__).with_suffix(".json")
SLACK = 0.8
"""A ratio may fall to this share of the committed one before --check fails: what the noise of a busy machine costs."""
LEAST_OVER_TORCH = 40.0
LEAST_WHEN_QUIET = {"one_thread_over_several": 1.6, "alone_over_beside_torch": 0.85}
"""Wall-clock ratios of two threads; they say nothing while other programs use the cores."""


@dataclass
class Options(baselines.BaselineOptions):
    """Benchmark render() with its gradient on the CPU: 65,536 Gaussians at 256x256, and a training batch."""

    repeats: int = 7
    """how often each case runs, in turns; the torch reference, which needs about 8 GB, runs once"""
    threads: int = 2
    """threads to compare with one"""


@dataclass(frozen=True)
class Case:
    """Gaussians of some scenes with gradients, and the cameras around each."""

    splats: Gaussians
    c2w: Tensor
    intrinsics: Tensor
    size: int

    def step(self, backend: Literal["numba", "torch"]) -> None:
        """One forward and backward pass, with gradients of every Gaussian."""
        renders = render(self.splats, self.c2w, self.intrinsics, self.size, self.size, backend=backend)
        assert renders.depth is not None
        torch.autograd.backward(
            [renders.rgb, renders.depth], [torch.ones_like(renders.rgb), torch.ones_like(renders.depth)]
        )
        for _, values in self.splats.tensors():
            values.grad = None


def random_case(scenes: int, views: int, gaussians: int, size: int) -> Case:
    """Small Gaussians in a cube of side 1.4, and cameras before it, 2.2 away, side by side."""
    g = torch.Generator().manual_seed(0)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(scenes, gaussians, *shape, generator=g)

    leaves = [
        (uniform(3) - 0.5) * 1.4,
        torch.nn.functional.normalize(uniform(4) - 0.5, dim=-1),
        0.005 * 10 ** uniform(3),
        0.1 + 0.8 * uniform(),
        uniform(3),
    ]
    c2w = torch.eye(4).repeat(scenes, views, 1, 1)
    c2w[..., 0, 3] = torch.linspace(-0.2, 0.2, views)
    c2w[..., 2, 3] = -2.2
    intrinsics = torch.tensor([[1.1 * size, 0.0, size / 2], [0.0, 1.1 * size, size / 2], [0.0, 0.0, 1.0]])
    splats = Gaussians(*[leaf.requires_grad_() for leaf in leaves])
    return Case(splats, c2w, intrinsics.expand(scenes, views, 3, 3), size)


def seconds(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    run()
    return clock() - start


def with_threads(threads: int, run: Callable[[], None]) -> Callable[[], float]:
    def timed() -> float:
        torch.set_num_threads(threads)
        return seconds(run)

    return timed


def beside_torch(threads: int, run: Callable[[], None]) -> Callable[[], float]:
    """Timed right after torch's own threads had work, while they still spin for more."""
    matrix = torch.rand(512, 512)

    def timed() -> float:
        torch.set_num_threads(threads)
        torch.mm(matrix, matrix)
        return seconds(run)

    return timed


def fastest(contestants: dict[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Seconds of each one's best run, in turns; the first turn warms caches and does not count."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, timed in contestants.items():
            elapsed = timed()
            if turn:
                times[name].append(elapsed)
    return {name: min(each) for name, each in times.items()}


def processor_seconds(case: Case, backend: Literal["numba", "torch"], repeats: int) -> float:
    """On one thread; what else the machine does disturbs these little."""
    torch.set_num_threads(1)
    return min(seconds(lambda: case.step(backend), time.process_time) for _ in range(repeats))


def measure(options: Options) -> dict[str, float]:
    large, batch = random_case(1, 1, 65536, 256), random_case(8, 3, 8192, 64)
    times = fastest(
        {
            "one": with_threads(1, lambda: large.step("numba")),
            "several": with_threads(options.threads, lambda: large.step("numba")),
            "beside": beside_torch(options.threads, lambda: large.step("numba")),
            "batch_one": with_threads(1, lambda: batch.step("numba")),
            "batch_several": with_threads(options.threads, lambda: batch.step("numba")),
        },
        options.repeats,
    )
    ours = processor_seconds(large, "numba", options.repeats)
    return {
        "torch_over_numba": processor_seconds(large, "torch", 1) / ours,
        "one_thread_over_several": times["one"] / times["several"],
        "one_thread_over_several_batch": times["batch_one"] / times["batch_several"],
        "alone_over_beside_torch": times["several"] / times["beside"],
        "milliseconds_large": 1e3 * ours,
        "milliseconds_batch": 1e3 * processor_seconds(batch, "numba", options.repeats),
    }


def is_quiet() -> bool:
    """Whether less than half a core was busy over the last minute."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] < 0.5


def complaints(figures: dict[str, float], baseline: dict[str, float], quiet: bool) -> list[str]:
    """What is worse than the committed figure, or than what was promised, allows."""
    now, then = figures["torch_over_numba"], baseline["torch_over_numba"]
    least = max(SLACK * then, LEAST_OVER_TORCH)
    found = [f"torch_over_numba is {now:.1f}, committed {then:.1f}, least {least:.1f}"] if now < least else []
    for name, least in LEAST_WHEN_QUIET.items() if quiet else ():
        if figures[name] < least:
            found.append(f"{name} is {figures[name]:.2f}, least {least:.2f}")
    return found


def main(options: Options) -> int:
    quiet = is_quiet()
    figures = measure(options)
    for name, value in figures.items():
        print(f"{name:32s} {value:.4g}")
    if options.write:
        baselines.write(BASELINE, figures, options.threads, quiet=quiet)
    if not quiet:
        print("the machine was busy before: the ratios of wall times say little and are not checked")
    return baselines.verdict(complaints(figures, baselines.read(BASELINE), quiet) if options.check else [])


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Options)))
