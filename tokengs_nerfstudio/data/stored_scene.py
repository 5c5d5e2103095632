"""What the readers of data sets share: a scene in files that is opened when asked for, and closed again each time."""

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from tokengs_nerfstudio.core.errors import content_of
from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.core.geometry.resize import fitted_size
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.capture.frames import THREADS

OPENGL_TO_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])

# As many scenes as benchmarks have: the cameras of all scenes of a training set would fill gigabytes.
_SCENES_KEPT = 256
# By how much axes may miss being orthonormal, and an image the shape of the others.
_MOST_BENT, _SAME_SHAPE = 0.03, 0.01

Images = tuple[Float[Tensor, "view 3 height width"], Float[Tensor, "view 1 height width"] | None]


@dataclass(frozen=True)
class StoredFrames:
    """All frames of a scene but for their pixels, as the data set means them.

    `c2w` are OpenCV camera-to-world matrices in the scene's world, `pinholes` are fx, fy, cx, cy in pixels of images of
    `image_size` (height, width), `times` lie in [0, 1], `files` are where the frames' images are, in the scene's
    folder or zip. ValueError for cameras that are none.
    """

    c2w: Float[ndarray, "frame 4 4"]
    pinholes: Float[ndarray, "frame 4"]
    image_size: tuple[int, int]
    times: Float[ndarray, " frame"] | None = None
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.c2w) or not (np.isfinite(self.c2w).all() and np.isfinite(self.pinholes).all()):
            raise ValueError("it has no cameras, or some that are not finite")
        axes = self.c2w[:, :3, :3]
        bent = np.abs(axes.transpose(0, 2, 1) @ axes - np.eye(3)).max((1, 2))
        wrong = (bent > _MOST_BENT) | (np.linalg.det(axes) < 0) | (self.pinholes[:, :2] <= 0).any(1)
        if wrong.any():
            raise ValueError(
                f"the axes of camera {wrong.argmax()} are no rotation, or its focal length is not positive"
            )

    def reduced(self, max_size: int) -> "StoredFrames":
        """The same frames with images whose longer side is at most so many pixels."""
        size = fitted_size(*self.image_size, max_size)
        scale = np.array([size[1] / self.image_size[1], size[0] / self.image_size[0]])
        return replace(self, pinholes=self.pinholes * np.tile(scale, 2), image_size=size)


class StoredScene(ABC):
    """A `Scene` in files; the longer side of its images is at most `max_size` pixels, where that is not None.

    Making one touches no file. The first question about its cameras reads these (and the header of one image), `load`
    the images that it is asked for; nothing stays open afterwards, so several threads may load at once. What is
    missing or damaged is a UserError that names the file.
    """

    kind: ClassVar[str]
    """what the scene's files should be, for messages"""

    def __init__(self, name: str, source: Path, max_size: int | None = None) -> None:
        self.name, self.source, self.max_size = name, source, max_size

    def __len__(self) -> int:
        return len(self._frames.c2w)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.source})"

    @property
    def c2w(self) -> Float[Tensor, "frame 4 4"]:
        """As `Scene.c2w`."""
        return torch.from_numpy(self._frames.c2w).float()

    @property
    def intrinsics(self) -> Float[Tensor, "frame 3 3"]:
        """As `Scene.intrinsics`."""
        return intrinsics_matrix(*torch.from_numpy(self._frames.pinholes).float().unbind(-1))

    @property
    def times(self) -> Float[Tensor, " frame"] | None:
        """As `Scene.times`."""
        times = self._frames.times
        return None if times is None else torch.from_numpy(times).float()

    @property
    def image_size(self) -> tuple[int, int]:
        """As `Scene.image_size`."""
        return self._frames.image_size

    def load(self, indices: Sequence[int]) -> Views:
        """As `Scene.load`; UserError naming the file that is missing or damaged."""
        indices, count, times = [int(index) for index in indices], len(self), self.times
        outside = [index for index in indices if not 0 <= index < count]
        if outside:
            raise IndexError(f"scene '{self.name}' has frames 0 to {count - 1}, asked for {outside}")
        with self._reading():
            images, depths = self.read_images(indices, self._frames)
        return Views(
            images,
            self.c2w[indices],
            self.intrinsics[indices],
            times=None if times is None else times[indices],
            depths=depths,
        )

    @abstractmethod
    def read_frames(self) -> StoredFrames:
        """All frames but for their pixels, for images at their own size, from the files.

        Whatever it raises says what is wrong with the files.
        """

    @abstractmethod
    def read_encoded(self, indices: Sequence[int], frames: StoredFrames) -> list[bytes]:
        """The images of some of `frames` as PNG or JPEG without transparency, from the files."""

    def read_images(self, indices: Sequence[int], frames: StoredFrames) -> Images:
        """RGB in [0, 1] and, where the data set has them, z-depths of some of `frames`, from the files."""
        return decoded(self.read_encoded(indices, frames), frames.image_size), None

    def encoded(self, indices: Sequence[int]) -> list[bytes]:
        """The images of some frames as PNG or JPEG; errors as in `load`."""
        with self._reading():
            return self.read_encoded(indices, self._frames)

    @property
    def _frames(self) -> StoredFrames:
        with self._reading():
            return _frames_of(self)

    def _reading(self) -> AbstractContextManager[None]:
        return content_of(self.source, self.kind, "replace it, or take it away")


@lru_cache(maxsize=_SCENES_KEPT)
def _frames_of(scene: StoredScene) -> StoredFrames:
    frames = scene.read_frames()
    return frames if scene.max_size is None else frames.reduced(scene.max_size)


def size_of(data: bytes) -> tuple[int, int]:
    """(height, width) of an encoded image, from its header."""
    with Image.open(io.BytesIO(data)) as image:
        return image.height, image.width


def decoded(files: Sequence[bytes], size: tuple[int, int]) -> Float[Tensor, "view 3 height width"]:
    """Encoded images as RGB in [0, 1], in several threads; transparency is dropped, not composited.

    Images of another size than `size` (height, width) are resized to it; ValueError where their shape is another one.
    """
    images = torch.empty(len(files), 3, *size)

    def decode_into(place: int) -> None:
        images[place] = torch.from_numpy(_pixels(files[place], size)).permute(2, 0, 1)

    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        list(pool.map(decode_into, range(len(files))))
    return images.div_(255)


def _pixels(data: bytes, size: tuple[int, int]) -> UInt8[ndarray, "height width 3"]:
    height, width = size
    with Image.open(io.BytesIO(data)) as image:
        if abs(image.width * height / (image.height * width) - 1) > _SAME_SHAPE:
            raise ValueError(f"one of its images is {image.width}x{image.height}, another {width}x{height}")
        shown = image.convert("RGB")
        if shown.size != (width, height):
            shown = shown.resize((width, height), Image.Resampling.BILINEAR)
        return np.array(shown)
