from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made.captures import wavy_picture, write_capture

MakeCapture = Callable[..., Path]


@pytest.fixture
def make_capture(tmp_path: Path) -> MakeCapture:
    """`write_capture` of a few detailed photos of 40 x 30, with fields of the file as `shared`."""

    def make(
        count: int = 3,
        size: tuple[int, int] = (40, 30),
        shared: dict[str, Any] | None = None,
        frames: dict[int, dict[str, Any]] | None = None,
        folder: Path = tmp_path / "capture",
    ) -> Path:
        camera = {"camera_model": "PINHOLE", "w": size[0], "h": size[1], "fl_x": 50.0, "fl_y": 50.0}
        fields = camera | {"cx": 20.0, "cy": 15.0} | (shared or {})
        return write_capture(folder, count, size, frames, wavy_picture, **fields)

    return make
