"""What people look at: pictures beside photos, depths, a film, and the Gaussians themselves."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from PIL import Image
from torch import Tensor

from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion, quaternion_from_matrix
from tokengs_nerfstudio.core.types import Cameras, Views
from tokengs_nerfstudio.data.splat_files import write_ply
from tokengs_nerfstudio.evaluation.measuring import Measured, time_of
from tokengs_nerfstudio.evaluation.results import file_name

FRAME_RATE = 24
_BETWEEN = 4
"""frames of a film from one camera to the next"""
_MOMENTS = 48
"""frames of a film of what moves"""
_FAINT = 0.005


def complete(folder: Path, scene: str) -> bool:
    """Whether all media of a scene are there: the Gaussians come last."""
    return _splat_file(folder, scene).is_file()


def write_media(folder: Path, scene: str, frames: Sequence[int], measured: Measured) -> None:
    """`images/SCENE/` (as rendered, and *_true as it was), `depths/SCENE/` (z-depth as .tiff of 32 bits in units of the
    capture, and a picture of it), `videos/SCENE.mp4` through all these cameras, `gaussians/SCENE.ply`."""
    name, asked = file_name(scene), measured.scene.example.target
    for number, frame in enumerate(frames):
        _save(folder / f"images/{name}/{frame:05d}.png", _picture(measured.pictures[number]))
        _save(folder / f"images/{name}/{frame:05d}_true.png", _picture(asked.images[number]))
        _write_depth(folder / f"depths/{name}/{frame:05d}", _depth(measured, number))
    order = torch.tensor(frames).argsort()
    _write_film(folder / f"videos/{name}.mp4", _film(measured, asked.select(order)))
    to_world = measured.scene.to_canonical.inverse()
    splats = measured.splats_at(time_of(measured.scene, 0)).detach()
    write_ply(_splat_file(folder, scene), splats.transformed(to_world), _FAINT)


def _splat_file(folder: Path, scene: str) -> Path:
    return folder / f"gaussians/{file_name(scene)}.ply"


def _picture(image: Float[Tensor, "3 height width"]) -> Image.Image:
    return Image.fromarray((255 * image.detach().clamp(0, 1)).round().byte().permute(1, 2, 0).cpu().numpy())


def _save(path: Path, picture: Image.Image) -> None:
    with replacing(path) as scratch:
        picture.save(scratch)


@torch.no_grad()
def _depth(measured: Measured, number: int) -> Float[ndarray, "height width"]:
    """Of a target, in the world's units, 0 where nothing is."""
    splats = measured.splats_at(time_of(measured.scene, number))
    renders = render_cameras(splats, measured.scene.example.target.select([number]).cameras, measured.rendering)
    assert renders.depth is not None
    return (renders.depth[0, 0] / measured.scene.to_canonical.scale).float().cpu().numpy()


def _write_depth(path: Path, depth: Float[ndarray, "height width"]) -> None:
    """The nearest white, what is far or not there black."""
    _save(path.with_suffix(".tiff"), Image.fromarray(depth.astype(np.float32)))
    near = np.divide(1.0, depth, out=np.zeros_like(depth), where=depth > 0)
    brightest = np.percentile(near, 99) or 1.0
    _save(path.with_suffix(".png"), Image.fromarray((255 * np.clip(near / brightest, 0, 1)).astype(np.uint8)))


@torch.no_grad()
def _film(measured: Measured, asked: Views) -> Iterator[Float[Tensor, "3 height width"]]:
    """Along the asked cameras; of what moves, all its time from the first of them."""
    if measured.scene.times:
        camera = asked.select([0]).cameras
        for moment in np.linspace(0, 1, _MOMENTS):
            yield render_cameras(measured.splats_at(float(moment)), camera, measured.rendering, depth=False).rgb[0]
        return
    splats = measured.splats_at(None)
    for c2w in along(asked.c2w, _BETWEEN):
        camera = Cameras(c2w[None], asked.intrinsics[:1], asked.width, asked.height)
        yield render_cameras(splats, camera, measured.rendering, depth=False).rgb[0]


def along(c2w: Float[Tensor, "view 4 4"], steps: int) -> Float[Tensor, "frame 4 4"]:
    """A way from camera to camera in equal steps: positions on straight lines, rotations by the shorter way."""
    way = torch.linspace(0, len(c2w) - 1, (len(c2w) - 1) * steps + 1, dtype=c2w.dtype, device=c2w.device)
    first = way.long().clamp(max=max(len(c2w) - 2, 0))
    after, share = (first + 1).clamp(max=len(c2w) - 1), (way - first)[:, None]
    quats = quaternion_from_matrix(c2w[:, :3, :3])
    one, other = quats[first], quats[after]
    other = torch.where((one * other).sum(-1, keepdim=True) < 0, -other, other)
    poses = c2w[first].clone()
    poses[:, :3, :3] = matrix_from_quaternion(torch.nn.functional.normalize(torch.lerp(one, other, share), dim=-1))
    poses[:, :3, 3] = torch.lerp(c2w[first, :3, 3], c2w[after, :3, 3], share)
    return poses


def _write_film(path: Path, frames: Iterator[Float[Tensor, "3 height width"]]) -> None:
    """H.264; an odd last row or column is left out, which players cannot show."""
    import imageio_ffmpeg

    with replacing(path) as scratch:
        writer = None
        for frame in frames:
            height, width = (side // 2 * 2 for side in frame.shape[-2:])
            if writer is None:
                writer = imageio_ffmpeg.write_frames(str(scratch), (width, height), fps=FRAME_RATE, macro_block_size=2)
                writer.send(None)
            writer.send(np.ascontiguousarray(np.asarray(_picture(frame[:, :height, :width]))))
        if writer is not None:
            writer.close()
