"""Every space of test-time tuning on the same captures, from the same start: quality over time.

Each combination of capture, image size, number of views and space is tuned once; held-out and supervised views are
looked at as it goes. Prints a table, and writes all curves as JSON and as a plot. Time is what one process needs
(wall clock and processor time), without reading photos and without looking at the held-out views.

    python scripts/compare_tuning.py --captures path/to/fox path/to/banana --views 4 8 0 --short-sides 128 256
"""

import json
import math
import os
import platform
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

import tokengs_nerfstudio
from tokengs_nerfstudio.core import Gaussians, SceneTuning, TokenGSNetwork, TuningConfig, Views, load_network
from tokengs_nerfstudio.core.device import cpu_name
from tokengs_nerfstudio.core.evaluation import score, shown, trivial_answers
from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.core.geometry.resize import level_size, resized
from tokengs_nerfstudio.core.preparation import PreparedScene, prepare
from tokengs_nerfstudio.core.tuning.seeds import random_gaussians
from tokengs_nerfstudio.core.types import Example, RenderConfig
from tokengs_nerfstudio.data import NerfstudioCapture, spread_views

RANDOM = "random gaussians"
CONSOLE = Console(width=int(os.environ.get("COLUMNS", 120)))


@dataclass(frozen=True)
class CompareTuning:
    """Compare the spaces of test-time tuning on captures."""

    captures: tuple[Path, ...]
    """folders of the captures"""
    weights: str = "tiny"
    """registered name or path of the weights"""
    views: tuple[int, ...] = (4, 8, 0)
    """numbers of views that are both context and supervision; 0: all train views supervised, context as trained"""
    short_sides: tuple[int, ...] = (128, 256)
    """shorter sides of the photos, in pixels"""
    spaces: tuple[str, ...] = ("tokens", "gaussians", "tokens+gaussians", RANDOM)
    """what is tuned; 'random gaussians' are direct optimisation without the network"""
    steps: int = 600
    """steps of each run"""
    looks: int = 8
    """how many times, evenly spread, the views are looked at"""
    every: int = 4
    """one in so many frames, by name, is held out"""
    first: int = 2
    """the first frame that is held out"""
    seed: int = 0
    """seed of the order of views and of the random start"""
    threads: int = 2
    """threads of torch and of the renderer"""
    tuning: TuningConfig = field(default_factory=TuningConfig)
    """everything else about the tuning"""
    output: Path = Path("outputs/compare_tuning")
    """folder for curves.json and curves.png"""


@dataclass(frozen=True)
class Task:
    """One capture at one size with one choice of views, in the network's frame."""

    capture: str
    short_side: int
    views: int
    scene: PreparedScene
    held_out: Views


def make_task(args: CompareTuning, network: TokenGSNetwork, folder: Path, short_side: int, count: int) -> Task:
    capture = NerfstudioCapture(folder)
    order = sorted(range(len(capture)), key=lambda index: capture.file_names[index])
    test = order[args.first :: args.every]
    train = [index for index in order if index not in set(test)]
    chosen = spread_views(capture.c2w, min(count or network.config.num_context, len(train)), train)
    size = level_size(*capture.image_size, min(capture.image_size) / short_side)
    supervised, held_out = (resized(capture.load(part), *size) for part in (chosen if count else train, test))
    scene = prepare(network, Example(capture.load(chosen), supervised))
    return Task(capture.name, short_side, count, scene, scene.to_canonical.views(held_out))


def looked_at(gaussians: Gaussians, views: Views, rendering: RenderConfig) -> dict[str, float]:
    return score(shown(gaussians, views, rendering), views.images).means()


def run(args: CompareTuning, network: TokenGSNetwork, task: Task, space: str) -> dict[str, Any]:
    """One tuning, with a look before the first step, after the last and evenly between."""
    wall, processor = time.perf_counter(), time.process_time()
    supervised, rendering = task.scene.example.target, network.config.rendering(task.scene.example)
    start = random_gaussians(supervised, network.num_gaussians, args.seed) if space == RANDOM else None
    config = args.tuning if start is not None else replace(args.tuning, space=space)  # type: ignore[arg-type]
    tuning = SceneTuning(network, task.scene, config, args.steps, start, args.seed)
    curve: list[dict[str, Any]] = []

    def look() -> None:
        nonlocal wall, processor
        spent, used = time.perf_counter() - wall, time.process_time() - processor
        splats = tuning.gaussians()
        held_out, seen = (looked_at(splats, views, rendering) for views in (task.held_out, supervised))
        point = {"step": tuning.steps_done, "seconds": spent, "cpu_seconds": used, "gaussians": splats.count}
        curve.append({**point, "held_out": held_out, "supervised": seen})
        wall, processor = time.perf_counter() - spent, time.process_time() - used

    look()
    while not tuning.finished:
        tuning.step()
        if tuning.finished or tuning.steps_done % max(1, args.steps // args.looks) == 0:
            look()
    about = {"capture": task.capture, "short_side": task.short_side, "views": task.views, "space": space}
    return {**about, "curve": curve, "report": asdict(tuning.report())}


def table_of(results: list[dict[str, Any]]) -> Table:
    table = Table(title="held-out views (supervised views in brackets)")
    for name in (
        "capture",
        "px",
        "views",
        "space",
        "start dB",
        "end dB",
        "SSIM",
        "step kept",
        "Gaussians",
        "s",
        "cpu s",
    ):
        table.add_column(name, justify="left" if name in ("capture", "space") else "right")
    for result in results:
        first, last = result["curve"][0], result["curve"][-1]
        table.add_row(
            result["capture"],
            str(result["short_side"]),
            str(result["views"] or "all"),
            result["space"],
            f"{first['held_out']['psnr']:.2f}",
            f"{last['held_out']['psnr']:.2f} ({last['supervised']['psnr']:.2f})",
            f"{last['held_out']['ssim']:.3f}",
            str(result["report"]["best_step"]),
            str(last["gaussians"]),
            f"{last['seconds']:.1f}",
            f"{last['cpu_seconds']:.1f}",
        )
    return table


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Held-out PSNR over processor time, one panel for each capture, size and number of views."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = sorted({(r["capture"], r["short_side"], r["views"] or math.inf) for r in results})
    columns = min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(4.6 * columns, 3.4 * rows), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    for axis, (capture, short_side, views) in zip(axes.flat, panels):
        for result in results:
            if (result["capture"], result["short_side"], result["views"] or math.inf) == (capture, short_side, views):
                times = [point["cpu_seconds"] for point in result["curve"]]
                axis.plot(times, [point["held_out"]["psnr"] for point in result["curve"]], ".-", label=result["space"])
        axis.set_title(f"{capture}, {short_side} px, {'all' if views == math.inf else views} views")
        axis.set_xlabel("processor seconds")
        axis.set_ylabel("held-out PSNR, dB")
        axis.grid(alpha=0.3)
    axes.flat[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main(args: CompareTuning) -> None:
    torch.set_num_threads(args.threads)
    network = load_network(args.weights)
    args.output.mkdir(parents=True, exist_ok=True)
    versions = {"tokengs_nerfstudio": tokengs_nerfstudio.__version__, "torch": torch.__version__}
    about = {"versions": versions, "python": platform.python_version(), "machine": cpu_name()}
    results: list[dict[str, Any]] = []
    trivial: dict[str, dict[str, float]] = {}
    cases = [(c, s, v) for c in args.captures for s in args.short_sides for v in args.views]
    for folder, short_side, count in track(cases, "comparing", console=CONSOLE):
        task = make_task(args, network, folder, short_side, count)
        case = f"{task.capture}, {short_side} px, {count or 'all'} views"
        trivial[case] = trivial_answers(task.scene.example.target, task.held_out)
        CONSOLE.print(f"{case}: " + ", ".join(f"{name} {value:.2f} dB" for name, value in trivial[case].items()))
        for space in args.spaces:
            results.append(run(args, network, task, space))
            record = {**about, "arguments": json.loads(json.dumps(asdict(args), default=str)), "trivial": trivial}
            record["results"] = results
            write_text(args.output / "curves.json", json.dumps(record, indent=1))
    CONSOLE.print(table_of(results))
    plot(results, args.output / "curves.png")
    CONSOLE.print(f"curves: {args.output / 'curves.json'}  {args.output / 'curves.png'}")


if __name__ == "__main__":
    main(tyro.cli(CompareTuning))
