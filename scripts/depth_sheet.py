"""One picture of what stereo makes of a capture: photos, their depths, and those that are believed."""

from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np
import torch
import tyro
from PIL import Image

from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.core.stereo.depth_maps import DepthMaps, depth_maps
from tokengs_nerfstudio.core.stereo.surface_points import agreed
from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.samples import sample_capture


@dataclass(frozen=True)
class Sheet:
    """Draw the sheet of docs/tuning.md."""

    capture: Path = field(default_factory=sample_capture)
    """folder with a transforms.json"""
    output: Path = Path("docs/stereo.jpg")
    """the JPEG"""
    columns: int = 5
    """photos shown, evenly chosen"""
    quality: int = 75
    """of the JPEG"""


def column(maps: DepthMaps, believed: torch.Tensor, view: int) -> np.ndarray:
    """A photo above its depths, near ones red, above those of them that are `believed`: uint8 [row column 3]."""
    inverse, known = maps.planes[view, ..., 0], believed[view]
    ends = torch.quantile(inverse[known] if known.any() else inverse.flatten(), torch.tensor([0.02, 0.98]))
    share = ((inverse - ends[0]) / (ends[1] - ends[0]).clamp(min=1e-12)).clamp(0, 1)
    colors = (255 * matplotlib.colormaps["turbo"](share.numpy())[..., :3]).astype(np.uint8)
    photo = (255 * maps.views.images[view].movedim(0, -1) + 0.5).byte().numpy()
    return np.concatenate([photo, colors, colors * known.numpy()[..., None]])


def main(sheet: Sheet) -> None:
    capture = NerfstudioCapture(sheet.capture)
    maps = depth_maps(capture.load(capture.split().train), seed=0)
    believed, count = agreed(maps), maps.views.num_views
    shown = [int((place + 0.5) * count / sheet.columns) for place in range(sheet.columns)]
    canvas = np.concatenate([column(maps, believed, view) for view in shown], axis=1)
    with replacing(sheet.output) as scratch:
        Image.fromarray(canvas).save(scratch, format="JPEG", quality=sheet.quality)
    print(f"{sheet.output}: {believed.float().mean():.0%} of the pixels of {count} photos are believed")


if __name__ == "__main__":
    main(tyro.cli(Sheet))
