"""Small captures and weights on disk for the tests of the nerfstudio floor."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tokengs_nerfstudio.core.checkpoint.loading import save_network
from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.initial import InitialValues
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.types import Gaussians, Views
from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.data.capture.writer import write_nerfstudio_capture

START = InitialValues(decoder_scale=0.1, token_std=0.5, head_std=0.05, quaternion_w=1.0)
SMALL_NETWORK = NetworkConfig(
    width=32,
    heads=2,
    encoder_depth=1,
    decoder_depth=1,
    tokens=32,
    gaussians_per_token=8,
    scale_cap=0.3,
    image_size=(32, 32),
    num_context=3,
)


def look_at_origin(angle: float) -> np.ndarray:
    """An OpenGL camera-to-world on a circle of radius 3 around the z axis, one above the origin's plane."""
    position = np.array([3 * np.cos(angle), 3 * np.sin(angle), 1.0])
    back = position / np.linalg.norm(position)
    right = np.cross([0, 0, 1.0], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(back, right), back, position], axis=1)
    return pose


def flat_picture(width: int, height: int, index: int) -> np.ndarray:
    """Grey whose level is the frame's number; 8 bit."""
    return np.full((height, width, 3), index, np.uint8)


def wavy_picture(width: int, height: int, index: int) -> np.ndarray:
    """A smooth picture whose every pixel tells where it is; 8 bit."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    channels = [np.sin(x / 7 + index), np.cos(y / 5 + index), np.sin((x + y) / 11 - index)]
    return np.round(127.5 + 100 * np.stack(channels, axis=-1)).astype(np.uint8)


def write_capture(
    folder: Path,
    count: int = 10,
    size: tuple[int, int] = (16, 12),
    frames: dict[int, dict[str, Any]] | None = None,
    picture: Callable[[int, int, int], np.ndarray] = flat_picture,
    **shared: Any,
) -> Path:
    """A capture of `count` frames, images/frame_000.png and so on, that look at the origin.

    `shared` fields go to the top of transforms.json and `frames[i]` into its frames, over what is there; a field of
    the value ... is taken out. w and h say 16 x 12 whatever `size` the images have.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    records = []
    for index in range(count):
        name = f"images/frame_{index:03d}.png"
        Image.fromarray(picture(*size, index)).save(folder / name)
        record = {"file_path": name, "transform_matrix": look_at_origin(0.5 * index).tolist()}
        records.append(_without_dots(record | (frames or {}).get(index, {})))
    camera = {"fl_x": 20.0, "fl_y": 21.0, "cx": 8.0, "cy": 6.0, "w": 16, "h": 12}
    (folder / "transforms.json").write_text(json.dumps(_without_dots(camera | shared) | {"frames": records}))
    return folder


def _without_dots(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not ...}


def edit(folder: Path, change) -> None:
    file = folder / "transforms.json"
    meta = json.loads(file.read_text())
    change(meta)
    file.write_text(json.dumps(meta))


def mask_left_half(folder: Path, size: tuple[int, int] = (16, 12)) -> None:
    """Mask the left half of every photo of a capture."""
    (folder / "masks").mkdir()
    mask = Image.new("L", size, 255)
    mask.paste(0, (0, 0, size[0] // 2, size[1]))
    mask.save(folder / "masks/m.png")
    edit(folder, lambda meta: [frame.update(mask_path="masks/m.png") for frame in meta["frames"]])


def write_blobs(
    folder: Path, count: int = 10, height: int = 40, width: int = 48, test: Sequence[int] | None = None
) -> Path:
    """A capture of forty coloured Gaussians near the origin on grey, exactly what the renderer makes of them.

    It names the photos `test` as held out.
    """
    generator = torch.Generator().manual_seed(3)
    blobs = Gaussians(
        means=torch.randn(40, 3, generator=generator) * 0.5,
        quats=torch.nn.functional.normalize(torch.randn(40, 4, generator=generator), dim=-1),
        scales=torch.rand(40, 3, generator=generator) * 0.3 + 0.05,
        opacities=torch.rand(40, generator=generator) * 0.5 + 0.5,
        colors=torch.rand(40, 3, generator=generator),
    )
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    c2w = torch.tensor(np.stack([look_at_origin(0.3 * i) @ flip for i in range(count)]), dtype=torch.float32)
    one = torch.ones(count)
    intrinsics = intrinsics_matrix(60 * one, 60 * one, width / 2 * one, height / 2 * one)
    images = render(blobs, c2w, intrinsics, width, height, background=0.5, depth=False).rgb
    return write_nerfstudio_capture(folder, Views(images.clamp(0, 1), c2w, intrinsics), test=test)


def write_weights(file: Path, **changes) -> Path:
    """Random weights of a network that encodes in milliseconds; one that knows time makes things move."""
    torch.manual_seed(7)
    network = TokenGSNetwork(replace(SMALL_NETWORK, **changes), initial=START)
    if network.target_time_embedding is not None:
        torch.nn.init.normal_(network.target_time_embedding.conv.weight, std=1.0)
    save_network(network, file)
    return file


def intrinsics(capture: NerfstudioCapture, frame: int = 0) -> list[float]:
    """fx, fy, cx, cy, pixels."""
    k = capture.intrinsics[frame]
    return [float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])]
