"""RealEstate10K scenes in pixelSplat's form: chunks of many scenes each, and an index of what is where.

`<root>/{train,test}/*.torch` and `index.json` beside them (key -> chunk). A chunk is a list of items with `key`,
`cameras` [frame, 18] (fx, fy, cx, cy over the image's size, two zeros, world-to-camera 3x4 row by row; OpenCV axes) and
`images` (encoded bytes as uint8 tensors).
"""

import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tokengs_nerfstudio.core.errors import MissingFileError, UserError, content_of
from tokengs_nerfstudio.core.json_text import read_json
from tokengs_nerfstudio.data.stored_scene import StoredFrames, StoredScene, size_of

RE10K_LAYOUT = "train/ and test/ with an index.json and .torch chunks (RealEstate10K, pixelSplat's form)"

# A chunk holds tens of scenes. Its pixels stay on disk, mapped; what is kept are the Python objects, some MB.
_CHUNKS_KEPT = 4
_loading = threading.Lock()


class RE10KScene(StoredScene):
    """One scene of a chunk. Its name is its key; frames have the order of the chunk."""

    kind = "a RealEstate10K chunk"

    def __init__(self, chunk: str | Path, key: str, max_size: int | None = None) -> None:
        super().__init__(key, Path(chunk), max_size)

    def read_frames(self) -> StoredFrames:
        """As `StoredScene.read_frames`."""
        item = self._item()
        numbers = item["cameras"].double().numpy()
        height, width = size_of(_encoded(item["images"][0]))
        w2c = np.tile(np.eye(4), (len(numbers), 1, 1))
        w2c[:, :3] = numbers[:, 6:].reshape(-1, 3, 4)
        if len(item["images"]) != len(numbers):
            raise ValueError(f"scene {self.name} has {len(item['images'])} images and {len(numbers)} cameras")
        pinholes = numbers[:, :4] * np.array([width, height, width, height])
        return StoredFrames(np.linalg.inv(w2c), pinholes, (height, width))

    def read_encoded(self, indices: Sequence[int], frames: StoredFrames) -> list[bytes]:
        """As `StoredScene.read_encoded`."""
        images = self._item()["images"]
        return [_encoded(images[index]) for index in indices]

    def _item(self) -> Mapping[str, Any]:
        if not self.source.is_file():
            raise MissingFileError(f"there is no chunk {self.source}, which has the scene {self.name}")
        with _loading:
            items = _chunk(self.source)
        if self.name not in items:
            some = ", ".join(list(items)[:3])
            raise UserError(f"{self.source} has no scene '{self.name}' but {some}, ...; name one as CHUNK.torch#KEY")
        return items[self.name]


def re10k_scenes(root: str | Path, split: str = "train", max_size: int | None = None) -> list[RE10KScene]:
    """The scenes of a split, in order of their chunks and keys; no chunk is opened.

    `root` may be the split's own folder. UserError where there is no index, or none that can be read.
    """
    root = Path(root)
    folder = root / split if (root / split).is_dir() else root
    file = folder / "index.json"
    if not file.is_file():
        raise MissingFileError(f"no {file} for the RealEstate10K scenes: expected {RE10K_LAYOUT}")
    with content_of(file, "an index of RealEstate10K", "make it anew: a JSON object from keys to names of chunks"):
        index = read_json(file)
        found = sorted((folder / Path(chunk).name, key) for key, chunk in index.items())
    if not found:
        raise UserError(f"{file} lists no scenes")
    return [RE10KScene(chunk, key, max_size) for chunk, key in found]


@lru_cache(maxsize=_CHUNKS_KEPT)
def _chunk(file: Path) -> dict[str, Mapping[str, Any]]:
    """A chunk's items by key."""
    try:
        items = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:  # a chunk in the old format, which cannot be mapped
        items = torch.load(file, map_location="cpu", weights_only=True)
    return {item["key"]: item for item in items}


def _encoded(image: torch.Tensor) -> bytes:
    return image.numpy().tobytes()
