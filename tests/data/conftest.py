import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

MakeCapture = Callable[..., Path]


def gradient_image(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A smooth picture whose every pixel tells where it is; 8 bit."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    channels = [np.sin(x / 7 + seed), np.cos(y / 5 + seed), np.sin((x + y) / 11 - seed)]
    return np.round(127.5 + 100 * np.stack(channels, axis=-1)).astype(np.uint8)


def pose(angle: float, distance: float = 2.0) -> list[list[float]]:
    """A camera on a circle round the z axis that looks at it, in OpenGL axes (x right, y up, z backwards)."""
    back = np.array([np.cos(angle), np.sin(angle), 0.0])
    right = np.array([-np.sin(angle), np.cos(angle), 0.0])
    matrix = np.eye(4)
    matrix[:3, :4] = np.stack([right, np.array([0.0, 0.0, 1.0]), back, distance * back], axis=1)
    return matrix.tolist()


@pytest.fixture
def make_capture(tmp_path: Path) -> MakeCapture:
    """Write a capture of `count` frames: `shared` and `frames[i]` update the fields, a field set to ... is removed."""

    def make(
        count: int = 3,
        size: tuple[int, int] = (40, 30),
        shared: dict[str, Any] | None = None,
        frames: dict[int, dict[str, Any]] | None = None,
        folder: Path = tmp_path / "capture",
    ) -> Path:
        width, height = size
        (folder / "images").mkdir(parents=True)
        base = {"camera_model": "PINHOLE", "w": width, "h": height, "fl_x": 50.0, "fl_y": 50.0, "cx": 20.0, "cy": 15.0}
        records = []
        for index in range(count):
            path = f"images/frame_{index:05d}.png"
            Image.fromarray(gradient_image(width, height, index)).save(folder / path)
            record = {"file_path": path, "transform_matrix": pose(0.3 * index)} | (frames or {}).get(index, {})
            records.append({key: value for key, value in record.items() if value is not ...})
        content = {key: value for key, value in (base | (shared or {})).items() if value is not ...}
        (folder / "transforms.json").write_text(json.dumps(content | {"frames": records}))
        return folder

    return make
