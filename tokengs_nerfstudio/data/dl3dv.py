"""DL3DV-10K scenes: zips of the training set and of the benchmark, and folders that were extracted from them.

Layouts, as TokenGS (arXiv 2604.15239) and LocusGS (arXiv 2608.12825) read them:

* training set: `<root>/{1K..11K}/<hash>.zip` with `<hash>/transforms.json` and `<hash>/images/`;
* benchmark: `<root>/<hash>.zip` with `<hash>/gaussian_splat/transforms.json` and `images_4/` beside it;
* extracted: folders in the place of the zips.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from tokengs_nerfstudio.core.errors import MissingFileError
from tokengs_nerfstudio.core.json_text import json_content
from tokengs_nerfstudio.data.capture.transforms_json import slashed
from tokengs_nerfstudio.data.stored_scene import (
    OPENGL_TO_OPENCV,
    StoredFrames,
    StoredScene,
    size_of,
)

IMAGE_FOLDERS = ("images_4", "images_8", "images_2", "images")
"""Where images may be, the first that a scene has where none is named: those of 960x540, which TokenGS is trained and
scored with, then smaller ones; those of the full size last."""

DL3DV_LAYOUT = "<hash>.zip or folders <hash>, there or in folders 1K to 11K (DL3DV)"

_BATCH = re.compile(r"\d+K")
_HASH = re.compile(r"[0-9a-f]{64}")
# Rows of the world as the data set means it, from that of the file: the inverse of its usual applied_transform.
_WORLD = np.array([[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])

Place = Path | zipfile.Path


class DL3DVScene(StoredScene):
    """One scene in a zip or a folder. Its name is its hash; frames have the order of its transforms.json.

    Intrinsics are those of the images that are read. Lens distortion is left out of account, as in TokenGS's training
    and scores; the benchmark's images have none.
    """

    kind = "a DL3DV scene"

    def __init__(self, source: str | Path, images: str | None = None, max_size: int | None = None) -> None:
        """The scene in the zip or folder `source`, with the images of its folder `images` (None: of the first of
        `IMAGE_FOLDERS` that it has)."""
        super().__init__(Path(source).name.removesuffix(".zip"), Path(source), max_size)
        self.images = images

    def read_frames(self) -> StoredFrames:
        """As `StoredScene.read_frames`."""
        with _opened(self.source) as place:
            content = json_content((place / "transforms.json").read_bytes(), f"transforms.json of {self.source}")
            frames = content["frames"]
            files = tuple(PurePosixPath(slashed(frame["file_path"])).name for frame in frames)
            size = size_of((self._folder(place) / files[0]).read_bytes())
        poses = np.tile(np.eye(4), (len(frames), 1, 1))
        poses[:, :3] = np.array([frame["transform_matrix"] for frame in frames], float)[:, :3]
        keys = ("fl_x", "fl_y", "cx", "cy", "w", "h")
        numbers = np.array([[frame[key] if key in frame else content[key] for key in keys] for frame in frames], float)
        scale = np.array([size[1], size[0]]) / numbers[:, 4:]
        return StoredFrames(_WORLD @ poses @ OPENGL_TO_OPENCV, numbers[:, :4] * np.tile(scale, 2), size, files=files)

    def read_encoded(self, indices: Sequence[int], frames: StoredFrames) -> list[bytes]:
        """As `StoredScene.read_encoded`."""
        with _opened(self.source) as place:
            folder = self._folder(place)
            return [(folder / frames.files[index]).read_bytes() for index in indices]

    def _folder(self, place: Place) -> Place:
        wanted = IMAGE_FOLDERS if self.images is None else (self.images,)
        for name in wanted:
            if (place / name).is_dir():
                return place / name
        found = ", ".join(sorted(entry.name for entry in place.iterdir() if entry.is_dir())) or "no folder"
        raise MissingFileError(f"{self.source} has no images in {' or '.join(wanted)}: there is {found}")


def dl3dv_scenes(root: str | Path, images: str | None = None, max_size: int | None = None) -> list[DL3DVScene]:
    """The scenes of a training set or of a benchmark, in order of their paths; none of them is opened.

    `images` names the folder that images come from, for all scenes. Where a scene is there as a zip and as a folder,
    the folder counts. MissingFileError where there is no scene.
    """
    root, found = Path(root), dict[str, Path]()
    folders = [root, *(entry for entry in _entries(root) if _BATCH.fullmatch(entry.name))]
    for entry in (entry for folder in folders for entry in _entries(folder)):
        zipped = entry.suffix == ".zip"
        if zipped and _HASH.fullmatch(entry.stem):
            found.setdefault(entry.stem, entry)
        elif not zipped and (_HASH.fullmatch(entry.name) or (entry / "gaussian_splat").is_dir()):
            found[entry.name] = entry
    if not found:
        raise MissingFileError(f"no DL3DV scenes in {root}: expected {DL3DV_LAYOUT}")
    return [DL3DVScene(path, images, max_size) for path in sorted(found.values())]


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


@contextmanager
def _opened(source: Path) -> Iterator[Place]:
    """What holds a scene's transforms.json, open for the block."""
    if source.is_dir():
        yield _place(source, source)
        return
    if not source.is_file():
        raise MissingFileError(f"there is no DL3DV scene {source}")
    with zipfile.ZipFile(source) as archive:
        yield _place(zipfile.Path(archive), source)


def _place(top: Place, source: Path) -> Place:
    for base in (top, *(entry for entry in top.iterdir() if entry.is_dir())):
        for place in (base / "gaussian_splat", base):
            if (place / "transforms.json").is_file():
                return place
    raise MissingFileError(f"{source} has no transforms.json, nor has a folder in it")
