"""Data sets of a few tiny scenes in the layouts that researchers have on their disks."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tokengs_nerfstudio.core.rotation import quaternion_from_matrix
from tokengs_nerfstudio.core.types import Views
from tokengs_nerfstudio.data.procedural.tracing import ProceduralScene

HASHES = tuple(f"{number:064x}" for number in range(1, 9))
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def made_views(seed: int, frames: int = 7, height: int = 18, width: int = 32) -> Views:
    """A procedural scene with images of 8 bits, depths, and times from 0 to 1."""
    views = ProceduralScene(seed, frames, height, width).load(range(frames))
    return Views(
        (views.images * 255).round() / 255,
        views.c2w,
        views.intrinsics,
        times=torch.linspace(0, 1, frames),
        depths=views.depths,
    )


def encoded(image: torch.Tensor, form: str = "PNG", alpha: bool = False) -> bytes:
    """One image [3 height width] as a file's content."""
    pixels = (image * 255).round().byte().movedim(0, -1).numpy()
    if alpha:
        pixels = np.concatenate([pixels, np.full_like(pixels[..., :1], 128)], axis=-1)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def dl3dv_transforms(views: Views, times_as_large: int = 4) -> dict[str, Any]:
    """A transforms.json written for images so many times as large, in DL3DV's conventions."""
    fx, fy, cx, cy = (float(views.intrinsics[0, row, column]) for row, column in ((0, 0), (1, 1), (0, 2), (1, 2)))
    numbers = {"fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy, "w": views.width, "h": views.height}
    frames = []
    for index, c2w in enumerate(views.c2w.double().numpy()):
        x, y, z, last = c2w @ FLIP
        matrix = np.stack([y, x, -z, last])
        frames.append({"file_path": f"images/frame_{index:05d}.png", "transform_matrix": matrix.tolist()})
    return {name: number * times_as_large for name, number in numbers.items()} | {"frames": frames}


def dl3dv_members(views: Views, inside: str, *folders: str) -> dict[str, bytes]:
    """Names and contents of a scene's files below `inside`, its images in each of `folders`."""
    members = {f"{inside}/transforms.json": json.dumps(dl3dv_transforms(views)).encode()}
    for folder in folders:
        smaller = 2 if folder == "images_8" else 1
        for index, image in enumerate(views.images):
            members[f"{inside}/{folder}/frame_{index:05d}.png"] = encoded(image[:, ::smaller, ::smaller])
    return members


def write_zip(file: Path, members: dict[str, bytes]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def write_dl3dv(root: Path, count: int = 3, frames: int = 7, benchmark: bool = False, first: int = 0) -> Path:
    """Zips of the training set, all in 1K, or of the benchmark; scenes are `made_views` of `first` and so on."""
    for number, name in enumerate(HASHES[:count], start=first):
        views = made_views(number, frames)
        if benchmark:
            write_zip(root / f"{name}.zip", dl3dv_members(views, f"{name}/gaussian_splat", "images_4"))
        else:
            write_zip(root / "1K" / f"{name}.zip", dl3dv_members(views, name, "images"))
    return root


def re10k_item(views: Views, key: str, form: str = "PNG") -> dict[str, Any]:
    """An item of a chunk, its images as PNG, which loses nothing, or as JPEG."""
    k, size = views.intrinsics.double(), (views.width, views.height)
    numbers = [k[:, 0, 0] / size[0], k[:, 1, 1] / size[1], k[:, 0, 2] / size[0], k[:, 1, 2] / size[1]]
    w2c = torch.linalg.inv(views.c2w.double())[:, :3].flatten(1)
    cameras = torch.cat([torch.stack(numbers, 1), torch.zeros(len(k), 2, dtype=torch.float64), w2c], 1).float()
    images = [torch.frombuffer(bytearray(encoded(image, form)), dtype=torch.uint8) for image in views.images]
    return {"key": key, "url": "", "timestamps": torch.arange(len(k)), "cameras": cameras, "images": images}


def write_re10k(
    root: Path, chunks: int = 2, each: int = 2, frames: int = 7, split: str = "train", form: str = "PNG"
) -> Path:
    """Chunks of scenes key-0, key-1, ..., which are `made_views` of these numbers, and their index."""
    folder, index = root / split, {}
    folder.mkdir(parents=True)
    for chunk in range(chunks):
        numbers = range(chunk * each, (chunk + 1) * each)
        name = f"{chunk:06d}.torch"
        torch.save([re10k_item(made_views(number, frames), f"key-{number}", form) for number in numbers], folder / name)
        index |= {f"key-{number}": name for number in numbers}
    (folder / "index.json").write_text(json.dumps(index))
    return root


def write_kubric(root: Path, count: int = 2, cameras: int = 5, moments: int = 6, size: int = 24) -> Path:
    """Scenes v0/scn00000 and so on. Every camera stands still and sees things become brighter; alpha is a half."""
    for number in range(count):
        folder = root / f"v{number % 2}" / f"scn{number:05d}"
        folder.mkdir(parents=True)
        views = made_views(number, cameras, size, size)
        for camera in range(cameras):
            write_kubric_camera(folder / f"output_{camera:03d}.tar", views.select([camera]), moments)
    return root


def moment_image(image: torch.Tensor, moment: int, moments: int) -> torch.Tensor:
    """What a camera of `write_kubric` sees at a moment."""
    return (image * (0.5 + 0.5 * moment / max(moments - 1, 1)) * 255).round() / 255


def write_kubric_camera(file: Path, view: Views, moments: int) -> None:
    assert view.depths is not None
    opengl = view.c2w[0].double() @ torch.from_numpy(FLIP)
    turn, place = quaternion_from_matrix(opengl[:3, :3]).tolist(), opengl[:3, 3].tolist()
    camera = {"focal_length": float(view.intrinsics[0, 0, 0]), "sensor_width": float(view.width)}
    camera |= {"positions": [place] * moments, "quaternions": [turn] * moments}
    about = {"resolution": [view.height, view.width], "num_frames": moments}
    members = {"./metadata.json": json.dumps({"camera": camera, "metadata": about}).encode()}
    for moment in range(moments):
        depth = io.BytesIO()
        Image.fromarray(view.depths[0, 0].numpy()).save(depth, "TIFF")
        members[f"./rgba_{moment:05d}.png"] = encoded(moment_image(view.images[0], moment, moments), alpha=True)
        members[f"./depth_{moment:05d}.tiff"] = depth.getvalue()
    with tarfile.open(file, "w") as tar:
        for name, content in members.items():
            about_member = tarfile.TarInfo(name)
            about_member.size = len(content)
            tar.addfile(about_member, io.BytesIO(content))
