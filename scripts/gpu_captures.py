"""Captures reconstructed on a GPU: ours beside gsplat's default strategy from SfM points, in equal seconds.

Both are tuned by the same code at the same rates; the other one starts from the points alone, without a network's
Gaussians, and densifies as gsplat does. Every fourth photo, from the third on, is held out. One line of JSON a figure.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from tokengs_nerfstudio.core import TokenGSNetwork, TuningConfig, load_network
from tokengs_nerfstudio.core.evaluation import score, shown
from tokengs_nerfstudio.core.geometry.resize import level_size, resized
from tokengs_nerfstudio.core.reconstruct import reconstruct_scene
from tokengs_nerfstudio.core.tuning.settings import with_settings
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data import NerfstudioCapture, spread_views

EVERY, FIRST = 4, 2
GSPLATS = {
    "space": "gaussians",
    "trials": False,
    "gaussians.points": "alone",
    "gaussians.stereo": 0,
    "gaussians.densification": "gsplat-default",
    "stopping.rule": "steps",
}
# By what they are asked for by: how they are called, and how they tune.
WAYS = {"ours": ("ours", {}), "gsplat": ("gsplat's default from SfM points", GSPLATS)}


def compared(
    network: TokenGSNetwork, folder: Path, seconds: float, short_side: int, device: str, wanted: Sequence[str]
) -> list[dict]:
    """The figures of one capture, of the ways that are wanted."""
    capture = NerfstudioCapture(folder)
    order = sorted(range(len(capture)), key=lambda index: capture.file_names[index])
    held_out = order[FIRST::EVERY]
    train = [index for index in order if index not in set(held_out)]
    size = level_size(*capture.image_size, max(min(capture.image_size) / short_side, 1.0))
    seen, unseen = (resized(capture.load(part), *size).to(device) for part in (train, held_out))
    context = seen.select([train.index(index) for index in spread_views(capture.c2w, 4, train)])
    points = capture.points()
    points = None if points is None else points.to(device, torch.float32)
    found = []
    for way in wanted:
        if way == "gsplat" and points is None:
            continue
        name, settings = WAYS[way]
        tuning = with_settings(TuningConfig(), settings)
        began = time.perf_counter()
        baked = reconstruct_scene(network, Example(context, seen), tuning, seconds=seconds, points=points)
        _wait(device)
        taken = time.perf_counter() - began
        splats = baked.at()
        scores = score(shown(splats, unseen, baked.rendering), unseen.images).means()
        what = f"{folder.name}, {len(train)} photos {size[1]}x{size[0]}, {seconds:g} s, {name}"
        found += [
            {"what": what, "value": scores["psnr"], "unit": "dB", "paper": None},
            {"what": f"{what}: SSIM", "value": scores["ssim"], "unit": "", "paper": None},
            {"what": f"{what}: time", "value": taken, "unit": "s", "paper": None},
            {"what": f"{what}: Gaussians", "value": splats.count, "unit": "", "paper": None},
        ]
    return found


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="file of JSON lines")
    parser.add_argument("--captures", type=Path, nargs="+", required=True, help="folders with a transforms.json")
    parser.add_argument("--seconds", type=float, nargs="+", default=[20.0], help="for each reconstruction")
    parser.add_argument("--short-side", type=int, default=1600, help="largest shorter side of the photos, in pixels")
    parser.add_argument("--weights", default="small")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS, help="which of the two")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    network = load_network(options.weights, device=options.device)
    failed = 0
    for folder in options.captures:
        for seconds in options.seconds:
            with options.output.open("a", buffering=1) as file:
                try:
                    for figure in compared(network, folder, seconds, options.short_side, options.device, options.ways):
                        file.write(json.dumps(figure) + "\n")
                # One that fails must not cost the others.
                except Exception as error:
                    failed += 1
                    file.write(json.dumps({"what": folder.name, "message": f"{type(error).__name__}: {error}"}) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
