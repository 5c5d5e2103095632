"""What a training scene of meshes costs against one of solids: drawn, traced, made a photo, in processor time.

Run without options to print the figures, with --check to compare them with the committed ones, with --write to
renew those. The ratio is what is compared: times depend on the machine and on what else it does.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import baselines
import numpy as np
import tyro

from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources, library_of
from tokengs_nerfstudio.data.procedural.meshes.photos import as_photographed
from tokengs_nerfstudio.data.procedural.meshes.tracing import mesh_scene, traced
from tokengs_nerfstudio.data.procedural.tracing import procedural_views

BASELINE = Path(__file__).with_suffix(".json")
VIEWS, SIDE = 8, 64
SLACK = 0.8
"""The ratio may fall to this share of the committed one before --check fails: what a busy machine costs."""
WANTED = 40.0
"""scenes a second that two quiet cores are to make"""


@dataclass
class Options(baselines.BaselineOptions):
    """Benchmark scenes of meshes with 8 views, one thread."""

    sources: MeshSources = field(default_factory=MeshSources)
    """meshes and textures, to be named; the committed figures are of those that the card of `tiny` names"""
    scenes: int = 40
    """how many are made"""
    repeats: int = 3
    """how often each is made; its best time counts"""
    tracer: Literal["cpu", "cuda"] = "cpu"
    """what follows the rays; on a GPU, time by the wall and not the processor's counts"""
    side: int = SIDE
    """of the pictures; the committed figures are of 64"""


def milliseconds(work: Callable[[int], object], scenes: int, repeats: int, clock: Callable[[], float]) -> float:
    """Mean over scenes of each one's best time."""
    best = np.full(scenes, np.inf)
    for _ in range(repeats):
        for scene in range(scenes):
            start = clock()
            work(scene)
            best[scene] = min(best[scene], clock() - start)
    return 1e3 * float(best.mean())


def measure(options: Options) -> baselines.Figures:
    config, count, side = MeshSceneConfig(options.sources, tracer=options.tracer), options.scenes, options.side
    clock = time.thread_time if options.tracer == "cpu" else time.perf_counter
    start = time.process_time()
    library = library_of(config.sources)
    loaded = time.process_time() - start

    def drawn(number: int):
        return mesh_scene(np.random.default_rng((number, VIEWS)), config, VIEWS)

    scenes = [drawn(number) for number in range(count)]
    pictures = [traced(library, scene, side, side, config)[0] for scene in scenes]
    procedural_views(0, VIEWS, side, side)  # compiled before the clock runs

    def measured(work: Callable[[int], object]) -> float:
        return milliseconds(work, count, options.repeats, clock)

    figures: baselines.Figures = {
        "seconds_library": loaded,
        "milliseconds_draw": measured(drawn),
        "milliseconds_trace": measured(lambda k: traced(library, scenes[k], side, side, config)),
        "milliseconds_photo": measured(
            lambda k: as_photographed(pictures[k], np.random.default_rng(k), config.photo),
        ),
        "milliseconds_solids": measured(lambda k: procedural_views(k, VIEWS, side, side)),
    }
    whole = sum(figures[f"milliseconds_{part}"] for part in ("draw", "trace", "photo"))
    figures["milliseconds_meshes"] = whole
    figures["scenes_per_second_on_two_cores"] = 2e3 / whole
    figures["solids_over_meshes"] = figures["milliseconds_solids"] / whole
    return figures


def complaints(figures: baselines.Figures, baseline: baselines.Figures) -> list[str]:
    """What is worse than the committed figures allow."""
    now, then = figures["solids_over_meshes"], baseline["solids_over_meshes"]
    return [f"solids_over_meshes fell from {then:.2f} to {now:.2f}"] if now < SLACK * then else []


def main(options: Options) -> int:
    pack = options.sources.pack
    if pack is None or not pack.is_file():
        print(f"not measured: there is no mesh pack {pack or 'named'}; name one with --sources.pack")
        return 0
    figures = measure(options)
    for name, value in figures.items():
        print(f"{name:32s} {value:.4g}")
    print(f"wanted of two quiet cores: {WANTED:.0f} scenes a second")
    if options.write:
        baselines.write(BASELINE, figures, threads=1)
    return baselines.verdict(complaints(figures, baselines.read(BASELINE)) if options.check else [])


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Options)))
