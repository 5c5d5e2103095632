"""Pictures of a long facade, walked past, whose every camera is known: things repeat on it."""

import cv2
import numpy as np
from made.walk import Board, drawn, textures

_STEP = 1.5
_PLACES = _STEP * np.arange(-3, 4)


def walked_past(seed: int, alike: bool, count: int = 9) -> tuple[list[np.ndarray], np.ndarray]:
    """The pictures, and the OpenCV camera-to-worlds [count 4 4] that they were taken from (y down).

    Seven ornaments look alike in any case; with `alike` the windows above them do too.
    """
    random = np.random.default_rng(seed)
    windows = textures([(180, 140)] * len(_PLACES), seed)
    ornament = textures([(40, 100)], seed + 1000)[0]
    boards: list[Board] = [((x, -0.3, 0.2 * random.random()), (0.55, 0.0, 0.0), (0.0, 0.7, 0.0)) for x in _PLACES]
    boards += [((x, 0.8, -0.1), (0.25, 0.0, 0.0), (0.0, 0.1, 0.0)) for x in _PLACES]
    looks = (windows[:1] * len(_PLACES) if alike else windows) + [ornament] * len(_PLACES)
    c2w = np.stack([_camera(at, random) for at in np.linspace(_PLACES[1], _PLACES[-2], count)])
    return [drawn(one, boards, looks) for one in c2w], c2w


def _camera(at: float, random: np.random.Generator) -> np.ndarray:
    c2w = np.eye(4)
    c2w[:3, :3] = cv2.Rodrigues(np.array([0.0, 0.25 * np.sin(2 * at), 0.0]))[0]
    c2w[:3, 3] = at, random.uniform(-0.2, 0.2), -3.2 + random.uniform(-0.2, 0.2)
    return c2w
