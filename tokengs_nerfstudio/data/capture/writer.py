"""Posed images written as a capture in nerfstudio's `transforms.json` form: whole or not at all."""

import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from tokengs_nerfstudio.core.errors import ExistingFileError, UserError, in_short
from tokengs_nerfstudio.core.types import Cameras, Views
from tokengs_nerfstudio.data.capture.frames import CaptureFrame, CaptureFrames

WRITTEN_BY = "tokengs_nerfstudio"
_POINTS = "points.ply"
_KEPT = ("applied_transform", "orientation_override")
_JPEG = b"\xff\xd8"


def write_nerfstudio_capture(
    folder: str | Path,
    views: Views,
    train: Sequence[int] | None = None,
    test: Sequence[int] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write one scene's views as `folder/transforms.json` and `folder/images/frame_00000.png`, ...

    `views` has no batch axis: images [view 3 height width] in [0, 1] (rounded to 8 bits), OpenCV camera-to-world
    (written with nerfstudio's OpenGL axes), intrinsics in pixels, times and masks (`folder/masks`) where there are any.
    `train` and `test` are indices into the views and become `train_filenames`, `val_filenames` and `test_filenames`;
    with only one of them the other holds the remaining views, with neither the reader's own split applies.

    Everything is written beside `folder` first and moved there in one step, so an interrupted call leaves nothing
    half-written behind under that name. With `overwrite` an existing capture is replaced, but only one that this
    function wrote. Returns the folder. Raises FileExistsError for a folder that is not empty otherwise, ValueError
    for views or splits that cannot be written.
    """
    folder = Path(folder)
    if views.images.ndim != 4:
        raise UserError(f"one scene's views are images [view 3 height width], got {tuple(views.images.shape)}")
    for name in ("images", "c2w", "intrinsics"):
        if not torch.isfinite(getattr(views, name)).all():
            raise UserError(f"cannot write a capture: its {name} are not all finite")
    check_target(folder, overwrite)
    names = [f"images/frame_{index:05d}.png" for index in range(views.num_views)]
    with replaced(folder) as fresh:
        _write_images(views.images, [fresh / name for name in names])
        if views.masks is not None:
            (fresh / "masks").mkdir()
            _write_images(views.masks, [fresh / _mask_name(name) for name in names])
        _write_transforms(fresh, _transforms(views, names) | _split(names, train, test))
    return folder


def write_encoded_capture(
    folder: Path, cameras: Cameras, images: Iterable[bytes], times: Float[Tensor, " view"] | None = None
) -> Path:
    """A capture of images that are encoded already, PNG or JPEG, in the order of their cameras; whole or not at all.

    A capture that this module wrote there before is replaced. Returns the folder; errors as in
    `write_nerfstudio_capture`.
    """
    check_target(folder, overwrite=True)
    names: list[str] = []
    with replaced(folder) as fresh:
        for index, content in enumerate(images):
            names.append(f"images/frame_{index:05d}.{'jpg' if content.startswith(_JPEG) else 'png'}")
            (fresh / names[-1]).write_bytes(content)
        shown = torch.empty(len(names), 3, cameras.height, cameras.width, device="meta")
        _write_transforms(fresh, _transforms(Views(shown, cameras.c2w, cameras.intrinsics, times=times), names))
    return folder


def write_capture_again(folder: Path, found: CaptureFrames, points: Callable[[Path], None]) -> Path:
    """A copy of a capture's photos, masks, cameras (in the file's own world) and splits in nerfstudio's own form, with
    the cloud of points that `points` writes to a file; whole or not at all.

    What ns-process-data had done to the world before stays said, but for its scale, by which nerfstudio 1.1.5 would
    move points and not cameras. Returns the folder. FileExistsError for a folder that is not empty, ValueError for
    photos that nerfstudio reads otherwise than this package.
    """
    check_target(folder, overwrite=False)
    frames, kinds = found.frames, {frame.lens.fisheye for frame in found.frames}
    turned = [frame.file_path for frame in frames if frame.turned]
    if turned:
        raise UserError(f"nerfstudio would not turn these photos as their EXIF entries say: {in_short(turned)}")
    if len(kinds) > 1:
        raise UserError(f"{found.transforms.file} has fisheye photos among others, which nerfstudio cannot read")
    names = [_place(number, frame.image) for number, frame in enumerate(frames)]
    with replaced(folder) as fresh:
        records = [_copied(fresh, name, frame) for name, frame in zip(names, frames)]
        points(fresh / _POINTS)
        kept = {name: found.transforms.shared[name] for name in _KEPT if name in found.transforms.shared}
        split = found.split()
        named = bool(found.lists.held_out and split.test)
        lists = _split(names, split.train, split.test) if named else {}
        model = "OPENCV_FISHEYE" if kinds == {True} else "OPENCV"
        about = {"written_by": WRITTEN_BY, "camera_model": model, "ply_file_path": _POINTS, **kept, **lists}
        _write_transforms(fresh, about | {"frames": records})
    return folder


def _place(number: int, image: Path) -> str:
    """The photos keep their names, which say their order to nerfstudio, behind a number that keeps them apart."""
    return f"images/{number:05d}_{image.name}"


def _copied(folder: Path, name: str, frame: CaptureFrame) -> dict[str, Any]:
    """The record of a frame whose photo, and mask, lie in `folder` now."""
    shutil.copyfile(frame.image, folder / name)
    lens = frame.lens
    keys = ("k1", "k2", "k3", "k4") if lens.fisheye else ("k1", "k2", "p1", "p2", "k3")
    record: dict[str, Any] = {"file_path": name, "w": frame.size[0], "h": frame.size[1]}
    record |= {"fl_x": lens.fx, "fl_y": lens.fy, "cx": lens.cx, "cy": lens.cy}
    record |= dict(zip(keys, lens.coefficients or (0.0,) * len(keys)))
    record["transform_matrix"] = (frame.c2w @ np.diag([1.0, -1.0, -1.0, 1.0])).tolist()
    if frame.time is not None:
        record["time"] = frame.time
    if frame.mask is not None:
        record["mask_path"] = f"masks/{Path(name).stem}{frame.mask.suffix}"
        (folder / "masks").mkdir(exist_ok=True)
        shutil.copyfile(frame.mask, folder / record["mask_path"])
    return record


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A folder to write a capture to, which takes the place of `folder` when the block ends without an error."""
    # A unique name beside the target keeps the final move on one file system.
    fresh = folder.absolute().with_name(f".{folder.absolute().name}.{uuid.uuid4().hex[:12]}")
    try:
        (fresh / "images").mkdir(parents=True)
        yield fresh
        _move(fresh, folder.absolute())
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write_transforms(folder: Path, transforms: dict[str, Any]) -> None:
    (folder / "transforms.json").write_text(json.dumps(transforms, indent=1), encoding="utf-8")


def check_target(folder: Path, overwrite: bool) -> None:
    """FileExistsError where `folder` holds something that no capture may replace: anything but one of ours."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir():
        raise ExistingFileError(f"cannot write a capture to {folder}: a file of that name is in the way")
    if not _is_ours(folder):
        raise ExistingFileError(
            f"cannot write a capture to {folder}: the folder is not empty and was not written by {WRITTEN_BY}; "
            "choose another folder or empty this one yourself"
        )
    if not overwrite:
        raise ExistingFileError(f"{folder} already holds a capture; choose another folder, or pass overwrite=True")


def _is_ours(folder: Path) -> bool:
    try:
        content = json.loads((folder / "transforms.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("written_by") == WRITTEN_BY


def _transforms(views: Views, names: list[str]) -> dict[str, Any]:
    """The content of `transforms.json` without the split."""
    cameras = [_camera(matrix) for matrix in views.intrinsics.detach().cpu().double()]
    shared = cameras[0] if all(camera == cameras[0] for camera in cameras) else {}
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
    poses = views.c2w.detach().cpu().double() @ flip
    frames: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        frame: dict[str, Any] = {"file_path": name, "transform_matrix": poses[index].tolist()}
        if not shared:
            frame |= cameras[index]
        if views.times is not None:
            frame["time"] = float(views.times[index])
        if views.masks is not None:
            frame["mask_path"] = _mask_name(name)
        frames.append(frame)
    size = {"w": views.width, "h": views.height}
    return {"written_by": WRITTEN_BY, "camera_model": "PINHOLE", **size, **shared, "frames": frames}


def _mask_name(image: str) -> str:
    return image.replace("images/", "masks/")


def _camera(matrix: Tensor) -> dict[str, float]:
    if matrix[0, 1] != 0:
        raise UserError(f"transforms.json has no place for skew, but intrinsics[0, 1] is {float(matrix[0, 1])}")
    return {
        "fl_x": float(matrix[0, 0]),
        "fl_y": float(matrix[1, 1]),
        "cx": float(matrix[0, 2]),
        "cy": float(matrix[1, 2]),
    }


def _split(names: list[str], train: Sequence[int] | None, test: Sequence[int] | None) -> dict[str, list[str]]:
    if train is None and test is None:
        return {}
    for part, indices in (("train", train), ("test", test)):
        wrong = [index for index in indices or () if not 0 <= index < len(names)]
        if wrong:
            raise UserError(f"the {part} split names views {wrong}, but there are views 0 to {len(names) - 1} only")
    if train is None:
        train = [index for index in range(len(names)) if index not in set(test or ())]
    if test is None:
        test = [index for index in range(len(names)) if index not in set(train)]
    held_out = [names[index] for index in test]
    return {"train_filenames": [names[i] for i in train], "val_filenames": held_out, "test_filenames": held_out}


def _write_images(images: Tensor, paths: list[Path]) -> None:
    pixels = (images.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()

    def write(image: np.ndarray, path: Path) -> None:
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(path)

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(write, pixels, paths))


def _move(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`, which is absent, empty, or an older capture of ours."""
    if not folder.exists() or not any(folder.iterdir()):
        fresh.replace(folder)
        return
    old = fresh.with_name(fresh.name + ".old")
    folder.rename(old)
    try:
        fresh.replace(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)
