"""What a finished run looks like from outside: how far it can be believed, and where another photo would help most."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.core.geometry.resize import fitted_size, resized_cameras
from tokengs_nerfstudio.core.next_photo import Place, best_place, drawn_confidence, unsure_share
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.data.finished_run import FinishedRun

_SIDE, _MARGIN = 320, 8
# Below this a Gaussian is not to be believed: fewer than two photos saw it, or those that did disagree.
_DOUBTFUL = 0.3
# From doubtful to sure, for eyes that see no red or no green too.
_DOUBT, _SURE = (0.9, 0.35, 0.0), (0.0, 0.45, 0.7)


@dataclass(frozen=True)
class RunExamination:
    """How sure a run is."""

    gaussians: int
    confidence: float
    """mean over the pictures of the context cameras"""
    doubtful: float
    """share of the Gaussians that hardly any photo saw, or that photos disagree about"""
    unsure: dict[str, float]
    """by context photo: how much of its picture is not sure"""
    place: Place
    beside: str
    """the photo that the place is found from"""

    def lines(self) -> list[str]:
        """What a person wants to read."""
        text = (
            f"gaussians {self.gaussians}, {100 * self.doubtful:.0f} % of them doubtful: fewer than two photos see them"
        )
        where = f"a step {self.place.where} {self.beside}"
        return [
            f"{text}, or not as they are",
            f"sure      {100 * self.confidence:.0f} % (mean over what the context photos show)",
            f"next      a photo {where}: {100 * self.place.unsure:.0f} % of it is not sure",
        ]

    def as_dict(self) -> dict[str, object]:
        """For JSON; the place's camera with OpenCV axes in nerfstudio's world."""
        camera = self.place.camera.c2w[0].tolist()
        place = {"beside": self.beside, "where": self.place.where, "unsure": self.place.unsure, "c2w": camera}
        numbers = {"gaussians": self.gaussians, "confidence": self.confidence, "doubtful": self.doubtful}
        return {**numbers, "unsure": self.unsure, "next": place}


def examine_run(run: FinishedRun) -> RunExamination:
    """How sure a run is, and where it is not. UserError for runs of older versions and for scenes that move."""
    confidence, cameras = _confidence(run), run.context
    splats, rendering, names = run.baked.still, run.baked.rendering, list(run.record["context"])
    place = best_place(splats, confidence, cameras, rendering)
    unsure = {
        name: unsure_share(splats, confidence, cameras[index : index + 1], rendering)
        for index, name in enumerate(names)
    }
    small = resized_cameras(cameras, *fitted_size(cameras.height, cameras.width, _SIDE))
    sure = float(drawn_confidence(splats, confidence, small, rendering).rgb.mean())
    doubtful = float((confidence < _DOUBTFUL).float().mean())
    return RunExamination(splats.count, sure, doubtful, unsure, place, names[place.beside])


def _confidence(run: FinishedRun) -> Float[Tensor, " gaussian"]:
    if run.confidence is None:
        raise UserError(
            f"{run.checkpoint} does not say how far its Gaussians can be believed: it is of an older version, or of a "
            "scene that moves; train again with photos of one moment"
        )
    return run.confidence


def draw_next_photo(run: FinishedRun, found: RunExamination, path: Path) -> None:
    """Three pictures side by side, as PNG: what the next photo would show, how sure that is, and a map from above."""
    camera = found.place.camera
    larger = _SIDE / max(camera.height, camera.width)
    small = resized_cameras(camera, *(max(1, round(larger * side)) for side in (camera.height, camera.width)))
    splats, rendering = run.baked.still, run.baked.rendering
    rgb = render_cameras(splats, small, rendering, depth=False).rgb[0]
    confidence = drawn_confidence(splats, _confidence(run), small, rendering).rgb[0, :1]
    doubt, sure = (rgb.new_tensor(color)[:, None, None] for color in (_DOUBT, _SURE))
    heat = doubt + confidence * (sure - doubt)
    shade = 0.4 + 0.6 * rgb.mean(0, keepdim=True)
    panels = [_pixels(rgb), _pixels(heat * shade), np.asarray(_map(run, found, small.height))]
    width = sum(panel.shape[1] for panel in panels) + _MARGIN * (len(panels) - 1)
    canvas = Image.new("RGB", (width, small.height), "white")
    left = 0
    for panel in panels:
        canvas.paste(Image.fromarray(panel), (left, 0))
        left += panel.shape[1] + _MARGIN
    with replacing(path) as scratch:
        canvas.save(scratch, format="PNG")


def _pixels(picture: Float[Tensor, "3 height width"]) -> UInt8[ndarray, "height width 3"]:
    return (picture.clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()


def _map(run: FinishedRun, found: RunExamination, side: int) -> Image.Image:
    """The cameras as seen from above (nerfstudio's z axis): photos in grey, the place of the next one in colour."""
    cameras = run.context
    all_c2w = torch.cat([cameras.c2w, found.place.camera.c2w]).double()
    centers, axes = all_c2w[:, :2, 3], all_c2w[:, :2, 2]
    reach = float(torch.cdist(centers, centers).max()) or 1.0
    ends = centers + 0.35 * reach * axes
    points = torch.cat([centers, ends])
    low, high = points.amin(0), points.amax(0)
    unit = 0.8 * side / max(float((high - low).max()), 1e-9)
    canvas = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(canvas)

    def pixel(point: Tensor) -> tuple[float, float]:
        x, y = ((point - (low + high) / 2) * unit).tolist()
        return side / 2 + x, side / 2 - y

    color = tuple(round(255 * value) for value in _DOUBT)
    for index, (center, end) in enumerate(zip(centers, ends)):
        fill = color if index == len(centers) - 1 else (110, 110, 110)
        (x, y), radius = pixel(center), 5
        draw.line([(x, y), pixel(end)], fill=fill, width=2)
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)
    return canvas
