"""tokengs-flow RUN OUT: how what a finished run shows moves, as numbers (.npy) and as colours (.png)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.commands.progress import display
from tokengs_nerfstudio.core.errors import UserError, one_line
from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.core.ranges import Share
from tokengs_nerfstudio.core.rendering.flow import Flow, flow_colors, render_flow
from tokengs_nerfstudio.core.types import Cameras
from tokengs_nerfstudio.data.camera_path import filmed
from tokengs_nerfstudio.data.film_file import read_film
from tokengs_nerfstudio.data.finished_run import FinishedRun, Frame, read_run


@dataclass(frozen=True)
class FlowOptions:
    """Write the flow of a scene that moves, for each camera NUMBER_pixels.npy, NUMBER_world.npy and NUMBER.png."""

    run: Path
    """folder of the run, or its config.yml"""
    output: Path
    """folder of the files"""
    cameras: Path | None = None
    """a camera path as `ns-render camera-path` reads it; if not given, the cameras of the context photos"""
    time: Share | None = None
    """the time that is shown, 0 to 1; if not given, each camera's own"""
    to: Share | None = None
    """the time that the flow leads to; if not given, the next one that the scene is kept at"""
    frame: Frame = "capture"
    """whose units and axes the flow in space has: the capture's own world, nerfstudio's or the network's"""


def flows(options: FlowOptions) -> Iterator[tuple[float, float, Flow]]:
    """For each camera the time that is shown, the one that the flow leads to, and the flow, one view of it.

    Errors as in `read_run`, `read_film` and `filmed`; UserError for a scene that stands still.
    """
    run = read_run(options.run)
    if not run.baked.times:
        raise UserError(f"{run.checkpoint}: the scene of this run stands still, there is no flow")
    turned = run.from_nerfstudio(options.frame)
    for cameras, own in _shots(options, run):
        time = next(some for some in (options.time, own, run.baked.times[0]) if some is not None)
        end = options.to if options.to is not None else run.baked.next_time(time)
        end = time if end is None else end
        displacement = run.baked.displacement(time, end)
        flow = render_flow(run.baked.at(time), displacement, cameras, run.baked.rendering)
        space = (turned.scale * turned.rotation).to(flow.displacement)
        yield time, end, Flow(torch.einsum("ij,vjhw->vihw", space, flow.displacement), flow.pixels)


def _shots(options: FlowOptions, run: FinishedRun) -> Sequence[tuple[Cameras, float | None]]:
    if options.cameras is None:
        return [(run.context[place : place + 1], time) for place, time in enumerate(run.context_times)]
    return filmed(read_film(options.cameras))


def write_flow(folder: Path, number: int, flow: Flow) -> None:
    """One camera's flow as [height width 2] pixels and [height width 3] in space, float32, and as colours."""
    for name, field in (("pixels", flow.pixels), ("world", flow.displacement)):
        with replacing(folder / f"{number:05d}_{name}.npy") as scratch, scratch.open("wb") as file:
            np.save(file, field[0].movedim(0, -1).float().numpy())
    colors = (255 * flow_colors(flow.pixels[0]).clamp(0, 1)).round().byte().movedim(0, -1).numpy()
    with replacing(folder / f"{number:05d}.png") as scratch:
        Image.fromarray(colors).save(scratch, format="PNG")


def main(arguments: Sequence[str] | None = None) -> None:
    """`tokengs-flow`; what is wrong ends it with one line and a non-zero code."""
    with one_line(), display() as shown:
        options = parsed("tokengs-flow", FlowOptions, arguments, positional=True)
        if options.output.exists() and not options.output.is_dir():
            raise UserError(f"{options.output} is a file where a folder is to be")
        for number, (time, end, flow) in enumerate(flows(options)):
            write_flow(options.output, number, flow)
            ways = flow.pixels.norm(dim=1)
            shown.say(f"{number:05d}: from time {time:.4g} to {end:.4g}, at most {float(ways.max()):.2f} pixels")


if __name__ == "__main__":
    main()
