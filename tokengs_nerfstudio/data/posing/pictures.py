"""Photos as structure from motion gets them: upright, of bearable size, and measured for what spoils them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.capture.frames import THREADS
from tokengs_nerfstudio.data.capture.images import read_pixels
from tokengs_nerfstudio.data.posing.photos import Photo

# Pictures are measured at one size, whatever the camera's.
_MEASURED_SIDE = 384
_GREY = 128


@dataclass(frozen=True)
class Looks:
    """Of a grey picture in 0..255: `contrast` is the standard deviation that is left of it without a slope of light;
    `sharpness` the share of its finest structures in it (variance of the Laplacian over that of the picture)."""

    contrast: float
    sharpness: float


@dataclass(frozen=True)
class Picture:
    """A photo that structure from motion can open: its file there, (width, height) of it, and how it looks."""

    photo: Photo
    name: str
    size: tuple[int, int]
    looks: Looks


def looks(grey: UInt8[ndarray, "height width"]) -> Looks:
    """Contrast and sharpness of a picture, at most 384 pixels long."""
    scale = _MEASURED_SIDE / max(grey.shape)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    values = grey.astype(np.float64)
    flat = _without_slope(values)
    variance = float(flat.var())
    fine = float(cv2.Laplacian(values, cv2.CV_64F).var())
    return Looks(contrast=variance**0.5, sharpness=fine / max(variance, 1e-6))


def _without_slope(values: Float[ndarray, "height width"]) -> Float[ndarray, "height width"]:
    y, x = np.mgrid[-1 : 1 : values.shape[0] * 1j, -1 : 1 : values.shape[1] * 1j]
    basis = np.stack([np.ones_like(x), x, y], axis=-1).reshape(-1, 3)
    weights = np.linalg.lstsq(basis, values.reshape(-1), rcond=None)[0]
    return values - (basis @ weights).reshape(values.shape)


def prepare(photos: Sequence[Photo], groups: Sequence[int], folder: Path, longest: int) -> list[Picture | None]:
    """The photos as PNG files GROUP/INDEX.png in `folder`, at most `longest` pixels long; None for those that cannot
    be decoded. Transparent pixels become grey."""
    for group in set(groups):
        (folder / str(group)).mkdir(parents=True, exist_ok=True)

    def made(index: int) -> Picture | None:
        photo, name = photos[index], f"{groups[index]}/{index:06d}.png"
        scale = min(1.0, longest / max(photo.size))
        size = (max(1, round(photo.size[0] * scale)), max(1, round(photo.size[1] * scale)))
        try:
            pixels = read_pixels(photo.path, size, upright=photo.turned)
        except UserError:
            return None
        colours = _opaque(pixels)
        Image.fromarray(colours).save(folder / name, compress_level=1)
        return Picture(photo, name, size, looks(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)))

    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return list(pool.map(made, range(len(photos))))


def enlarged(pictures: Mapping[int, Picture], folder: Path, times: int) -> dict[int, Picture]:
    """The pictures in `folder` so many times as large, in its folder enlarged."""
    return {index: _enlarged(picture, folder, times) for index, picture in pictures.items()}


def _enlarged(picture: Picture, folder: Path, times: int) -> Picture:
    size = (picture.size[0] * times, picture.size[1] * times)
    target = folder / "enlarged" / picture.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(folder / picture.name) as image:
        image.resize(size, Image.Resampling.LANCZOS).save(target, compress_level=1)
    return replace(picture, size=size)


def _opaque(pixels: UInt8[ndarray, "height width channel"]) -> UInt8[ndarray, "height width 3"]:
    if pixels.shape[-1] == 3:
        return pixels
    share = pixels[..., 3:].astype(np.float32) / 255
    return (pixels[..., :3] * share + _GREY * (1 - share)).round().astype(np.uint8)
