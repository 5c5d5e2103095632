"""One picture of random scenes of meshes, as training sees them: three views of each, side by side."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources
from tokengs_nerfstudio.data.procedural.meshes.views import mesh_views

GAP, SPACE = 2, 8
"""Pixels between the views of a scene and between scenes."""


@dataclass(frozen=True)
class Sheet:
    """Draw the sheet of docs/scenes.md."""

    sources: MeshSources
    """meshes and pictures"""
    output: Path = Path("docs/scenes.jpg")
    """the JPEG"""
    scenes: int = 48
    """how many, the first of a run"""
    columns: int = 4
    """scenes in a row"""
    views: int = 3
    """pictures of each, spread over the camera's path"""
    side: int = 96
    """their size in pixels"""
    quality: int = 80
    """of the JPEG"""


def row_of(number: int, sheet: Sheet) -> np.ndarray:
    """The views of a scene beside one another, uint8 [side width 3]."""
    views = mesh_views(number, sheet.views, sheet.side, sheet.side, MeshSceneConfig(sheet.sources))
    pixels = (255.0 * views.images.permute(0, 2, 3, 1) + 0.5).byte().numpy()
    return np.concatenate([np.pad(view, [(0, 0), (0, GAP), (0, 0)], constant_values=255) for view in pixels], 1)


def main(sheet: Sheet) -> None:
    rows = [row_of(number, sheet) for number in range(sheet.scenes)]
    height, width = rows[0].shape[:2]
    lines = -(-len(rows) // sheet.columns)
    canvas = np.full((lines * (height + SPACE), sheet.columns * (width + SPACE), 3), 255, np.uint8)
    for k, row in enumerate(rows):
        top, left = k // sheet.columns * (height + SPACE), k % sheet.columns * (width + SPACE)
        canvas[top : top + height, left : left + width] = row
    with replacing(sheet.output) as scratch:
        Image.fromarray(canvas).save(scratch, format="JPEG", quality=sheet.quality)
    print(f"{sheet.output}: {len(rows)} scenes, {sheet.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(tyro.cli(Sheet))
