"""Random materials: colours, texture families, grain and bumps."""

import numpy as np
import torch
from numpy.random import Generator

from tokengs_nerfstudio.core.rotation import matrix_from_quaternion
from tokengs_nerfstudio.data.procedural import layout as at
from tokengs_nerfstudio.data.procedural.config import ProceduralConfig


def hsv_to_rgb(hsv: np.ndarray) -> np.ndarray:
    """Colours [..., 3]; hue in turns."""
    wheel = np.abs(((hsv[..., :1] + np.array([0.0, 2 / 3, 1 / 3])) % 1.0) * 6.0 - 3.0) - 1.0
    return hsv[..., 2:] * (1.0 + hsv[..., 1:2] * (np.clip(wheel, 0.0, 1.0) - 1.0))


def random_colours(rng: Generator, config: ProceduralConfig, count: int) -> np.ndarray:
    """Three colours for each material [count, 3, 3]: around the scene's hue or free, pale ones more frequent; the
    second and third are shades of the first or free."""
    draw = rng.random((count, 3, 6))
    hue = np.where(draw[..., 0] < 0.5, rng.random() + 0.16 * (draw[..., 1] - 0.5), draw[..., 1])
    saturation = config.saturation * draw[..., 2] ** 1.7
    value = 0.06 + 0.9 * draw[..., 3] ** 0.8
    related = draw[..., 1:, 4] < 0.6
    hue[:, 1:] = np.where(related, hue[:, :1] + 0.08 * (draw[:, 1:, 5] - 0.5), hue[:, 1:])
    saturation[:, 1:] = np.where(related, saturation[:, :1] * (0.7 + 0.6 * draw[:, 1:, 2]), saturation[:, 1:])
    shade = value[:, :1] * (0.45 + 0.9 * draw[:, 1:, 3])
    value[:, 1:] = np.where(related, shade, value[:, 1:])
    return hsv_to_rgb(np.clip(np.stack([hue % 1.0, saturation, value], -1), 0.0, 1.0))


def random_rotations(rng: Generator, count: int, upright: np.ndarray) -> np.ndarray:
    """Rotation matrices [count, 3, 3], uniform; about z alone where `upright`."""
    q = rng.standard_normal((count, 4))
    q[:, 1:3] *= ~upright[:, None]
    q /= np.sqrt(np.einsum("pi,pi->p", q, q))[:, None]
    return matrix_from_quaternion(torch.from_numpy(q)).numpy()


def _contrast(family: np.ndarray, draw: np.ndarray) -> np.ndarray:
    low, high = np.zeros(9), np.zeros(9)
    low[at.NOISE], high[at.NOISE] = 1.2, 6.0
    low[at.SPOTS], high[at.SPOTS] = 0.8, 1.5
    low[at.CELLS], high[at.CELLS] = 0.0, 0.12
    low[at.BRICKS], high[at.BRICKS] = 0.02, 0.12
    low[at.STRIPES], high[at.STRIPES] = -0.6, 0.6
    return low[family] + (high - low)[family] * draw


def random_materials(rng: Generator, config: ProceduralConfig, size: np.ndarray) -> np.ndarray:
    """Materials [M, MATERIAL] for things of the sizes [M]."""
    count = len(size)
    draw = rng.random((count, 12))
    out = np.zeros((count, at.MATERIAL))
    shares = np.cumsum(config.texture_weights)
    family = np.minimum(np.searchsorted(shares / shares[-1], draw[:, 0]), 8)
    low, high = np.log(config.texture_cells)
    frequency = np.exp(low + (high - low) * draw[:, 1]) / (2.0 * size)
    frequency[family == at.GRADIENT] = (0.5 / size)[family == at.GRADIENT]
    matrix = random_rotations(rng, count, draw[:, 2] < 0.6)
    aligned = (draw[:, 2] < 0.3) | ((family == at.BRICKS) & (draw[:, 2] < 0.8))
    matrix[aligned] = np.eye(3)[[[0, 2, 1], [2, 0, 1], [0, 1, 2]]][rng.integers(0, 3, int(aligned.sum()))]
    matrix *= frequency[:, None, None] * (1.0 + 0.5 * (rng.random((count, 3, 1)) - 0.5))
    offset = 32.0 * rng.random((count, 3))
    offset[family == at.GRADIENT] = 0.0
    flat = (family == at.CHECKER) & (draw[:, 3] < 0.6)
    matrix[flat, 2], offset[flat, 2] = 0.0, 0.0
    out[:, at.FAMILY], out[:, at.FREQUENCY] = family, frequency
    out[:, at.COLOURS : at.COLOURS + 9] = random_colours(rng, config, count).reshape(count, 9)
    out[:, at.MATRIX : at.MATRIX + 9], out[:, at.OFFSET : at.OFFSET + 3] = matrix.reshape(count, 9), offset
    out[:, at.WARP] = np.where(draw[:, 4] < 0.4, 1.5 * draw[:, 5], 0.0) * (family != at.SOLID)
    out[:, at.CONTRAST] = _contrast(family, draw[:, 6])
    out[:, at.GRAIN] = 0.9 * draw[:, 7] ** 1.5
    out[:, at.GRAIN_FREQUENCY] = np.exp(np.log(4.0) + np.log(8.0) * draw[:, 8]) / size
    out[:, at.BUMP] = np.where(draw[:, 9] < config.bump_probability, 0.2 + 1.3 * draw[:, 10], 0.0)
    return out
