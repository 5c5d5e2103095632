"""Cut-out photos of a bumpy ball: colours and opacities as they are rendered, nothing around it."""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from made.captures import look_at_origin
from PIL import Image

from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.types import Gaussians, Views

FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def ball(count: int = 600) -> Gaussians:
    """A closed surface about the origin, less than one from it, in many colours."""
    generator = torch.Generator().manual_seed(0)
    directions = F.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    means = directions * (0.6 + 0.15 * torch.sin(4 * directions[:, :1]))
    phases = torch.tensor([0.0, 1.0, 2.0])
    return Gaussians(
        means=means,
        quats=F.normalize(torch.randn(count, 4, generator=generator), dim=-1),
        scales=torch.full((count, 3), 0.07),
        opacities=torch.full((count,), 0.95),
        colors=0.5 + 0.4 * torch.sin(6 * means + phases),
    )


def cut_out_views(count: int = 10, size: int = 48) -> Views:
    """Photos from all around, over grey 0.5, with their opacities; times and masks unknown."""
    poses = [look_at_origin(2 * math.pi * i / count) @ FLIP for i in range(count)]
    c2w = torch.tensor(np.stack(poses), dtype=torch.float32)
    one = torch.ones(count)
    intrinsics = intrinsics_matrix(1.4 * size * one, 1.4 * size * one, size / 2 * one, size / 2 * one)
    renders = render(ball(), c2w, intrinsics, size, size, background=0.5, depth=False)
    return Views(renders.rgb.clamp(0, 1), c2w, intrinsics, alphas=renders.alpha)


def write_cut_outs(folder: Path, count: int = 10, size: int = 48, blender: bool = False) -> Path:
    """`cut_out_views` as RGBA photos, black where they show nothing, in our form or in Blender's."""
    views = cut_out_views(count, size)
    assert views.alphas is not None
    colors = views.over(0.5, torch.zeros(count, 3)).images / views.alphas.clamp(min=1e-6)
    pixels = (torch.cat([colors, views.alphas], dim=1).clamp(0, 1).movedim(1, -1) * 255).round().byte().numpy()
    (folder / "images").mkdir(parents=True)
    frames = []
    for index, picture in enumerate(pixels):
        Image.fromarray(picture * (picture[..., 3:] > 0)).save(folder / f"images/{index:03d}.png")
        pose = (views.c2w[index].double().numpy() @ FLIP).tolist()
        frames.append({"file_path": f"images/{index:03d}.png", "transform_matrix": pose})
    if not blender:
        camera = dict(zip(("fl_x", "fl_y", "cx", "cy", "w", "h"), (1.4 * size,) * 2 + (size / 2,) * 2 + (size,) * 2))
        (folder / "transforms.json").write_text(json.dumps(camera | {"frames": frames}))
        return folder
    plain = [frame | {"file_path": "./" + frame["file_path"].removesuffix(".png")} for frame in frames]
    for split, some in (
        ("train", [f for i, f in enumerate(plain) if i % 5]),
        ("val", plain[::5]),
        ("test", plain[::5]),
    ):
        shared = {"camera_angle_x": 2 * math.atan(0.5 / 1.4)}
        (folder / f"transforms_{split}.json").write_text(json.dumps(shared | {"frames": some}))
    return folder


def write_masked(folder: Path, count: int = 10, size: int = 48) -> Path:
    """`cut_out_views` as opaque photos of the ball before a pattern, with masks that say where the ball is."""
    views = cut_out_views(count, size)
    assert views.alphas is not None
    generator = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    frames = []
    for index, alpha in enumerate(views.alphas[:, 0].numpy()):
        ball_alone = views.images[index].movedim(0, -1).numpy() - 0.5 * (1 - alpha[..., None])
        pattern = generator.random((size, size, 3), np.float32)
        photo = ball_alone + (1 - alpha[..., None]) * pattern
        Image.fromarray((photo.clip(0, 1) * 255).round().astype(np.uint8)).save(folder / f"images/{index:03d}.png")
        Image.fromarray((alpha > 0.5).astype(np.uint8) * 255).save(folder / f"masks/{index:03d}.png")
        pose = (views.c2w[index].double().numpy() @ FLIP).tolist()
        places = {"file_path": f"images/{index:03d}.png", "mask_path": f"masks/{index:03d}.png"}
        frames.append({**places, "transform_matrix": pose})
    camera = dict(zip(("fl_x", "fl_y", "cx", "cy", "w", "h"), (1.4 * size,) * 2 + (size / 2,) * 2 + (size,) * 2))
    (folder / "transforms.json").write_text(json.dumps(camera | {"frames": frames}))
    return folder
