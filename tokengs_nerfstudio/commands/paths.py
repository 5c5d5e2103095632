"""Camera paths of finished runs of scenes that move, for `ns-render camera-path`."""

import json
from pathlib import Path

from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.data.camera_path import Filmed, MovingKind, moving_path
from tokengs_nerfstudio.data.finished_run import read_run


def write_path(
    run: Path,
    output: Path,
    kind: MovingKind,
    frames: int = 120,
    frame_rate: int = 24,
    height: int | None = None,
    time: float | None = None,
) -> str:
    """Writes a film around the photos that a run's encoder saw, as `moving_path` makes it, and says what was written.

    `height` is that of the pictures in pixels (None: the photos'), `time` when it stands in `bullet-time`. Errors as in
    `read_run` and `moving_path`; UserError for runs of scenes that stand still.
    """
    finished = read_run(run)
    photos = Filmed.of(finished.context, finished.context_times, height)
    film = moving_path(photos, kind, frames, frame_rate, time)
    write_text(output, json.dumps(film))
    size = f"{film['render_width']}x{film['render_height']}"
    config = run if run.name == "config.yml" else run / "config.yml"
    return (
        f"{kind}: {frames} pictures of {size}, {film['seconds']:.3g} s: {output}; "
        f"ns-render camera-path --load-config {config} --camera-path-filename {output}"
    )
