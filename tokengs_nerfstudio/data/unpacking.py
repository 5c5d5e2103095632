"""One scene of a data set as a capture: for those who want file names of images, as nerfstudio does."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from tokengs_nerfstudio.core.checkpoint.registry import cache_folder
from tokengs_nerfstudio.core.rendering.piecewise import slices
from tokengs_nerfstudio.core.types import Cameras
from tokengs_nerfstudio.data.capture.writer import write_encoded_capture
from tokengs_nerfstudio.data.dl3dv import DL3DVScene
from tokengs_nerfstudio.data.kubric import KubricScene
from tokengs_nerfstudio.data.re10k import RE10KScene
from tokengs_nerfstudio.data.stored_scene import StoredScene

_CHUNK = ".torch"
# Images that are in memory at a time.
_AT_ONCE = 16


def scene_at(path: Path) -> StoredScene | None:
    """The scene of a data set that a path stands for; None for captures, and for what is none.

    A DL3DV zip, or its folder with gaussian_splat; CHUNK.torch#KEY of RealEstate10K; a folder of Kubric's tars.
    """
    chunk, mark, key = str(path).partition(f"{_CHUNK}#")
    if mark or path.suffix == _CHUNK:
        return RE10KScene(f"{chunk}{_CHUNK}" if mark else path, key)
    if path.suffix == ".zip" or (path / "gaussian_splat/transforms.json").is_file():
        return DL3DVScene(path)
    return KubricScene(path) if any(path.glob("output_*.tar")) else None


def unpacked(path: Path, say: Callable[[str], object]) -> Path:
    """A capture of the scene that `path` stands for (see `scene_at`), in the cache folder; else `path` as it is.

    What was unpacked before is used again as long as the scene's files have their size and time of change; that
    something is unpacked is said in one line. Errors as in `StoredScene.load`, and where nothing can be written.
    """
    scene = scene_at(path)
    if scene is None:
        return path
    cameras = Cameras(scene.c2w, scene.intrinsics, scene.image_size[1], scene.image_size[0])
    folder = cache_folder() / "scenes" / f"{scene.name[:64]}-{_stamp(scene)}"
    if (folder / "transforms.json").is_file():
        return folder
    say(f"Unpacking {len(scene)} images of {path} to {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    return write_encoded_capture(folder, cameras, _images(scene), scene.times)


def _images(scene: StoredScene) -> Iterator[bytes]:
    for part in slices(len(scene), _AT_ONCE):
        yield from scene.encoded(range(part.start, part.stop))


def _stamp(scene: StoredScene) -> str:
    """Which files the scene consists of, and of which state."""
    source = scene.source
    files = [source] if source.is_file() else sorted(file for file in source.rglob("*") if file.is_file())
    state = [(str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr((scene.name, state)).encode()).hexdigest()[:12]
