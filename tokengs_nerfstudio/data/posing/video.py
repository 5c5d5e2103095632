"""Frames of a video that are worth posing: of each stretch of the camera's way the sharpest."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.core.rendering.piecewise import slices
from tokengs_nerfstudio.data.posing.pictures import looks

SUFFIXES = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".3gp", ".gif")

_SURVEYED_WIDTH = 320
# Of a long video every so many frames are looked at that it is at most so many.
_SURVEYED_FRAMES = 3000
# By so much of the picture's longer side things have to move from one frame to the next that is taken.
_LEAST_MOTION = 0.03
_LEAST_WAY = 0.06
_UNKNOWN_MOTION = 0.01
_CORNERS, _LEAST_CORNERS = 200, 8
_FRAMES_A_CALL = 100
_QUALITY = 95


@dataclass(frozen=True)
class Glimpse:
    """One frame of a video: its number, its sharpness, and how far most of what it shows has moved since the one
    before it, as a share of the picture's longer side."""

    frame: int
    sharpness: float
    motion: float


def survey(video: Path) -> list[Glimpse]:
    """All frames of a video, or every so many of a long one; UserError where it cannot be read."""
    step = max(1, -(-_frame_count(video) // _SURVEYED_FRAMES))
    chosen = f"select=not(mod(n\\,{step})),scale={_SURVEYED_WIDTH}:-2"
    found: list[Glimpse] = []
    before: UInt8[ndarray, "height width"] | None = None
    for place, grey in enumerate(_frames(video, "gray", chosen)):
        motion = 0.0 if before is None else motion_between(before, grey[..., 0])
        before = grey[..., 0]
        found.append(Glimpse(place * step, looks(before).sharpness, motion))
    return found


def motion_between(before: UInt8[ndarray, "height width"], after: UInt8[ndarray, "height width"]) -> float:
    """How far three quarters of the corners of a picture have moved at most, as a share of its longer side.

    Where too few corners are found again it is a hundredth, which a blurred frame may well have moved.
    """
    corners = cv2.goodFeaturesToTrack(before, _CORNERS, 0.01, 5)
    if corners is None or len(corners) < _LEAST_CORNERS:
        return _UNKNOWN_MOTION
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, np.empty_like(corners))
    kept = found.reshape(-1) == 1
    if kept.sum() < _LEAST_CORNERS:
        return _UNKNOWN_MOTION
    ways = np.linalg.norm((moved - corners).reshape(-1, 2)[kept], axis=1)
    return float(np.quantile(ways, 0.75)) / max(before.shape)


def choose(glimpses: Sequence[Glimpse], most: int) -> list[int]:
    """The numbers of at most `most` frames: the camera's way is cut in equal stretches, each gives its sharpest.

    Stretches are at least 3 % of the picture long: a camera that rests gives few. UserError where it hardly moves.
    """
    way = np.cumsum([glimpse.motion for glimpse in glimpses])
    if len(glimpses) < 3 or way[-1] < _LEAST_WAY:
        raise UserError(
            f"the camera hardly moves in the {len(glimpses)} frames of this video: film while you walk around the "
            "subject, or past it"
        )
    count = min(most, max(3, round(float(way[-1]) / _LEAST_MOTION)))
    best: dict[int, Glimpse] = {}
    for glimpse, so_far in zip(glimpses, way):
        stretch = min(count - 1, int(so_far / way[-1] * count))
        if stretch not in best or glimpse.sharpness > best[stretch].sharpness:
            best[stretch] = glimpse
    return [best[stretch].frame for stretch in sorted(best)]


def write_frames(video: Path, frames: Sequence[int], folder: Path) -> list[Path]:
    """Frames of a video, by number, as JPEG files frame_NUMBER.jpg in `folder`, in full size."""
    written: list[Path] = []
    for part in slices(len(frames), _FRAMES_A_CALL):
        numbers = frames[part]
        chosen = "select=" + "+".join(f"eq(n\\,{number})" for number in numbers)
        for number, pixels in zip(numbers, _frames(video, "rgb24", chosen)):
            written.append(folder / f"frame_{number:06d}.jpg")
            Image.fromarray(pixels).save(written[-1], quality=_QUALITY, subsampling=0)
    return written


def is_video(path: Path) -> bool:
    """Whether a path's name is that of a video."""
    return path.suffix.lower() in SUFFIXES


def _frame_count(video: Path) -> int:
    with _opened(video, []) as (meta, _):
        return round(float(meta.get("fps") or 30) * float(meta.get("duration") or 0))


def _frames(video: Path, pixels: str, filters: str) -> Iterator[UInt8[ndarray, "height width channel"]]:
    """The frames that the filters let through; numbered anew, or ffmpeg would fill their gaps with copies."""
    channels = 1 if pixels == "gray" else 3
    options = ["-vf", f"{filters},setpts=N/FRAME_RATE/TB"]
    with _opened(video, options, pixels, 8 * channels) as (meta, contents):
        width, height = meta["size"]
        for content in contents:
            yield np.frombuffer(content, np.uint8).reshape(height, width, channels)


@contextmanager
def _opened(
    video: Path, options: list[str], pixels: str = "gray", bits: int = 8
) -> Iterator[tuple[dict[str, Any], Iterator[bytes]]]:
    """What ffmpeg says of a video, and its frames; UserError where it is none."""
    import imageio_ffmpeg

    if not video.is_file():
        raise MissingFileError(f"there is no video {video}")
    reader = imageio_ffmpeg.read_frames(
        os.fspath(video), pix_fmt=pixels, bits_per_pixel=bits, output_params=["-an", *options]
    )
    try:
        yield next(reader), reader
    except (OSError, RuntimeError, StopIteration) as error:
        words = " ".join(str(error).split())[-160:]
        raise UserError(f"the video {video} cannot be read ({words}); save it as MP4 with H.264") from error
    finally:
        reader.close()
