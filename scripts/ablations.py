"""What each part of the method brings, in small: tables over held-out procedural scenes.

Number of context views, number of tokens, what is tuned (near the context views and far from them), errors in the
poses; with several weight files, feed-forward quality of each. Every table is written to one JSON as soon as it is
there. Time is processor time of this process.

    python scripts/ablations.py --weights tiny runs/no_visibility/network.safetensors
"""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch import Tensor

from tokengs_nerfstudio.core import Gaussians, Similarity, TokenGSNetwork, TuningConfig, Views, load_network, tune
from tokengs_nerfstudio.core.device import cpu_name
from tokengs_nerfstudio.core.evaluation import view_psnr
from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.core.geometry.disturbance import disturbed
from tokengs_nerfstudio.core.network.token_count import resize_network
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.tuning.budget import contributing
from tokengs_nerfstudio.core.tuning.config import CameraConfig, GaussianStageConfig
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.procedural import FIRST_HELD_OUT
from tokengs_nerfstudio.data.procedural.tracing import procedural_batch

CONSOLE = Console(width=int(os.environ.get("COLUMNS", 120)))
Row = dict[str, Any]


@dataclass(frozen=True)
class Ablations:
    """Ablations on procedural scenes that no training has seen."""

    weights: tuple[str, ...] = ("tiny",)
    """registered names or paths; all tables but that of the weights are made with the first"""
    scenes: int = 12
    """number of scenes"""
    side: int = 64
    """height and width of context and targets, in pixels"""
    targets: int = 8
    """novel views of each scene"""
    views: tuple[int, ...] = (2, 4, 8, 12)
    """numbers of context views"""
    tokens: tuple[int, ...] = (64, 128, 256, 512, 1024)
    """numbers of tokens"""
    spaces: tuple[str, ...] = ("tokens", "gaussians", "tokens+gaussians")
    """what is tuned on four context views"""
    steps: int = 100
    """steps of each tuning"""
    noise: tuple[float, ...] = (0.0, 1.0, 2.0)
    """pose errors of the context: degrees, and percent of the largest baseline"""
    seed: int = 0
    """seed of tunings and pose errors"""
    threads: int = 2
    """threads of torch and of the renderer"""
    tables: tuple[str, ...] = ("weights", "views", "tokens", "spaces", "poses")
    """which tables are made"""
    output: Path = Path("outputs/ablations.json")
    """where the numbers go"""


def far_views(scene: Example) -> Tensor:
    """Which half of the targets is farther from its nearest context camera than the other half."""
    distance = torch.cdist(scene.target.c2w[:, :3, 3], scene.context.c2w[:, :3, 3]).min(dim=1).values
    return distance > distance.median()


def scenes(args: Ablations, network: TokenGSNetwork, count: int) -> Iterator[Example]:
    """Scenes in the network's frame with `count` context views; targets are the same whatever the count."""
    most = max(*args.views, 4)
    for seed in range(FIRST_HELD_OUT, FIRST_HELD_OUT + args.scenes):
        views = procedural_batch([seed], most + args.targets, args.side, args.side).squeeze()
        moved = network.config.rule.of(views.c2w[:count]).views(replace(views, depths=None))
        yield Example(moved.select(slice(0, count)), moved.select(slice(most, None)))


def tuned(
    network: TokenGSNetwork, context: Views, config: TuningConfig | None = None, steps: int = 0, seed: int = 0
) -> Gaussians:
    """The Gaussians of context views in the network's frame, which supervise too."""
    scene = PreparedScene(Example(context, context), Similarity.identity())
    return tune(network, scene, config or TuningConfig(), steps, seed)


def measured(
    args: Ablations, name: str, count: int, network: TokenGSNetwork, make: Callable[[Views], Gaussians]
) -> Row:
    """Means over the scenes: PSNR of near and far targets, share of Gaussians that the context shows, seconds."""
    near, far, shown, seconds = [], [], [], 0.0
    for scene in scenes(args, network, count):
        started = time.process_time()
        splats = make(scene.context)
        seconds += time.process_time() - started
        rendering = network.config.rendering(scene)
        values, chosen = view_psnr(splats, scene.target, rendering), far_views(scene)
        near.append(values[~chosen].mean())
        far.append(values[chosen].mean())
        shown.append(contributing(splats, scene.context, rendering) / splats.count)
    mean = {key: float(torch.tensor(column).mean()) for key, column in (("near", near), ("far", far), ("shown", shown))}
    return {"what": name, "psnr": (mean["near"] + mean["far"]) / 2, **mean, "cpu seconds": seconds / args.scenes}


def weights_table(args: Ablations) -> Iterator[Row]:
    for source in args.weights:
        network = load_network(source)
        yield measured(args, source, 4, network, lambda context, n=network: tuned(n, context))


def views_table(args: Ablations) -> Iterator[Row]:
    network = load_network(args.weights[0])
    for count in args.views:
        yield measured(args, f"{count} views", count, network, lambda context: tuned(network, context))


def tokens_table(args: Ablations) -> Iterator[Row]:
    """Feed-forward, and with the tokens tuned: repeated tokens only part under tuning."""
    config = TuningConfig(space="tokens", supervision="context")
    for count in args.tokens:
        network = resize_network(load_network(args.weights[0]), tokens=count)
        for name, steps in (("feed-forward", 0), ("tuned", args.steps)):
            make = lambda context, n=network, s=steps: tuned(n, context, config, s, args.seed)  # noqa: E731
            yield measured(args, f"{count} tokens, {name}", 4, network, make)


def spaces_table(args: Ablations) -> Iterator[Row]:
    network = load_network(args.weights[0])
    yield measured(args, "feed-forward", 4, network, lambda context: tuned(network, context))
    for space in args.spaces:
        for reseed in (False, True) if "gaussians" in space else (False,):
            stage = GaussianStageConfig(reseed=reseed)
            config = TuningConfig(space=space, gaussians=stage)  # type: ignore[arg-type]
            make = lambda context, c=config: tuned(network, context, c, args.steps, args.seed)  # noqa: E731
            yield measured(args, space + (", reseeded" if reseed else ""), 4, network, make)


def poses_table(args: Ablations) -> Iterator[Row]:
    network = load_network(args.weights[0])
    for amount in args.noise:
        for refine in (False, True):
            config = TuningConfig(space="tokens", cameras=CameraConfig(pose_rate=1e-3 if refine else 0.0))

            def make(context: Views, config: TuningConfig = config, amount: float = amount) -> Gaussians:
                wrong = disturbed(context, amount, amount / 100, args.seed)
                return tuned(network, wrong, config, args.steps, args.seed)

            name = f"{amount:g} degrees, {amount:g} % of the baseline" + (", refined" if refine else "")
            yield measured(args, name, 4, network, make)


TABLES: dict[str, Callable[[Ablations], Iterator[Row]]] = {
    "weights": weights_table,
    "views": views_table,
    "tokens": tokens_table,
    "spaces": spaces_table,
    "poses": poses_table,
}


def printed(name: str, rows: list[Row]) -> Table:
    table = Table(title=f"{name}: PSNR of novel views in dB")
    for column in rows[0]:
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else f"{value:.2f}" for value in row.values()))
    return table


def main(args: Ablations) -> None:
    unknown = set(args.tables) - set(TABLES)
    if unknown:
        raise SystemExit(f"unknown tables {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    torch.set_num_threads(args.threads)
    about = {"torch": torch.__version__, "python": platform.python_version(), "machine": cpu_name()}
    record = {**about, "arguments": json.loads(json.dumps(asdict(args), default=str)), "tables": {}}
    args.output.parent.mkdir(parents=True, exist_ok=True)
    for name in args.tables:
        record["tables"][name] = list(TABLES[name](args))
        write_text(args.output, json.dumps(record, indent=1))
        CONSOLE.print(printed(name, record["tables"][name]))


if __name__ == "__main__":
    main(tyro.cli(Ablations))
