"""A capture with a run's Gaussians as its cloud of points: what other methods start from."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.types import Similarity
from tokengs_nerfstudio.data.capture.frames import CaptureFrames, read_frames
from tokengs_nerfstudio.data.capture.transforms_json import applied_before, read_transforms
from tokengs_nerfstudio.data.capture.writer import write_capture_again
from tokengs_nerfstudio.data.exporting import Exported
from tokengs_nerfstudio.data.finished_run import FinishedRun
from tokengs_nerfstudio.data.opening import capture_at
from tokengs_nerfstudio.data.splat_files.ply import write_points

# Of the context cameras' spread: by how much they may be elsewhere in the capture than in the run.
_MOST_MOVED = 0.01


def write_starting_capture(folder: Path, chosen: Exported, source: Path | None, say: Callable[[str], object]) -> Path:
    """The capture at `source` (None: where it was when the run began) again, with the chosen Gaussians' places and
    colours as the cloud of points that its transforms.json names.

    Returns the folder. UserError where the capture is not that of the run; others as in `capture_at`,
    `read_frames` and `write_capture_again`.
    """
    run = chosen.run
    place = source or run.capture
    if place is None:
        raise UserError(f"{run.checkpoint} does not say where its capture was: give its folder as --capture")
    found = read_frames(read_transforms(capture_at(place, say)))
    to_file = _into_the_file(run, found)
    _check_same_cameras(run, found, to_file, place)
    return write_capture_again(folder, found, partial(write_points, gaussians=chosen.moved(to_file)[0]))


def _into_the_file(run: FinishedRun, found: CaptureFrames) -> Similarity:
    """From nerfstudio's world to that of the cameras in a transforms.json: the capture's own, turned and scaled as
    ns-process-data says."""
    rows, scale = applied_before(found.transforms)
    applied = torch.tensor(rows, dtype=torch.float64)
    turned = Similarity(applied[:, :3], applied[:, 3], torch.tensor(scale, dtype=torch.float64))
    return turned.compose(run.from_nerfstudio("capture"))


def _check_same_cameras(run: FinishedRun, found: CaptureFrames, to_file: Similarity, place: Path) -> None:
    """Whether the photos that the encoder saw were taken where the capture says, by their names."""
    positions = to_file.cameras(run.context.c2w.double())[:, :3, 3]
    spread = (positions - positions.mean(0)).norm(dim=-1).amax()
    for name, position in zip(run.record["context"], positions):
        there = [frame.c2w[:3, 3] for frame in found.frames if frame.image.name == Path(name).name]
        away = min((_distance(position, torch.from_numpy(other)) for other in there), default=float("inf"))
        if away > _MOST_MOVED * max(float(spread), 1e-9) and len(positions) > 1:
            raise UserError(
                f"the capture {place} is not that of the run {run.checkpoint}: {name} is not in it, or was taken from "
                "elsewhere; give the folder of the run's capture as --capture"
            )


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm())
