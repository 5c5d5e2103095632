"""Feed-forward quality of weights on captures, beside two answers that need no method.

Frames sorted by file name, every fourth from the third on held out; the context is the sampler's choice among the rest.

    python scripts/feed_forward.py --captures path/to/fox path/to/banana --weights tiny runs/x/network.safetensors
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from PIL import Image
from rich.console import Console
from rich.table import Table
from torchvision.transforms.functional import to_pil_image

from tokengs_nerfstudio.core import load_network
from tokengs_nerfstudio.core.evaluation import score, shown, trivial_answers
from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.core.geometry.resize import level_size, resized
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import prepare
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data import NerfstudioCapture, spread_views


@dataclass(frozen=True)
class FeedForward:
    """Measure weights on captures, without tuning."""

    captures: tuple[Path, ...]
    """folders of the captures"""
    weights: tuple[str, ...] = ("tiny",)
    """registered names or paths"""
    views: tuple[int, ...] = (4,)
    """numbers of context views"""
    short_side: int = 128
    """shorter side of the photos that are compared, in pixels"""
    every: int = 4
    """one in so many frames, by name, is held out"""
    first: int = 2
    """the first frame that is held out"""
    pictures: Path | None = None
    """a picture: true and rendered views of every capture, side by side"""
    output: Path | None = None
    """a JSON file with all figures"""


def split(args: FeedForward, folder: Path, count: int) -> tuple[Views, Views]:
    """Context and held-out views at the size that is compared."""
    capture = NerfstudioCapture(folder)
    order = sorted(range(len(capture)), key=lambda index: capture.file_names[index])
    test = order[args.first :: args.every]
    train = [index for index in order if index not in set(test)]
    chosen = spread_views(capture.c2w, min(count, len(train)), train)
    size = level_size(*capture.image_size, min(capture.image_size) / args.short_side)
    return capture.load(chosen), resized(capture.load(test), *size, "area")


@torch.no_grad()
def rendered(network: TokenGSNetwork, context: Views, asked: Views) -> torch.Tensor:
    scene = prepare(network, Example(context, asked))
    splats = network(scene.example.context.unsqueeze()).squeeze()
    return shown(splats, scene.example.target, network.config.rendering(scene.example)).clamp(0, 1)


def sheet(rows: list[tuple[Views, list[torch.Tensor]]], height: int = 96, most: int = 4) -> Image.Image:
    """One row a capture: true views, then those of each network."""
    strips = []
    for asked, pictures in rows:
        places = torch.linspace(0, asked.num_views - 1, min(most, asked.num_views)).long()
        parts = torch.cat([images[places] for images in (asked.images, *pictures)])
        strips.append(to_pil_image(torch.cat(list(parts), dim=-1)))
    strips = [strip.resize((round(strip.width * height / strip.height), height)) for strip in strips]
    whole = Image.new("RGB", (max(strip.width for strip in strips), height * len(strips)))
    for number, strip in enumerate(strips):
        whole.paste(strip, (0, number * height))
    return whole


def main(args: FeedForward) -> None:
    networks = {name: load_network(name).eval() for name in args.weights}
    console, figures, rows = Console(width=160), [], []
    for count in args.views:
        columns = ["mean colour", "nearest photo", *networks]
        table = Table("capture", *columns, title=f"held-out PSNR (dB), {count} context views")
        sums = dict.fromkeys(columns, 0.0)
        for folder in args.captures:
            context, asked = split(args, folder, count)
            small = resized(context, asked.height, asked.width, "area")
            pictures = [rendered(network, context, asked) for network in networks.values()]
            scores = {name: score(images, asked.images).means() for name, images in zip(networks, pictures)}
            values = trivial_answers(small, asked) | {name: value["psnr"] for name, value in scores.items()}
            figures.append({"capture": folder.name, "views": count, "psnr": values, "scores": scores})
            rows.append((asked, pictures))
            sums = {name: sums[name] + values[name] for name in columns}
            table.add_row(folder.name, *(f"{values[name]:.2f}" for name in columns))
        table.add_row("mean", *(f"{sums[name] / len(args.captures):.2f}" for name in columns))
        console.print(table)
    if args.output is not None:
        write_text(args.output, json.dumps(figures, indent=2) + "\n")
    if args.pictures is not None:
        sheet(rows).save(args.pictures)


if __name__ == "__main__":
    main(tyro.cli(FeedForward))
