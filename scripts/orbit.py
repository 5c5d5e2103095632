"""A camera path around what a capture's photos look at: scripts/orbit.py --capture capture --run RUN --output path.json

`ns-render camera-path --camera-path-filename path.json` films it. Straight lines between photos that were taken far
apart lead past the subject; this path swings around it, where the photos were taken and no further.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import tyro

from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.data.camera_path import orbit_path


@dataclass(frozen=True)
class Orbit:
    """Write a camera path for ns-render."""

    capture: Path
    """folder of the capture, whose photos share one lens"""
    run: Path
    """folder of the run, with its dataparser_transforms.json"""
    output: Path
    """the JSON file"""
    frames: int = 120
    """pictures of the film"""
    frame_rate: int = 24
    """pictures a second"""
    height: int = 512
    """height of the pictures in pixels; the width follows the photos' shape"""


def main(args: Orbit) -> None:
    capture = json.loads((args.capture / "transforms.json").read_text(encoding="utf-8"))
    frame = json.loads((args.run / "dataparser_transforms.json").read_text(encoding="utf-8"))
    write_text(args.output, json.dumps(orbit_path(capture, frame, args.frames, args.frame_rate, args.height)))
    print(args.output)


if __name__ == "__main__":
    main(tyro.cli(Orbit))
