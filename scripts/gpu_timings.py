"""What the method costs on a GPU, beside the paper's figures: one line of JSON per figure, written as it is known.

Weights and photos are random: neither the network's time nor the renderer's order of magnitude depends on them. Every
figure is the median of several runs after a warm-up, with the device idle before and after each.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from tokengs_nerfstudio.core import Gaussians, NetworkConfig, Similarity, TokenGSNetwork, TuningConfig, Views, tune
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.initial import InitialValues, initial_values
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.network_training import NetworkTraining
from tokengs_nerfstudio.core.tuning.config import StoppingConfig
from tokengs_nerfstudio.core.types import Example, RenderConfig
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig

Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


@dataclass(frozen=True)
class Sizes:
    """What is timed: the paper's sizes, or some that a CPU gets through in seconds."""

    network: NetworkConfig
    views: int
    gaussians: int
    tuning_steps: int
    presets: dict[str, NetworkConfig]
    batches: tuple[int, ...]
    repeats: int


# Tokens and head are drawn so that Gaussians lie all over the scene: at a network's start they sit on one point.
SPREAD = InitialValues(token_std=1.0, head_std=0.03, z=2.0, scale=0.01)
FULL = Sizes(
    network=PRESETS["base-6view"], views=6, gaussians=262_144, tuning_steps=50,
    presets={name: PRESETS[name] for name in ("tiny", "small")}, batches=(16, 96), repeats=7,
)  # fmt: skip
SMALL = Sizes(
    network=replace(PRESETS["tiny"], image_size=(32, 56), tokens=16), views=2, gaussians=512, tuning_steps=2,
    presets={"tiny": replace(PRESETS["tiny"], width=48, encoder_depth=1, decoder_depth=1, tokens=16)},
    batches=(2,), repeats=2,
)  # fmt: skip


class Timings:
    """The figures, on one device; each method gives (what, value, unit, the paper's value)."""

    def __init__(self, sizes: Sizes, device: str) -> None:
        self.sizes, self.device = sizes, device
        torch.manual_seed(0)
        self._network = TokenGSNetwork(sizes.network, initial=SPREAD).to(device).eval().requires_grad_(False)
        self._views = random_views(sizes.views, *sizes.network.image_size).to(device)
        self._scene = PreparedScene(Example(self._views, self._views), Similarity.identity(device=device))

    def median(self, function: Callable[[], object], repeats: int | None = None) -> float:
        """Seconds of one call."""
        elapsed = []
        for turn in range((repeats or self.sizes.repeats) + 1):
            self._wait()
            start = time.perf_counter()
            function()
            self._wait()
            elapsed += [time.perf_counter() - start] if turn else []
        return statistics.median(elapsed)

    def network(self) -> Iterator[tuple[str, float, str, float | None]]:
        height, width = self.sizes.network.image_size
        what = f"encode and decode {self.sizes.views} views {height}x{width}, {self.sizes.network.tokens} tokens"
        for precision in PRECISIONS:
            self._network.precision = precision
            with torch.no_grad():
                seconds = self.median(lambda: self._network.decode(self._network.encode(self._views.unsqueeze())))
            yield f"{what}, {precision}", seconds, "s", 0.085

    def tuning(self) -> Iterator[tuple[str, float, str, float | None]]:
        """One run each, of many steps as it is."""
        steps, all_views = self.sizes.tuning_steps, self.sizes.views
        runs: list[tuple[Precision, int]] = [("bf16", all_views), ("bf16", 2), ("fp32", all_views)]
        for precision, views in runs:
            self._network.precision = precision
            config = TuningConfig(space="tokens", stopping=StoppingConfig("steps"), views_per_step=views)
            tune(self._network, self._scene, config, min(steps, 3))
            self._wait()
            start = time.perf_counter()
            tune(self._network, self._scene, config, steps)
            self._wait()
            paper = 5.61 if views == all_views else None
            what = f"{steps} token-tuning steps, {views} views a step, {precision}"
            yield what, time.perf_counter() - start, "s", paper

    def rendering(self) -> Iterator[tuple[str, float, str, float | None]]:
        splats, views = random_gaussians(self.sizes.gaussians).to(self.device), self._views
        yield from self._rendered(splats, views, f"{splats.count:,} Gaussians in {views.num_views} views")
        one = random_gaussians(max(self.sizes.gaussians // 32, 64)).to(self.device)
        scenes, small = 8, random_views(4, 64, 64).to(self.device)
        together = Gaussians.stack([one] * scenes), Views.stack([small] * scenes)
        yield from self._rendered(*together, f"{scenes} scenes of {one.count:,} Gaussians in 4 views 64x64 at once")
        alone = self.median(lambda: [self._step(one, small) for _ in range(scenes)])
        yield f"render forward and backward, the {scenes} scenes one by one", 1e3 * alone, "ms", None

    def training(self) -> Iterator[tuple[str, float, str, float | None]]:
        for name, config in self.sizes.presets.items():
            for scenes in self.sizes.batches:
                example = batches(config, scenes).batch(0, 0.0).to(self.device)
                for precision in PRECISIONS:
                    training = self._training(name, config, precision)
                    seconds = self.median(lambda t=training, e=example: t.step(e, 0.1))
                    what = f"training {name}, {example.num_scenes} scenes a step, {precision}"
                    yield what, example.num_scenes / seconds, "scenes/s", None

    def _training(self, preset: str, config: NetworkConfig, precision: Precision) -> NetworkTraining:
        torch.manual_seed(0)
        network = TokenGSNetwork(config, precision, initial_values(preset))
        return NetworkTraining(network.to(self.device).train(), TrainingConfig(chunk=max(self.sizes.batches)))

    def _rendered(self, splats: Gaussians, views: Views, what: str) -> Iterator[tuple[str, float, str, float | None]]:
        with torch.no_grad():
            forward = self.median(lambda: self._picture(splats, views))
        yield f"render {what}, forward", 1e3 * forward, "ms", None
        yield f"render {what}, forward and backward", 1e3 * self.median(lambda: self._step(splats, views)), "ms", None

    def _picture(self, splats: Gaussians, views: Views) -> torch.Tensor:
        return render_cameras(splats, views.cameras, RenderConfig(), depth=False).rgb

    def _step(self, splats: Gaussians, views: Views) -> None:
        self._picture(splats.leaves(), views).square().mean().backward()

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def batches(network: NetworkConfig, scenes: int) -> Batches:
    """Those of a pretraining, with about so many scenes in a step."""
    return Batches(ProceduralCurriculumConfig().source(), network, BatchConfig(scenes=scenes))


def random_views(count: int, height: int, width: int) -> Views:
    """Noise seen by cameras side by side that look along z."""
    c2w = torch.eye(4).repeat(count, 1, 1)
    c2w[:, 0, 3] = torch.linspace(-0.5, 0.5, count)
    intrinsics = torch.tensor([[0.9 * width, 0, width / 2], [0, 0.9 * width, height / 2], [0, 0, 1]])
    return Views(torch.rand(count, 3, height, width), c2w, intrinsics.repeat(count, 1, 1))


def random_gaussians(count: int) -> Gaussians:
    """Small, half transparent ones in a box before the cameras."""
    means = torch.rand(count, 3) * torch.tensor([3.0, 2.0, 2.0]) + torch.tensor([-1.5, -1.0, 1.5])
    quats = torch.nn.functional.normalize(torch.randn(count, 4), dim=-1)
    return Gaussians(means, quats, 0.004 + 0.016 * torch.rand(count, 3), torch.rand(count), torch.rand(count, 3))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="file of JSON lines")
    parser.add_argument("--dry-run", action="store_true", help="small sizes, on the CPU")
    options = parser.parse_args()
    timings = Timings(SMALL, "cpu") if options.dry_run else Timings(FULL, "cuda")
    failed = 0
    figures = ("network", "rendering", "tuning", "training")
    for group in figures:
        with options.output.open("a", buffering=1) as file:
            try:
                for what, value, unit, paper in getattr(timings, group)():
                    paper = None if options.dry_run else paper  # which is of other sizes
                    file.write(json.dumps({"what": what, "value": value, "unit": unit, "paper": paper}) + "\n")
            # One figure that cannot be had, for want of memory say, must not cost the others.
            except Exception as error:
                failed += 1
                file.write(json.dumps({"what": group, "message": f"{type(error).__name__}: {error}"}) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
