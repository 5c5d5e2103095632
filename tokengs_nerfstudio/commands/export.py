"""tokengs-export RUN OUT: a finished run's Gaussians as a file for other programs, as one web page to send, or as the
points that another method starts from."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.commands.paths import write_path
from tokengs_nerfstudio.commands.progress import display
from tokengs_nerfstudio.core.errors import UserError, one_line
from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.core.ranges import Finite, Range, Share
from tokengs_nerfstudio.data.camera_path import MovingKind
from tokengs_nerfstudio.data.exporting import Choice, Exported, exported
from tokengs_nerfstudio.data.finished_run import FinishedRun, Frame, read_run
from tokengs_nerfstudio.data.splat_files import WRITERS
from tokengs_nerfstudio.data.splat_files.web_page import write_page
from tokengs_nerfstudio.data.starting_capture import write_starting_capture

_PAGE, _PATH = ".html", ".json"
_FAINTEST = 1 / 255
"""what no renderer draws"""


@dataclass(frozen=True)
class Export:
    """Write what a run of `ns-train tokengs` has reached; of the run nothing but its checkpoint is needed."""

    run: Path
    """folder of the run, or its config.yml"""
    output: Path
    """what is written; its ending says the format: .ply, .compressed.ply, .spz, .splat, .html for a page that any
    browser opens from disk, or .json for the camera path that --path names"""
    frame: Frame = "capture"
    """whose coordinates: the capture's own world (what ns-process-data and nerfstudio did to it undone), nerfstudio's,
    or the network's; the transforms between them are written beside the file as OUTPUT.json"""
    time: Annotated[float, Range(0, 1)] | Literal["all"] | None = None
    """for scenes that move: the moment, 0 to 1, or `all` for a file each (OUT_000.ply, ...); a page has all times, a
    bullet-time path stands at this one"""
    least_opacity: Share = _FAINTEST
    """Gaussians that are more transparent are left out"""
    crop: tuple[Finite, Finite, Finite, Finite, Finite, Finite] | None = None
    """least x y z and greatest x y z of the centres that are kept, in the coordinates that --frame says"""
    as_capture: bool = False
    """make OUTPUT a folder: the run's capture again, with the Gaussians' places and colours as the points that
    `ns-train splatfacto --data OUTPUT` starts from"""
    capture: Path | None = None
    """with --as-capture: where the capture is now, if it was moved since the run began"""
    path: MovingKind | None = None
    """of a scene that moves, a film's camera path for `ns-render camera-path`: bullet-time (the camera moves and time
    stands), time-lapse (time runs and the camera stands), or context (both as the photos have it)"""

    def __post_init__(self) -> None:
        if self.capture is not None and not self.as_capture:
            raise UserError(f"--capture {self.capture}: only --as-capture reads the capture")
        if (self.output.suffix == _PATH) != (self.path is not None):
            raise UserError(
                f"--path {self.path} and {self.output}: a camera path is written as {_PATH}, and needs both"
            )
        if self.path is not None and self.time is not None and not (self.path == "bullet-time" and self.time != "all"):
            raise UserError(f"--time {self.time}: only --path bullet-time stands at a moment")
        if self.ending is None and not self.as_capture and self.path is None:
            raise UserError(f"{self.output}: its ending says no format; one of {', '.join([*WRITERS, _PAGE])} does")
        if self.crop is not None and not all(low <= high for low, high in zip(self.crop[:3], self.crop[3:])):
            raise UserError(f"--crop {' '.join(map(str, self.crop))}: first the least x y z, then the greatest")

    @property
    def ending(self) -> str | None:
        """The ending of the output, of those that are known; None for others."""
        return next((ending for ending in (*WRITERS, _PAGE) if self.output.name.endswith(ending)), None)

    def times(self, run: FinishedRun) -> list[float]:
        """The moments to be written; none for a scene that stands still, or is wanted as at first.

        UserError for a moment of a scene that stands still.
        """
        if isinstance(self.time, float | int) and not run.baked.times:
            raise UserError(
                f"--time {self.time}: the scene of {run.checkpoint} stands still, there is no moment to choose: leave "
                "the option out"
            )
        if isinstance(self.time, float | int):
            return [float(self.time)]
        if self.as_capture:
            return []
        wants_all = self.time == "all" or (self.ending == _PAGE and self.time is None)
        return run.baked.times if wants_all else []


def export(options: Export) -> Iterator[str]:
    """Writes it; yields a line for each file that is there.

    Errors as in `read_run`, `exported`, `write_starting_capture` and `replacing`.
    """
    if options.path is not None:
        time = None if options.time is None else float(options.time)
        yield write_path(options.run, options.output, options.path, time=time)
        return
    run = read_run(options.run)
    chosen = exported(run, options.frame, options.times(run), Choice(options.least_opacity, options.crop))
    yield f"{chosen.count:,} of {chosen.of:,} Gaussians, in the {options.frame}'s frame"
    if chosen.states[0].harmonics is not None and options.ending != ".ply":
        yield "how colours change with the direction is lost: of what tokengs-export writes, .ply alone keeps that"
    if options.as_capture:
        said: list[str] = []
        folder = write_starting_capture(options.output, chosen, options.capture, said.append)
        yield from [*said, f"{folder}: ns-train splatfacto --data {folder}"]
    elif options.ending == _PAGE:
        yield from _page(options, chosen)
    else:
        yield from _files(options, chosen)


def _page(options: Export, chosen: Exported) -> Iterator[str]:
    run = chosen.run
    states = chosen.moved(run.from_nerfstudio("nerfstudio"))
    title = options.output.name.removesuffix(_PAGE)
    write_page(options.output, title, states, chosen.times, run.context, run.baked.rendering)
    yield _said(options.output)


def _files(options: Export, chosen: Exported) -> Iterator[str]:
    assert options.ending is not None
    stem = options.output.name.removesuffix(options.ending)
    several = len(chosen.times) > 1
    paths = [
        options.output.with_name(f"{stem}_{number:03d}{options.ending}") if several else options.output
        for number in range(len(chosen.states))
    ]
    for path, state in zip(paths, chosen.states):
        WRITERS[options.ending](path, state)
        yield _said(path)
    beside = options.output.with_name(f"{options.output.name}.json")
    about = {"files": [path.name for path in paths], **chosen.description()}
    write_text(beside, json.dumps(about, indent=1))
    yield _said(beside)


def _said(path: Path) -> str:
    return f"{path} ({path.stat().st_size / 1e6:.2f} MB)"


def main(arguments: Sequence[str] | None = None) -> None:
    """`tokengs-export`; what is wrong ends it with one line and a non-zero code."""
    with one_line(), display() as shown:
        for line in export(parsed("tokengs-export", Export, arguments, positional=True)):
            shown.say(line)


if __name__ == "__main__":
    main()
