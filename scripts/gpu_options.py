"""What the GPU run-book and its pretraining are both asked."""

import argparse
from pathlib import Path


def add_scene_options(parser: argparse.ArgumentParser) -> None:
    """What is trained from, and with: slices of a training go on from the last one's weights alone."""
    parser.add_argument("--from", dest="start", help="weights to start from")
    parser.add_argument("--meshes", type=Path, help="mesh pack to make scenes from")
    parser.add_argument("--textures", type=Path, help="folder of textures for them")


def scene_options(options: argparse.Namespace) -> list[str]:
    """The same, for another process."""
    given = {"--from": options.start, "--meshes": options.meshes, "--textures": options.textures}
    return [str(part) for name, value in given.items() if value is not None for part in (name, value)]
