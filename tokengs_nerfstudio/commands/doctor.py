"""tokengs-doctor CAPTURE: what a capture looks like to the method, before any training.

Exit code 0: usable; 1: not. Looks at photos and cameras, runs no network.

tokengs-doctor PHOTOS: photos or a video without poses, what can be told before ns-train or tokengs-pose finds them.

tokengs-doctor RUN: how far a finished run can be believed, and where another photo would help most, which is drawn.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.core.checkpoint import load_network
from tokengs_nerfstudio.core.checkpoint.registry import USUAL
from tokengs_nerfstudio.core.errors import one_line
from tokengs_nerfstudio.data.doctor import Examination, examine
from tokengs_nerfstudio.data.finished_run import MODELS, read_run
from tokengs_nerfstudio.data.run_doctor import draw_next_photo, examine_run

_MARKS = {"unusable": "NOT USABLE", "warning": "warning", "note": "note"}


@dataclass(frozen=True)
class Doctor:
    """Look a capture through, or a finished run."""

    capture: Path
    """folder with a transforms.json, or a JSON file of that form; or photos or a video without poses; or the folder of
    a run of ns-train tokengs"""
    checkpoint: str = USUAL
    """weights that it is to be reconstructed with: a registered name, a .safetensors file, or hf://owner/repo/path"""
    json: bool = False
    """everything that was measured, as JSON"""
    drawing: Path | None = None
    """of a run: where to draw what the next photo would show; next_photo.png in the run's folder if not said"""

    @property
    def is_run(self) -> bool:
        """Whether a run is to be looked at."""
        return any((self.capture / name).exists() for name in (MODELS, "config.yml"))


def lines(found: Examination) -> list[str]:
    """What a person wants to read."""
    text = [found.capture]
    size = "" if found.size is None else f", {found.size[1]}x{found.size[0]} pixels"
    kinds = ", ".join(kind for kind, there in (("cut out", found.cut_out), ("masked", found.masked)) if there)
    there = f"{found.found} of {found.listed} found{size}{', ' + kinds if kinds else ''}"
    if found.unposed:
        text.append(f"photos    {found.listed or 'those of a video,'} without poses{size}")
    else:
        text.append(f"photos    {there}, {found.held_out} held out")
    cameras = found.cameras
    if cameras is not None:
        low, high = cameras.fov_short
        fov = f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"
        where = (
            "parallel or parting axes" if cameras.distance is None else f"subject at {cameras.distance:.2f} baselines"
        )
        overlap = sorted(cameras.seen_by)[len(cameras.seen_by) // 2]
        text.append(
            f"cameras   field of view {fov} degrees (shorter side), axes up to {cameras.axes_apart:.0f} degrees apart, "
            f"{where}; what one looks at {overlap} others see (median)"
        )
        numbers = f"--pipeline.datamanager.num-context {len(found.context)}"
        text.append(f"context   {', '.join(found.context)} ({numbers})")
    text += [f"{_MARKS[finding.severity]}: {finding}" for finding in found.findings]
    verdict = "usable, once poses are found" if found.unposed else "usable"
    text.append(verdict if found.usable else "not usable as it is")
    return text


def look_at_run(options: Doctor) -> int:
    """How sure the run is, and a drawing of what the next photo would show."""
    with one_line():
        run = read_run(options.capture)
        found = examine_run(run)
        drawing = options.capture / "next_photo.png" if options.drawing is None else options.drawing
        draw_next_photo(run, found, drawing)
    text = [str(options.capture), *found.lines(), f"drawn     {drawing}"]
    print(json.dumps({**found.as_dict(), "drawing": str(drawing)}, indent=1) if options.json else "\n".join(text))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """`tokengs-doctor`; 1 for a capture that cannot be used, and a line for weights that cannot be read."""
    options = parsed("tokengs-doctor", Doctor, arguments, positional=True)
    if options.is_run:
        return look_at_run(options)
    with one_line():
        network = load_network(options.checkpoint).config
    found = examine(options.capture, network)
    print(json.dumps(found.as_dict(), indent=1) if options.json else "\n".join(lines(found)))
    return 0 if found.usable else 1


if __name__ == "__main__":
    raise SystemExit(main())
