"""Photos of all pixel formats."""

import numpy as np
from PIL import Image


def smooth(width: int, height: int) -> np.ndarray:
    """A picture without edges, 8 bits."""
    x, y = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    return np.round(255 * (0.5 + 0.4 * np.stack([np.sin(5 * x), np.cos(4 * y), x * y], axis=-1))).astype(np.uint8)


def in_mode(picture: np.ndarray, mode: str) -> Image.Image:
    """A picture of 8 bits in one of Pillow's modes."""
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(grey.astype(np.float32) / 255)
    return Image.fromarray(picture).quantize(256) if mode == "P" else Image.fromarray(picture).convert(mode)
