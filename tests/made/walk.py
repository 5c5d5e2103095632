"""Pictures of a room of textured boards whose every camera is known: for structure from motion, as photos or film."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
from PIL import Image

from tokengs_nerfstudio.samples import sample_capture

SIZE = WIDTH, HEIGHT = 320, 240
FOCAL = 280.0
Board = tuple[Sequence[float], Sequence[float], Sequence[float]]
"""Its centre, half of it across and half of it down."""
# The farthest first; OpenCV's axes.
_BOARDS = (
    ((0.0, 0.0, 7.0), (6.0, 0.0, 0.0), (0.0, 4.0, 0.0)),
    ((-2.2, 0.3, 5.0), (0.9, 0.0, 0.5), (0.0, 1.3, 0.0)),
    ((1.9, -0.2, 4.6), (0.8, 0.0, -0.5), (0.1, 1.1, 0.2)),
    ((0.1, 0.7, 3.9), (0.7, 0.1, 0.1), (0.0, 0.5, 0.4)),
)


def camera(at: float) -> np.ndarray:
    """OpenCV camera-to-world [4, 4] on a walk past the boards, `at` in 0..1."""
    c2w = np.eye(4)
    c2w[:3, :3] = cv2.Rodrigues(np.array([0.05 * np.sin(5 * at), -0.35 * (2 * at - 1), 0.0]))[0]
    c2w[:3, 3] = 1.6 * (2 * at - 1), 0.2 * np.sin(4 * at), 0.3 * at
    return c2w


def turned(at: float) -> np.ndarray:
    """The same without a step: the camera turns where it stands."""
    c2w = camera(at)
    c2w[:3, 3] = 0
    return c2w


def picture(c2w: np.ndarray, blur: float = 0.0) -> np.ndarray:
    """What a camera sees of the room, 8 bit."""
    seen = drawn(c2w, _BOARDS, _textures())
    return cv2.GaussianBlur(seen, (0, 0), blur) if blur else seen


def drawn(c2w: np.ndarray, boards: Sequence[Board], textures: Sequence[np.ndarray]) -> np.ndarray:
    """What a camera sees of boards, the farthest first, each with its texture; all lie in front of it."""
    lens = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    w2c = np.linalg.inv(c2w)
    seen = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    for board, texture in zip(boards, textures):
        centre, across, down = map(np.array, board)
        corners = np.array([centre + a * across + b * down for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
        pixels = (corners @ w2c[:3, :3].T + w2c[:3, 3]) @ lens.T
        pixels = (pixels[:, :2] / pixels[:, 2:]).astype(np.float32) - 0.5
        h, w = texture.shape[:2]
        whole = np.array([[-0.5, -0.5], [w - 0.5, -0.5], [w - 0.5, h - 0.5], [-0.5, h - 0.5]], np.float32)
        onto = cv2.getPerspectiveTransform(whole, pixels)
        shown = cv2.warpPerspective(texture, onto, SIZE, flags=cv2.INTER_AREA)
        there = cv2.warpPerspective(np.full((h, w), 255, np.uint8), onto, SIZE, flags=cv2.INTER_NEAREST)
        seen[there > 0] = shown[there > 0]
    return seen


def _textures() -> list[np.ndarray]:
    return textures(((480, 720), (220, 160), (200, 150), (120, 160)), 7)


def textures(shapes: Sequence[tuple[int, int]], seed: int) -> list[np.ndarray]:
    """Pictures of so many rows and columns that nothing else looks like."""
    random = np.random.default_rng(seed)

    def waves(height: int, width: int, cell: int) -> np.ndarray:
        coarse = random.standard_normal((max(2, height // cell), max(2, width // cell), 3))
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)

    sums = [sum(waves(*shape, cell) for cell in (60, 20, 8)) for shape in shapes]
    return [np.clip(128 + 45 * values, 0, 255).astype(np.uint8) for values in sums]


def write_photos(folder: Path, pictures: Sequence[np.ndarray]) -> Path:
    """The pictures as photos p00.png, p01.png, ... of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"p{index:02d}.png")
    return folder


def walk(count: int = 8) -> list[np.ndarray]:
    """The pictures of a walk."""
    return [picture(camera(at)) for at in np.linspace(0, 1, count)]


def write_film(path: Path, pictures: Sequence[np.ndarray]) -> Path:
    """The pictures as an H.264 video."""
    writer = imageio_ffmpeg.write_frames(str(path), SIZE, fps=30, quality=9, macro_block_size=2)
    writer.send(None)
    for pixels in pictures:
        writer.send(np.ascontiguousarray(pixels))
    writer.close()
    return path


def copy_sample_photos(folder: Path) -> Path:
    """The photos of the sample capture, without its poses."""
    shutil.copytree(sample_capture() / "images", folder)
    return folder


def aligned(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """How far camera-to-worlds [n, 4, 4] are from the true ones after the similarity that fits their axes and then
    their positions: the largest distance as a share of the cameras' spread, the largest angle in degrees."""
    u, _, v = np.linalg.svd(sum(t[:3, :3] @ f[:3, :3].T for f, t in zip(found, true)))
    turn = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
    a, b = found[:, :3, 3] @ turn.T, true[:, :3, 3]
    a, b = a - a.mean(0), b - b.mean(0)
    off = np.linalg.norm((a * b).sum() / (a * a).sum() * a - b, axis=1).max()
    cosines = [(np.trace((turn @ f[:3, :3]).T @ t[:3, :3]) - 1) / 2 for f, t in zip(found, true)]
    spread = np.linalg.norm(b, axis=1).max()
    return float(off / spread), float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())
