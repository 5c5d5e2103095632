"""Write a procedural scene as a nerfstudio capture: scripts/make_capture.py --output capture --seed 7"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from tokengs_nerfstudio.data.capture.writer import write_nerfstudio_capture
from tokengs_nerfstudio.data.procedural.tracing import procedural_views


@dataclass(frozen=True)
class MakeCapture:
    """Write a random scene's images and cameras to disk."""

    output: Path
    """folder of the capture; must not exist yet, or be one that this script wrote (see --overwrite)"""
    seed: int = 12
    """which scene"""
    views: int = 32
    """how many photos"""
    height: int = 192
    """image height in pixels"""
    width: int = 256
    """image width in pixels"""
    hold_out: int = 4
    """every so many views one belongs to the test split"""
    overwrite: bool = False
    """replace a capture written before"""


def main(args: MakeCapture) -> None:
    item = procedural_views(args.seed, args.views, args.height, args.width, threads=2)
    test = list(range(args.hold_out - 1, args.views, args.hold_out))
    folder = write_nerfstudio_capture(args.output, item.views, test=test, overwrite=args.overwrite)
    print(f"{args.views} views of scene {args.seed}, {len(test)} of them held out: {folder}")


if __name__ == "__main__":
    main(tyro.cli(MakeCapture))
