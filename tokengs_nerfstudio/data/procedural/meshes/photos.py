"""What a camera does to a picture: gains, tone, blur, noise, JPEG."""

import io

import numpy as np
from numpy.random import Generator
from PIL import Image

from tokengs_nerfstudio.data.procedural.meshes.config import PhotoConfig

BLOCK = 16
"""Rows that JPEG with halved colours compresses together."""


def as_photographed(rgb: np.ndarray, rng: Generator, config: PhotoConfig) -> np.ndarray:
    """Renders [view 3 height width] in [0, 1] of one scene as a camera would have stored them, float32 in [0, 1]."""
    balance = 1.0 + config.white_balance * rng.uniform(-1, 1) * np.array([1.0, 0.0, -1.0])
    gain = 1.0 + config.exposure * rng.uniform(-1, 1, len(rgb)) * (rng.random() < 0.5)
    gains, gamma = gain[:, None] * balance, rng.uniform(*config.gamma)
    seen = np.clip(rgb * gains[:, :, None, None].astype(np.float32), 0.0, 1.0)
    if gamma != 1.0:
        seen **= np.float32(gamma)
    if rng.random() < 0.5 and config.blur > 0:
        _blur(seen, config.blur * rng.random())
    if rng.random() < 0.5 and config.noise > 0:
        noise = rng.standard_normal(seen.shape, np.float32)
        noise *= np.float32(config.noise * rng.random())
        seen += noise
        np.clip(seen, 0.0, 1.0, out=seen)
    if rng.random() < 0.5 and config.jpeg[1] > 0:
        _compress(seen, int(rng.integers(config.jpeg[0], config.jpeg[1] + 1)))
    return seen


def _blur(rgb: np.ndarray, sigma: float) -> None:
    """Three taps along each axis with the variance of a Gaussian of that width; borders are repeated."""
    side = np.float32(0.5 * min(sigma**2, 0.5))
    for axis in (2, 3):
        step = np.diff(rgb, axis=axis)
        step *= side
        to, of = ([slice(None)] * 4 for _ in range(2))
        to[axis], of[axis] = slice(None, -1), slice(1, None)
        rgb[tuple(to)] += step
        rgb[tuple(of)] -= step


def _compress(rgb: np.ndarray, quality: int) -> None:
    """Write all views as one JPEG file, below one another and filled up to whole blocks, and read it again."""
    height, width = rgb.shape[2:]
    pixels = np.uint8(255.0 * rgb.transpose(0, 2, 3, 1) + 0.5)
    pixels = np.pad(pixels, [(0, 0), (0, -height % BLOCK), (0, 0), (0, 0)], mode="edge")
    file = io.BytesIO()
    Image.fromarray(pixels.reshape(-1, width, 3)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        read = np.asarray(image).reshape(pixels.shape)[:, :height]
    np.divide(read.transpose(0, 3, 1, 2), np.float32(255.0), out=rgb)
