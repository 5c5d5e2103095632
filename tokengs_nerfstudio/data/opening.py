"""Whatever a path stands for as a capture on disk: one, a scene of a data set, or photos and videos without poses."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.posing.other_forms import refuse_other_poses
from tokengs_nerfstudio.data.posing.posing import is_unposed, posed
from tokengs_nerfstudio.data.posing.sfm import Progress
from tokengs_nerfstudio.data.unpacking import unpacked


def capture_at(
    path: Path,
    say: Callable[[str], object] = lambda text: None,
    progress: Progress = lambda share, text: None,
) -> Path:
    """The capture that `path` stands for: captures as they are; scenes of data sets as in `unpacked`, photos and
    videos as in `posed`, which do their work once. Errors as there; UserError for photos whose poses are there in
    another form."""
    if not is_unposed(path):
        return unpacked(path, say)
    refuse_other_poses(path)
    return posed(path, say=say, progress=progress).folder


def load_capture(
    path: str | Path,
    background: float | Sequence[float] = 0.5,
    max_size: int | None = None,
    say: Callable[[str], object] = print,
) -> NerfstudioCapture:
    """The capture that `path` stands for (see `capture_at`), ready to give its views; options and errors as in
    `NerfstudioCapture`. What takes a while is said by `say`."""
    return NerfstudioCapture(capture_at(Path(path), say), background, max_size)
