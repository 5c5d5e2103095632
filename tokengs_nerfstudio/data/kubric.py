"""Kubric 4D scenes: things that move, filmed by several cameras at once.

`<root>/{v0,v1,v2}/<scene>/output_{camera:03d}.tar` with `./metadata.json`, `./rgba_{moment:05d}.png` and
`./depth_{moment:05d}.tiff` (z-depth, float32) for every moment.
"""

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from PIL import Image
from torch import Tensor

from tokengs_nerfstudio.core.errors import MissingFileError
from tokengs_nerfstudio.core.geometry.resize import resized_images
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion
from tokengs_nerfstudio.data.stored_scene import OPENGL_TO_OPENCV, Images, StoredFrames, StoredScene, decoded

_CAMERA, _COLORS, _DEPTHS = "output_{:03d}.tar", "rgba_{:05d}.png", "depth_{:05d}.tiff"

KUBRIC_LAYOUT = "v0/, v1/ or v2/ with folders of output_000.tar, output_001.tar, ... (Kubric 4D)"


class KubricScene(StoredScene):
    """One scene: all moments of its first camera, then all of the second, and so on; times, z-depths, no opacities.

    Frame camera * moments + moment is what a camera sees at a moment. The images' alpha tells things from what is
    behind them, not how much light they let through: it is dropped, as in TokenGS's training.
    """

    kind = "a Kubric scene"

    def __init__(self, folder: str | Path, max_size: int | None = None) -> None:
        super().__init__(Path(folder).absolute().name, Path(folder), max_size)

    @property
    def moments(self) -> int:
        """How often every camera looked."""
        return _moments(self._frames)

    def read_frames(self) -> StoredFrames:
        """As `StoredScene.read_frames`."""
        files = sorted(self.source.glob("output_*.tar"))
        if not files:
            raise MissingFileError(f"{self.source} is no Kubric scene: it has no output_000.tar")
        # Frames are counted by cameras: one that is missing would shift those after it.
        gone = [name for name in map(_CAMERA.format, range(len(files))) if not (self.source / name).is_file()]
        if gone:
            raise MissingFileError(f"{self.source} has {len(files)} cameras but no {gone[0]}: replace or remove it")
        cameras = [_camera(file) for file in files]
        size, moments = cameras[0].size, len(cameras[0].c2w)
        if any((camera.size, len(camera.c2w)) != (size, moments) for camera in cameras):
            raise ValueError("its cameras differ in the size of their images or in their number")
        return StoredFrames(
            np.concatenate([camera.c2w for camera in cameras]),
            np.concatenate([np.tile(camera.pinhole, (moments, 1)) for camera in cameras]),
            size,
            times=np.tile(np.arange(moments) / max(moments - 1, 1), len(cameras)),
            files=tuple(file.name for file in files for _ in range(moments)),
        )

    def read_encoded(self, indices: Sequence[int], frames: StoredFrames) -> list[bytes]:
        """As `StoredScene.read_encoded`."""
        return [_without_alpha(image) for (image,) in self._contents(indices, frames, _COLORS)]

    def read_images(self, indices: Sequence[int], frames: StoredFrames) -> Images:
        """As `StoredScene.read_images`."""
        contents = self._contents(indices, frames, _COLORS, _DEPTHS)
        images = decoded([color for color, _ in contents], frames.image_size)
        depths = [_depth(depth, frames.image_size) for _, depth in contents]
        return images, torch.stack(depths) if depths else None

    def _contents(self, indices: Sequence[int], frames: StoredFrames, *names: str) -> list[list[bytes]]:
        """Of each frame the files of those names, in which the moment is to be filled in."""
        moments, found = _moments(frames), dict[int, list[bytes]]()
        for file in sorted({frames.files[index] for index in indices}):
            with tarfile.open(self.source / file, "r:") as tar:
                for index in {index for index in indices if frames.files[index] == file}:
                    found[index] = [_content(tar, name.format(index % moments)) for name in names]
        return [found[index] for index in indices]


def kubric_scenes(root: str | Path, max_size: int | None = None) -> list[KubricScene]:
    """The scenes below `root`, in order of their paths; none of them is opened. MissingFileError for none."""
    root = Path(root)
    found = sorted({file.parent for depth in ("*", "*/*") for file in root.glob(f"{depth}/output_*.tar")})
    if not found:
        raise MissingFileError(f"no Kubric scenes in {root}: expected {KUBRIC_LAYOUT}")
    return [KubricScene(folder, max_size) for folder in found]


@dataclass(frozen=True)
class _Camera:
    """What one camera's metadata say; `pinhole` is fx, fy, cx, cy in pixels, `size` (height, width)."""

    c2w: Float[ndarray, "moment 4 4"]
    pinhole: Float[ndarray, "4"]
    size: tuple[int, int]


def _camera(file: Path) -> _Camera:
    with tarfile.open(file, "r:") as tar:
        metadata = json.loads(_content(tar, "metadata.json"))
    camera, (height, width) = metadata["camera"], map(int, metadata["metadata"]["resolution"])
    turns = np.array(camera["quaternions"], float)
    turns /= np.linalg.norm(turns, axis=1, keepdims=True)
    poses = np.tile(np.eye(4), (len(turns), 1, 1))
    poses[:, :3, :3] = matrix_from_quaternion(torch.from_numpy(turns)).numpy()
    poses[:, :3, 3] = np.array(camera["positions"], float)
    # Pixels are square: the sensor's width holds for both sides.
    focal = camera["focal_length"] * width / camera["sensor_width"]
    return _Camera(poses @ OPENGL_TO_OPENCV, np.array([focal, focal, width / 2, height / 2]), (height, width))


def _moments(frames: StoredFrames) -> int:
    return frames.files.count(frames.files[0])


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    """A member's content; members before it are looked at only as far as their headers."""
    member = next((member for member in tar if member.name.removeprefix("./") == name), None)
    file = None if member is None else tar.extractfile(member)
    if file is None:
        raise ValueError(f"{tar.name} has no {name}")
    return file.read()


def _without_alpha(data: bytes) -> bytes:
    file = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").save(file, "PNG")
    return file.getvalue()


def _depth(data: bytes, size: tuple[int, int]) -> Float[Tensor, "1 height width"]:
    """z-depths, 0 where there is no surface; those of the nearest pixels where images are of another size."""
    with Image.open(io.BytesIO(data)) as image:
        values = np.array(image, np.float32)
    values[~np.isfinite(values)] = 0
    return resized_images(torch.from_numpy(values)[None], *size, "nearest")
