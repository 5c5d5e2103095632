"""What the GPU run-book and its pretraining are both asked."""

import argparse
import os
from pathlib import Path

_OPTIONS: list[tuple[str, dict]] = [
    ("--preset", {"default": "small", "choices": ["tiny", "small", "tiny-dynamic"], "help": "what is pretrained"}),
    ("--batch", {"type": int, "default": 96, "help": "scenes in a step of four context views of 64x64"}),
    ("--makers", {"type": int, "default": max(1, (os.cpu_count() or 2) - 3), "help": "processes that make scenes"}),
    ("--from", {"dest": "start", "help": "weights to start from: slices go on from the last one's weights alone"}),
    ("--meshes", {"type": Path, "help": "mesh pack to make scenes from"}),
    ("--textures", {"type": Path, "help": "folder of textures for them"}),
    ("--photos", {"type": Path, "help": "folder of photos for pictures and backdrops"}),
    ("--tracer", {"default": "cpu", "choices": ["cpu", "cuda"], "help": "what follows their rays"}),
    ("--moving", {"type": float, "default": 0.0, "help": "share of the batches of meshes in which something moves"}),
    ("--data", {"type": Path, "action": "append", "help": "captures to train with as well"}),
    ("--share", {"type": float, "default": 0.08, "help": "share of what is made that is of them"}),
    ("--side", {"type": int, "default": 64, "help": "side of the images at first"}),
    ("--late", {"type": float, "default": 0.5, "help": "share of the run from which sides are those of --late-sides"}),
    ("--late-sides", {"type": int, "nargs": "+", "default": [96, 128], "help": "sides then"}),
    ("--rate", {"type": float, "default": 1.5e-3, "help": "highest learning rate of AdamW"}),
    ("--matrix-rate", {"type": float, "default": 0.02, "help": "highest learning rate of Muon"}),
    ("--ema", {"type": float, "default": 0.998, "help": "decay of the averaged weights"}),
    ("--graphs", {"type": int, "default": 1, "choices": [0, 1], "help": "whether the network is replayed"}),
    ("--compiled", {"type": int, "default": 0, "choices": [0, 1], "help": "whether torch.compile fuses its blocks"}),
    ("--held-out", {"type": int, "default": 48, "help": "scenes of the evaluation"}),
    ("--seed", {"type": int, "default": 0, "help": "of weights and scenes; another one for each slice"}),
]


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """What is trained, from what, with what and how."""
    for name, settings in _OPTIONS:
        parser.add_argument(name, **settings)


def training_options(options: argparse.Namespace) -> list[str]:
    """The same, for another process."""
    found: list[str] = []
    for name, settings in _OPTIONS:
        value = getattr(options, settings.get("dest", name[2:].replace("-", "_")))
        if value is None:
            continue
        several = value if isinstance(value, list) else [value]
        if settings.get("action") == "append":
            found += [part for one in several for part in (name, str(one))]
        else:
            found += [name, *map(str, several)]
    return found
