"""Which way is up: structure from motion cannot know, but people hold cameras upright."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.data.posing.config import Up

# In OpenCV's camera axes: x to the right, y down, z forward.
_DIRECTIONS = {
    "top": (0.0, -1.0, 0.0),
    "bottom": (0.0, 1.0, 0.0),
    "left": (-1.0, 0.0, 0.0),
    "right": (1.0, 0.0, 0.0),
    "camera": (0.0, 0.0, -1.0),
}


def upright(c2w: Float[ndarray, "view 4 4"], up: Up) -> Float[ndarray, "3 3"]:
    """The rotation of the world after which z is up: the mean of what is `up` in each photo; none where all cancel."""
    if up == "none":
        return np.eye(3)
    mean = (c2w[:, :3, :3] @ np.array(_DIRECTIONS[up])).mean(0)
    length = float(np.linalg.norm(mean))
    return np.eye(3) if length < 1e-6 else _onto_z(mean / length)


def _onto_z(direction: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """The smallest rotation that turns a unit vector to (0, 0, 1); by half about x where it looks the other way."""
    cosine = float(direction[2])
    if cosine < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    x, y, _ = np.cross(direction, [0.0, 0.0, 1.0])
    skew = np.array([[0.0, 0.0, y], [0.0, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)
