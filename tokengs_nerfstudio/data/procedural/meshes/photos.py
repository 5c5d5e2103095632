"""What a camera does to a picture: gains, tone, blur, noise, JPEG."""

import io

import numpy as np
from numpy.random import Generator
from PIL import Image

from tokengs_nerfstudio.data.procedural.meshes.config import PhotoConfig


def as_photographed(rgb: np.ndarray, rng: Generator, config: PhotoConfig) -> np.ndarray:
    """Renders [view 3 height width] in [0, 1] of one scene as a camera would have stored them, float32."""
    balance = 1.0 + config.white_balance * rng.uniform(-1, 1) * np.array([1.0, 0.0, -1.0])
    gain = 1.0 + config.exposure * rng.uniform(-1, 1, len(rgb)) * (rng.random() < 0.5)
    gamma = rng.uniform(*config.gamma)
    rgb = np.clip(rgb * (gain[:, None] * balance)[:, :, None, None].astype(np.float32), 0.0, 1.0) ** np.float32(gamma)
    if rng.random() < 0.5:
        rgb = _blurred(rgb, config.blur * rng.random())
    if rng.random() < 0.5:
        rgb = rgb + np.float32(config.noise * rng.random()) * rng.standard_normal(rgb.shape, np.float32)
    rgb = np.clip(rgb, 0.0, 1.0)
    if rng.random() < 0.5:
        quality = int(rng.integers(config.jpeg[0], config.jpeg[1] + 1))
        rgb = np.stack([_as_jpeg(view, quality) for view in rgb])
    return rgb.astype(np.float32)


def _blurred(rgb: np.ndarray, sigma: float) -> np.ndarray:
    """Three taps along each axis with the variance of a Gaussian of that width."""
    side = 0.5 * min(sigma**2, 0.5)
    for axis in (2, 3):
        padded = np.pad(rgb, [(1, 1) if k == axis else (0, 0) for k in range(4)], mode="edge")
        first, last = (np.take(padded, range(s, s + rgb.shape[axis]), axis) for s in (0, 2))
        rgb = (1.0 - 2.0 * side) * rgb + side * (first + last)
    return rgb


def _as_jpeg(view: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(np.uint8(255.0 * view.transpose(1, 2, 0) + 0.5)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.asarray(image, np.float32).transpose(2, 0, 1) / 255.0
